//! Announced money, several receivers, extension, references: each refusal and each transition.

use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::book::{Book, Side};
use crate::voucher::{BusinessKind, BusinessNumber, EventCode, Voucher};

/// An account with 1,000 and one with nothing to which money is announced, in one currency.
struct Books {
    kit: Kit,
    payer: AccountId,
    payee: AccountId,
    third: AccountId,
    currency: Currency,
}

fn books_in(currency: Currency) -> Books {
    let mut kit = Kit::new();
    let owner = Owner::User(kit.user());
    let [payer, payee, third] = [(); 3].map(|()| {
        let open = crate::account::OpenAccount { subject: Subject::Personal, currency, owner, overdraft: false };
        let Reply::Account(id) = kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
        id
    });
    let clearing = kit.state.institution(Subject::ClearingEpcc, currency).unwrap();
    kit.given(Command::PostVoucher(crate::voucher::PostVoucher {
        business: BusinessNumber::Text("opening".into()),
        event: EventCode::TopUp,
        date: None,
        entries: vec![
            crate::voucher::Entry::debit(clearing, 1_000, currency),
            crate::voucher::Entry::credit(payer, 1_000, currency),
        ],
        dimensions: None,
    }));
    Books { kit, payer, payee, third, currency }
}

fn books() -> Books {
    books_in(CNY)
}

impl Books {
    fn new_hold(&self, account: AccountId, amount: Minor, source: Option<AccountId>) -> NewHold {
        let expires_at = self.kit.now.plus_ms(60_000);
        let terms = PlaceHold { account, amount, currency: self.currency, expires_at };
        NewHold { terms, source, reference: None }
    }

    #[track_caller]
    fn place(&mut self, new: NewHold) -> HoldId {
        let Reply::Hold(id) = self.kit.given(place(new)) else { panic!("a hold was placed") };
        id
    }

    /// 600 of the payer, announced to the payee.
    fn announced(&mut self) -> HoldId {
        let new = self.new_hold(self.payee, 600, Some(self.payer));
        self.place(new)
    }

    /// 600 held on the payer.
    fn held(&mut self) -> HoldId {
        let new = self.new_hold(self.payer, 600, None);
        self.place(new)
    }

    /// Balance, held out, held in, available.
    fn money(&self, account: AccountId) -> [Minor; 4] {
        let account = self.kit.state.account(account, "account").unwrap();
        [account.balance, account.held_out, account.rare.held_in, account.available()]
    }

    fn vouchers(&self, wanted: HoldId) -> Vec<&Voucher> {
        let of_hold = |voucher: &&Voucher| match &voucher.business {
            BusinessNumber::Step { kind: BusinessKind::Hold, id, .. } => *id == wanted.0,
            BusinessNumber::Step { .. }
            | BusinessNumber::Bulk { .. }
            | BusinessNumber::Object { .. }
            | BusinessNumber::Text(_) => false,
        };
        self.kit.posted().filter(of_hold).collect()
    }
}

fn place(new: NewHold) -> Command {
    Command::Hold(HoldCommand::Place(new))
}

fn receive(hold: HoldId, amount: Option<Minor>) -> Command {
    Command::Hold(HoldCommand::Receive { hold, amount })
}

fn confirm_to(hold: HoldId, parts: &[(AccountId, Minor)]) -> Command {
    let parts = parts.iter().map(|(account, amount)| HoldPart { account: *account, amount: *amount }).collect();
    Command::Hold(HoldCommand::Confirm { hold, parts })
}

fn extend(hold: HoldId, expires_at: Time) -> Command {
    Command::Hold(HoldCommand::Extend { hold, expires_at })
}

#[test]
fn announced_money_is_never_available_and_comes_in_parts() {
    for currency in [Currency::Cny, Currency::Usd, Currency::Jpy] {
        let mut books = books_in(currency);
        let (payer, payee) = (books.payer, books.payee);
        let hold = books.announced();
        assert_eq!((books.money(payee), books.money(payer)), ([0, 0, 600, 0], [1_000, 0, 0, 1_000]));
        let out = books.new_hold(payee, 1, None);
        books.kit.refused(place(out), RefusalCode::InsufficientFunds);
        books.kit.refused(Command::CloseAccount(payee), RefusalCode::AccountNotEmpty);

        books.kit.given(receive(hold, Some(250)));
        assert_eq!(books.kit.last_voucher(), [(payer, Side::Debit, 250), (payee, Side::Credit, 250)]);
        assert_eq!((books.money(payee), books.money(payer)), ([250, 0, 350, 250], [750, 0, 0, 750]));
        books.kit.restore();
        books.kit.refused(receive(hold, Some(351)), RefusalCode::HoldExceeded);
        books.kit.refused(receive(hold, Some(0)), RefusalCode::AmountNotPositive);
        books.kit.given(receive(hold, None));
        assert_eq!((books.money(payee), books.money(payer)), ([600, 0, 0, 600], [400, 0, 0, 400]));
        let row = books.kit.state.hold(hold).unwrap();
        assert_eq!((row.status, row.direction, row.confirms.len()), (HoldStatus::Confirmed, HoldDirection::In, 2));
        books.kit.refused(receive(hold, None), RefusalCode::HoldState);
        assert!(books.kit.state.timers.is_empty());
    }
}

#[test]
fn an_announcement_needs_no_balance_but_its_confirm_does() {
    let mut books = books();
    let new = books.new_hold(books.payee, 5_000, Some(books.payer));
    let hold = books.place(new);
    assert_eq!(books.money(books.payee), [0, 0, 5_000, 0]);
    books.kit.refused(receive(hold, None), RefusalCode::InsufficientFunds);
    assert_eq!(books.money(books.payee), [0, 0, 5_000, 0]);
    books.kit.given(receive(hold, Some(1_000)));
    assert_eq!(books.money(books.payee), [1_000, 0, 4_000, 1_000]);
}

#[test]
fn an_announcement_is_cancelled_or_expires_like_any_hold() {
    let mut books = books();
    let (first, second) = (books.announced(), books.announced());
    assert_eq!(books.money(books.payee), [0, 0, 1_200, 0]);
    books.kit.given(receive(first, Some(100)));
    books.kit.given(Command::CancelHold(first));
    assert_eq!(books.money(books.payee), [100, 0, 600, 100]);
    books.kit.later(60_000);
    // The timer has not run; the money comes too late all the same.
    books.kit.refused(receive(second, None), RefusalCode::HoldExpired);
    books.kit.given(Command::Tick);
    assert_eq!(books.money(books.payee), [100, 0, 0, 100]);
    assert_eq!(books.kit.state.hold(second).unwrap().status, HoldStatus::Expired);
    books.kit.refused(receive(second, None), RefusalCode::HoldExpired);
    books.kit.restore();
}

#[test]
fn an_account_that_takes_nothing_is_announced_nothing() {
    let mut books = books();
    let (account, hold) = (books.payee, books.announced());
    let restriction = Restriction { in_barred: true, out_barred: false };
    books.kit.given(Command::RestrictAccount { account, restriction });
    let new = books.new_hold(account, 1, Some(books.payer));
    books.kit.refused(place(new), RefusalCode::AccountRestricted);
    books.kit.refused(receive(hold, None), RefusalCode::AccountRestricted);
    assert_eq!(books.money(account), [0, 0, 600, 0]);
}

#[test]
fn an_account_that_grows_with_debits_is_announced_money_too() {
    let mut books = books();
    let own = |kit: &Kit, subject| kit.state.institution(subject, CNY).unwrap();
    let (clearing, other) = (own(&books.kit, Subject::ClearingEpcc), own(&books.kit, Subject::ClearingUnionPay));
    let new = books.new_hold(other, 30, Some(clearing));
    let hold = books.place(new);
    books.kit.given(receive(hold, None));
    assert_eq!(books.kit.last_voucher(), [(other, Side::Debit, 30), (clearing, Side::Credit, 30)]);
}

#[test]
fn one_confirm_pays_several_receivers_by_one_voucher() {
    let mut books = books();
    let (payer, payee, third, hold) = (books.payer, books.payee, books.third, books.held());
    books.kit.given(confirm_to(hold, &[(payee, 200), (third, 150)]));
    let credit = |account, amount| (account, Side::Credit, amount);
    assert_eq!(books.kit.last_voucher(), [(payer, Side::Debit, 350), credit(payee, 200), credit(third, 150)]);
    assert_eq!(books.money(payer), [650, 250, 0, 400]);
    let table: [(&[(AccountId, Minor)], RefusalCode); 7] = [
        (&[], RefusalCode::ValueInvalid),
        (&[(payee, 10), (payee, 20)], RefusalCode::ValueInvalid),
        (&[(payee, 200), (third, 51)], RefusalCode::HoldExceeded),
        (&[(payee, 200), (third, 0)], RefusalCode::AmountNotPositive),
        (&[(payee, Minor::MAX), (third, 1)], RefusalCode::AmountOverflow),
        (&[(payee, 1), (payer, 1)], RefusalCode::ReceiverNotAllowed),
        (&[(payee, 1), (AccountId(999), 1)], RefusalCode::AccountUnknown),
    ];
    for (parts, code) in table {
        books.kit.refused(confirm_to(hold, parts), code);
        assert_eq!(books.money(payer), [650, 250, 0, 400]);
    }
    let reserve = books.kit.state.institution(Subject::CentralBank, CNY).unwrap();
    books.kit.refused(confirm_to(hold, &[(reserve, 1)]), RefusalCode::SubjectNotAllowed);
    books.kit.given(confirm_to(hold, &[(third, 250)]));
    assert_eq!(books.kit.state.hold(hold).unwrap().status, HoldStatus::Confirmed);
}

#[test]
fn each_confirm_has_a_business_number_and_a_place_on_the_hold() {
    let mut books = books();
    let (payer, payee, third, hold) = (books.payer, books.payee, books.third, books.held());
    let other = books.announced();
    books.kit.given(Command::ConfirmHold { hold, amount: Some(100), to: payee });
    books.kit.given(receive(other, Some(5)));
    books.kit.given(confirm_to(hold, &[(payee, 50), (third, 50)]));
    books.kit.restore();
    books.kit.given(Command::ConfirmHold { hold, amount: None, to: payee });
    let numbers: Vec<(String, EventCode)> =
        books.vouchers(hold).iter().map(|it| (it.business.to_string(), it.event)).collect();
    let confirmed = |number: &str| (String::from(number), EventCode::HoldConfirmed);
    assert_eq!(numbers, [confirmed("hld_1/1"), confirmed("hld_1/2"), confirmed("hld_1/3")]);
    assert_eq!(books.vouchers(other)[0].event, EventCode::HoldReceived);
    assert_eq!(books.vouchers(other)[0].business.to_string(), "hld_2/1");

    let confirms = &books.kit.state.hold(hold).unwrap().confirms;
    let kept: Vec<_> = confirms.iter().map(|it| (it.number, it.amount, it.parts.len(), it.by.as_str())).collect();
    assert_eq!(kept, [(1, 100, 1, "tester"), (2, 100, 2, "tester"), (3, 400, 1, "tester")]);
    let positions = (1_u64..).zip(&books.kit.events).filter(|(_, event)| matches!(event, Event::VoucherPosted(_)));
    let found: Vec<u64> = positions.map(|(position, _)| position).collect();
    assert!(confirms.iter().all(|it| found.contains(&it.voucher.0)), "each names a voucher's position");
    assert_eq!(books.money(payer), [395, 0, 0, 395]);
}

#[test]
fn a_hold_is_confirmed_a_hundred_times_at_most() {
    let mut books = books();
    let (payee, hold) = (books.payee, books.held());
    for _ in 0..100 {
        books.kit.given(Command::ConfirmHold { hold, amount: Some(1), to: payee });
    }
    let more = Command::ConfirmHold { hold, amount: Some(1), to: payee };
    books.kit.refused(more, RefusalCode::HoldState);
    books.kit.given(Command::CancelHold(hold));
    assert_eq!(books.money(books.payer), [900, 0, 0, 900]);
}

#[test]
fn each_direction_is_confirmed_in_its_own_way() {
    let mut books = books();
    let (out, announced) = (books.held(), books.announced());
    books.kit.refused(receive(out, None), RefusalCode::HoldDirection);
    let payee = books.payee;
    books.kit.refused(confirm_to(announced, &[(payee, 1)]), RefusalCode::HoldDirection);
    let simple = Command::ConfirmHold { hold: announced, amount: None, to: payee };
    books.kit.refused(simple, RefusalCode::HoldDirection);
}

#[test]
fn its_placer_extends_a_hold_and_no_one_else() {
    let mut books = books();
    let (payee, hold) = (books.payee, books.held());
    let at = |books: &Books, ms| books.kit.state.hold(hold).unwrap().expires_at.plus_ms(ms);
    let (same, later) = (at(&books, 0), at(&books, 60_000));
    books.kit.refused(extend(hold, same), RefusalCode::ValueInvalid);
    // A command that a second person approved counts as its maker's.
    let refusal = books.kit.when_approved(extend(hold, later)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::HoldPlacer, "{refusal}");
    assert!(refusal.message.contains("tester") && refusal.message.contains("maker"), "{refusal}");
    books.kit.given(extend(hold, later));
    books.kit.restore();
    books.kit.later(60_000);
    books.kit.given(Command::Tick);
    assert_eq!(books.kit.state.hold(hold).unwrap().status, HoldStatus::Open);
    books.kit.given(Command::ConfirmHold { hold, amount: Some(1), to: payee });
    books.kit.later(60_000);
    let too_late = extend(hold, later.plus_ms(60_000));
    books.kit.refused(too_late.clone(), RefusalCode::HoldExpired);
    books.kit.given(Command::Tick);
    books.kit.refused(too_late, RefusalCode::HoldExpired);
    assert_eq!(books.money(books.payer), [999, 0, 0, 999]);
    assert!(books.kit.state.timers.is_empty());
}

#[test]
fn what_is_wrong_with_an_announcement_or_a_reference_is_refused() {
    let mut books = books();
    let (payer, payee) = (books.payer, books.payee);
    let good = books.new_hold(payee, 10, Some(payer));
    let own = |subject| books.kit.state.institution(subject, CNY).unwrap();
    let (reserve, income) = (own(Subject::CentralBank), own(Subject::FeeIncome));
    let agreement = books.kit.agreement_account();
    let dollars = books_dollars(&mut books);
    let with = |source| NewHold { source: Some(source), ..good.clone() };
    let on = |account| NewHold { terms: PlaceHold { account, ..good.terms.clone() }, ..good.clone() };
    let referred = |text: &str| NewHold { reference: Some(text.to_string()), ..good.clone() };
    let table = [
        (with(payee), RefusalCode::ReceiverNotAllowed),
        (with(income), RefusalCode::ReceiverNotAllowed),
        (with(dollars), RefusalCode::ReceiverNotAllowed),
        (with(reserve), RefusalCode::SubjectNotAllowed),
        (with(agreement), RefusalCode::SubjectNotAllowed),
        (with(AccountId(999)), RefusalCode::AccountUnknown),
        (on(agreement), RefusalCode::SubjectNotAllowed),
        (on(reserve), RefusalCode::SubjectNotAllowed),
        (on(AccountId(999)), RefusalCode::AccountUnknown),
        (on(dollars), RefusalCode::CurrencyMismatch),
        (referred(" "), RefusalCode::ValueInvalid),
        (referred(&"x".repeat(129)), RefusalCode::ValueInvalid),
    ];
    for (new, code) in table {
        books.kit.refused(place(new), code);
    }
    assert_eq!(income_book(&books.kit, income), Book::Own);
    let hold = books.place(referred("contract 7"));
    let row = books.kit.state.hold(hold).unwrap();
    assert_eq!((row.reference.as_deref(), row.placed_by.as_deref()), (Some("contract 7"), Some("tester")));
    let largest = books.new_hold(payee, Minor::MAX, Some(payer));
    books.kit.refused(place(largest), RefusalCode::AmountOverflow);
}

fn books_dollars(books: &mut Books) -> AccountId {
    let owner = books.kit.state.account(books.payer, "account").unwrap().owner;
    let (subject, currency) = (Subject::Personal, Currency::Usd);
    let open = crate::account::OpenAccount { subject, currency, owner, overdraft: false };
    let Reply::Account(id) = books.kit.given(Command::OpenAccount(open)) else { panic!("an account was opened") };
    id
}

fn income_book(kit: &Kit, account: AccountId) -> Book {
    kit.state.account(account, "account").unwrap().subject.book()
}

#[test]
fn what_can_be_done_with_a_hold_is_said_of_it() {
    let mut books = books();
    let hold = books.held();
    let actions = |books: &Books| books.kit.state.hold(hold).unwrap().allowed_actions(books.kit.now);
    assert_eq!(actions(&books), ["confirm", "cancel", "extend"]);
    books.kit.later(60_000);
    assert_eq!(actions(&books), ["cancel"]);
    books.kit.given(Command::CancelHold(hold));
    assert!(actions(&books).is_empty());
}

#[test]
fn a_held_in_that_does_not_add_up_is_a_break() {
    let mut books = books();
    books.announced();
    let payee = books.payee;
    let day = crate::testkit::date("2026-03-05");
    let broken = |kit: &Kit| {
        crate::checks::run(&kit.state, day).into_iter().filter(|it| !it.holds).map(|it| it.name).collect::<Vec<_>>()
    };
    assert!(broken(&books.kit).is_empty());
    books.kit.state.account_row(payee).rare.held_in -= 1;
    assert_eq!(broken(&books.kit), ["holds"]);
    // What is held out does not make up for it.
    books.kit.state.account_row(payee).held_out += 1;
    assert_eq!(broken(&books.kit), ["holds"]);
}
