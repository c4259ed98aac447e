//! Agreements: the simple kind, a list of receivers without rules; those with rules in a file of their own.

use alloc::vec;

use super::*;
use crate::account::AccountStatus;
use crate::envelope::Time;
use crate::hold::PlaceHold;
use crate::ids::MerchantId;
use crate::merchant::MerchantKind;
use crate::payout::{CreatePayout, PayTo};
use crate::testkit::Kit;
use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};

mod rules;

/// Earnest money of a user, to be paid to the agency or back.
struct Sale {
    kit: Kit,
    party: Owner,
    agency: MerchantId,
    receiver: AccountId,
    back: AccountId,
}

fn sale() -> Sale {
    let mut kit = Kit::new();
    let party = Owner::User(kit.user());
    let back = kit.account(Subject::Personal, party);
    let agency = kit.merchant(MerchantKind::Agency, 2_000);
    let receiver = kit.state.merchant(agency).unwrap().pending;
    Sale { kit, party, agency, receiver, back }
}

fn earnest(sale: &Sale, book: Book, receivers: Vec<AccountId>) -> CreateAgreement {
    let (number, purpose) = (String::from("HS-1"), String::from("earnest money"));
    CreateAgreement { number, party: sale.party, purpose, book, currency: Currency::Cny, receivers }
}

#[track_caller]
fn create(sale: &mut Sale, command: CreateAgreement) -> Agreement {
    let Reply::Agreement(id) = sale.kit.given(Command::CreateAgreement(command)) else {
        panic!("an agreement was created")
    };
    sale.kit.state.agreement(id).unwrap().clone()
}

fn post(entries: Vec<Entry>) -> Command {
    Command::PostVoucher(PostVoucher {
        business: BusinessNumber::Text("by-hand".into()),
        event: EventCode::Transfer,
        date: None,
        entries,
        dimensions: None,
    })
}

#[test]
fn money_goes_to_listed_receivers_and_the_account_closes_at_zero() {
    let mut sale = sale();
    let (receiver, back) = (sale.receiver, sale.back);
    let command = earnest(&sale, Book::Reserve, vec![receiver, back]);
    let agreement = create(&mut sale, command);
    let (id, account) = (agreement.id, agreement.account);
    let row = sale.kit.state.account(account, "account").unwrap();
    assert_eq!((row.subject, row.owner, row.rare.agreement), (Subject::Agreement, sale.party, Some(id)));
    sale.kit.fund(account, 500_000);

    let pay = |to, amount| Command::PayFromAgreement(PayFromAgreement { agreement: id, to, amount });
    sale.kit.given(pay(receiver, 450_000));
    sale.kit.refused(Command::CloseAgreement(id), RefusalCode::AccountNotEmpty);
    sale.kit.refused(pay(back, 50_001), RefusalCode::InsufficientFunds);
    sale.kit.refused(pay(back, 0), RefusalCode::AmountNotPositive);
    sale.kit.given(pay(back, 50_000));
    assert_eq!(sale.kit.state.agreement(id).unwrap().payments, 2);
    assert_eq!((sale.kit.balance(receiver), sale.kit.balance(back)), (450_000, 50_000));

    sale.kit.given(Command::CloseAgreement(id));
    assert_eq!(sale.kit.state.account(account, "account").unwrap().status, AccountStatus::Closed);
    for command in [pay(back, 1), Command::CloseAgreement(id)] {
        sale.kit.refused(command, RefusalCode::AgreementState);
    }
}

#[test]
fn only_listed_receivers_are_paid() {
    let mut sale = sale();
    let command = earnest(&sale, Book::Reserve, vec![sale.receiver]);
    let agreement = create(&mut sale, command);
    sale.kit.fund(agreement.account, 100);
    let pay = PayFromAgreement { agreement: agreement.id, to: sale.back, amount: 100 };
    sale.kit.refused(Command::PayFromAgreement(pay.clone()), RefusalCode::ReceiverNotListed);
    let unknown = PayFromAgreement { agreement: AgreementId(9), ..pay };
    sale.kit.refused(Command::PayFromAgreement(unknown), RefusalCode::AgreementUnknown);
}

#[test]
fn custody_pays_within_custody() {
    let mut sale = sale();
    let seller = sale.kit.account(Subject::CustodySub, Owner::Merchant(sale.agency));
    let wrong = earnest(&sale, Book::Custody, vec![sale.receiver]);
    sale.kit.refused(Command::CreateAgreement(wrong), RefusalCode::ReceiverNotAllowed);
    let command = earnest(&sale, Book::Custody, vec![seller]);
    let agreement = create(&mut sale, command);
    let bank = sale.kit.state.institution(Subject::CustodyBank, Currency::Cny).unwrap();
    let entry = |account, side| Entry { account, side, amount: 700, currency: Currency::Cny };
    let (debit, credit) = (crate::book::Side::Debit, crate::book::Side::Credit);
    sale.kit.given(post(vec![entry(bank, debit), entry(agreement.account, credit)]));
    let pay = PayFromAgreement { agreement: agreement.id, to: seller, amount: 700 };
    sale.kit.given(Command::PayFromAgreement(pay));
    assert_eq!(sale.kit.last_voucher(), [(agreement.account, debit, 700), (seller, credit, 700)]);
    let out = post(vec![entry(agreement.account, debit), entry(seller, credit)]);
    sale.kit.refused(out, RefusalCode::InsufficientFunds);
}

#[test]
fn nothing_by_hand_takes_its_money_out() {
    let mut sale = sale();
    let command = earnest(&sale, Book::Reserve, vec![sale.receiver]);
    let account = create(&mut sale, command).account;
    sale.kit.fund(account, 1_000);
    let currency = Currency::Cny;
    let entries = vec![Entry::debit(account, 10, currency), Entry::credit(sale.receiver, 10, currency)];
    sale.kit.refused(post(entries), RefusalCode::SubjectNotAllowed);
    let hold = PlaceHold { account, amount: 10, currency, expires_at: Time(i64::MAX) };
    sale.kit.refused(Command::PlaceHold(hold), RefusalCode::SubjectNotAllowed);
    let payout = CreatePayout {
        account,
        to: PayTo::Settlement,
        amount: 10,
        fee: 0,
        currency,
        send_now: true,
        bank: None,
        channel: None,
    };
    sale.kit.refused(Command::CreatePayout(payout), RefusalCode::SubjectNotAllowed);
    sale.kit.refused(Command::CloseAccount(account), RefusalCode::SubjectNotAllowed);
}

#[test]
fn bad_input_is_refused() {
    let mut sale = sale();
    let receivers = vec![sale.receiver];
    let good = earnest(&sale, Book::Reserve, receivers.clone());
    create(&mut sale, good.clone());
    sale.kit.refused(Command::CreateAgreement(good.clone()), RefusalCode::AlreadyExists);
    let fresh = CreateAgreement { number: String::from("HS-2"), ..good };
    let own = sale.kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
    let table = [
        (CreateAgreement { number: String::from(" "), ..fresh.clone() }, RefusalCode::ValueInvalid),
        (CreateAgreement { purpose: "x".repeat(129), ..fresh.clone() }, RefusalCode::ValueInvalid),
        (CreateAgreement { book: Book::Own, ..fresh.clone() }, RefusalCode::SubjectNotAllowed),
        (CreateAgreement { party: Owner::Institution, ..fresh.clone() }, RefusalCode::SubjectNotAllowed),
        (CreateAgreement { party: Owner::Merchant(MerchantId(9)), ..fresh.clone() }, RefusalCode::MerchantUnknown),
        (CreateAgreement { receivers: Vec::new(), ..fresh.clone() }, RefusalCode::ValueInvalid),
        (CreateAgreement { receivers: vec![AccountId(999)], ..fresh.clone() }, RefusalCode::AccountUnknown),
        (CreateAgreement { receivers: vec![own], ..fresh.clone() }, RefusalCode::ReceiverNotAllowed),
        (CreateAgreement { currency: Currency::Usd, ..fresh.clone() }, RefusalCode::ReceiverNotAllowed),
    ];
    for (command, code) in table {
        sale.kit.refused(Command::CreateAgreement(command), code);
    }
    create(&mut sale, fresh);
}
