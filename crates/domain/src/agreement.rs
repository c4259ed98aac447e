//! Agreement accounts (协议账户): money that leaves only by the agreement's own rules.
//!
//! ```text
//!  create ─► OPEN ─ close (at zero, nothing held or frozen) ─► CLOSED
//!             └ pay, to a listed receiver
//! ```
//! Its key is (number, party, purpose). At birth it is said whether its money lies in RESERVE (2204) or in CUSTODY (9201)
//! and who may receive it. No voucher, hold or payout by hand takes money out, see [`refuse_by_hand`].

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::account::{Owner, is_empty, open, open_currency, owner_known};
use crate::book::{Book, Subject};
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessNumber, Dimensions, Entry, EventCode};

/// The most bytes of a number or a purpose.
const MAX_TEXT: usize = 128;
/// The most receivers one agreement lists.
const MAX_RECEIVERS: usize = 100;

/// What names an agreement: its number, whose money it is, and what for.
pub type AgreementKey = (String, Owner, String);

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AgreementStatus {
    /// Takes and pays money.
    #[n(0)]
    Open,
    /// At zero for ever.
    #[n(1)]
    Closed,
}

impl AgreementStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// An agreement with its account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Agreement {
    /// Its id.
    #[n(0)]
    pub id: AgreementId,
    /// The agreement's number.
    #[n(1)]
    pub number: String,
    /// Whose money it is.
    #[n(2)]
    pub party: Owner,
    /// What it is for.
    #[n(3)]
    pub purpose: String,
    /// Its account: 2204 or 9201.
    #[n(4)]
    pub account: AccountId,
    /// Its currency.
    #[n(5)]
    pub currency: Currency,
    /// Who may receive its money.
    #[n(6)]
    pub receivers: Vec<AccountId>,
    /// Open or closed.
    #[n(7)]
    pub status: AgreementStatus,
    /// How many payments it has made; the number of its last one.
    #[n(8)]
    pub payments: u64,
}

impl Agreement {
    /// Its place in the index by number, party and purpose.
    pub(crate) fn key(&self) -> AgreementKey {
        (self.number.clone(), self.party, self.purpose.clone())
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            AgreementStatus::Open => &["pay", "close"],
            AgreementStatus::Closed => &[],
        }
    }
}

/// Creates an agreement and opens its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateAgreement {
    /// The agreement's number.
    pub number: String,
    /// Whose money it will be.
    pub party: Owner,
    /// What it is for.
    pub purpose: String,
    /// RESERVE (2204) or CUSTODY (9201).
    pub book: Book,
    /// Its currency.
    pub currency: Currency,
    /// Who may receive its money: open accounts of the same book and currency.
    pub receivers: Vec<AccountId>,
}

/// Pays from an agreement's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayFromAgreement {
    /// The agreement.
    pub agreement: AgreementId,
    /// One of its receivers.
    pub to: AccountId,
    /// Minor units above zero.
    pub amount: Minor,
}

/// Creates an agreement.
///
/// # Errors
/// `value_invalid` for number, purpose or receivers, `user_unknown`, `merchant_unknown`, `subject_not_allowed` for a book
/// or party that holds none, `already_exists`, `account_unknown`, `account_closed` or `receiver_not_allowed` for a
/// receiver.
pub fn decide_create(draft: &mut Draft<'_>, command: CreateAgreement) -> Result<Reply, Refusal> {
    let subject = subject_of(command.book)?;
    for (text, param) in [(&command.number, "number"), (&command.purpose, "purpose")] {
        if text.trim().is_empty() || text.len() > MAX_TEXT {
            let message = format!("{param} has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    if command.party == Owner::Institution {
        let message = "the institution holds no agreement account; name a user or a merchant";
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "party", message));
    }
    owner_known(draft.state, command.party)?;
    let key = (command.number.clone(), command.party, command.purpose.clone());
    if let Some(existing) = draft.state.agreement_keys.get(&key) {
        let message = format!("this number, party and purpose are {existing} already");
        return Err(Refusal::new(RefusalCode::AlreadyExists, "number", message));
    }
    check_receivers(draft.state, &command)?;
    let CreateAgreement { number, party, purpose, currency, receivers, .. } = command;
    open_currency(draft, currency);
    let id = AgreementId(draft.state.agreements.next_id());
    let account = open(draft, subject, currency, party, false, Some(id));
    let (status, payments) = (AgreementStatus::Open, 0);
    let agreement = Agreement { id, number, party, purpose, account, currency, receivers, status, payments };
    draft.emit(Event::AgreementCreated(agreement));
    Ok(Reply::Agreement(id))
}

fn subject_of(book: Book) -> Result<Subject, Refusal> {
    match book {
        Book::Reserve => Ok(Subject::Agreement),
        Book::Custody => Ok(Subject::CustodySub),
        Book::Own => {
            let message = "money of others never lies in OWN; name RESERVE or CUSTODY";
            Err(Refusal::new(RefusalCode::SubjectNotAllowed, "book", message))
        }
    }
}

fn check_receivers(state: &State, command: &CreateAgreement) -> Result<(), Refusal> {
    let count = command.receivers.len();
    if count == 0 || count > MAX_RECEIVERS {
        let message = format!("the agreement lists {count} receivers; list 1 to {MAX_RECEIVERS}");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "receivers", message));
    }
    for id in &command.receivers {
        let account = state.open_account(*id, "receivers")?;
        let fits = account.subject.is_held_by_others()
            && account.subject.book() == command.book
            && account.currency == command.currency;
        if !fits {
            let message = format!(
                "{id} is {} in {} and {}; a receiver is an account of a user or merchant in {} and {}",
                account.subject.code(),
                account.subject.book().name(),
                account.currency.code(),
                command.book.name(),
                command.currency.code()
            );
            return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "receivers", message));
        }
    }
    Ok(())
}

/// Pays a listed receiver.
///
/// # Errors
/// `agreement_unknown`, `agreement_state`, `receiver_not_listed`, `amount_not_positive`, and those of the voucher.
pub fn decide_pay(draft: &mut Draft<'_>, command: &PayFromAgreement) -> Result<Reply, Refusal> {
    let agreement = open_agreement(draft.state, command.agreement)?;
    let (id, from, currency) = (agreement.id, agreement.account, agreement.currency);
    if !agreement.receivers.contains(&command.to) {
        let message = format!("{id} does not list {}; its receivers are {:?}", command.to, agreement.receivers);
        return Err(Refusal::new(RefusalCode::ReceiverNotListed, "to", message));
    }
    let amount = positive(command.amount, "amount")?;
    let number = agreement.payments.saturating_add(1);
    // An agreement pays many times: the payment's number makes (business number, event code) unique.
    let business = BusinessNumber::Text(Box::from(format!("{id}/{number}")));
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(command.to, amount, currency)];
    let voucher = draft.post(business, EventCode::AgreementPayment, entries, Dimensions::default())?;
    draft.emit(Event::AgreementPaid { agreement: id, voucher });
    Ok(Reply::Voucher(voucher))
}

/// Closes an agreement and its account.
///
/// # Errors
/// `agreement_unknown`, `agreement_state`, `account_not_empty`.
pub fn decide_close(draft: &mut Draft<'_>, id: AgreementId) -> Result<Reply, Refusal> {
    let account = open_agreement(draft.state, id)?.account;
    is_empty(draft.state, draft.state.open_account(account, "agreement")?)?;
    draft.emit(Event::AccountClosed(account));
    draft.emit(Event::AgreementClosed(id));
    Ok(Reply::Agreement(id))
}

fn open_agreement(state: &State, id: AgreementId) -> Result<&Agreement, Refusal> {
    let agreement = state.agreement(id)?;
    match agreement.status {
        AgreementStatus::Open => Ok(agreement),
        AgreementStatus::Closed => {
            Err(Refusal::new(RefusalCode::AgreementState, "agreement", format!("{id} is closed; name an open one")))
        }
    }
}

/// Refuses entries by hand that take money out of an agreement's account.
///
/// # Errors
/// `subject_not_allowed`.
pub(crate) fn refuse_by_hand(account: &crate::account::Account) -> Result<(), Refusal> {
    let Some(agreement) = account.agreement else {
        return Ok(());
    };
    let message = format!("{} belongs to {agreement}; its money leaves only by a payment of it", account.id);
    Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message))
}

impl State {
    /// The agreement.
    ///
    /// # Errors
    /// `agreement_unknown`.
    pub fn agreement(&self, id: AgreementId) -> Result<&Agreement, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::AgreementUnknown, "agreement", format!("there is no agreement {id}"));
        self.agreements.get(id.0).ok_or_else(unknown)
    }
}

/// An agreement was created.
pub(crate) fn apply_created(state: &mut State, agreement: &Agreement) {
    state.agreement_keys.insert(agreement.key(), agreement.id);
    state.agreements.insert(agreement.id.0, agreement.clone());
}

/// An agreement paid.
pub(crate) fn apply_paid(state: &mut State, id: AgreementId) {
    state.agreements.get_mut(id.0).expect("decide checked the agreement").payments += 1;
}

/// An agreement was closed.
pub(crate) fn apply_closed(state: &mut State, id: AgreementId) {
    state.agreements.get_mut(id.0).expect("decide checked the agreement").status = AgreementStatus::Closed;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountStatus;
    use crate::command::Command;
    use crate::envelope::Time;
    use crate::hold::PlaceHold;
    use crate::ids::MerchantId;
    use crate::merchant::MerchantKind;
    use crate::payout::{CreatePayout, PayTo};
    use crate::testkit::Kit;
    use crate::voucher::PostVoucher;

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
        assert_eq!((row.subject, row.owner, row.agreement), (Subject::Agreement, sale.party, Some(id)));
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
        let payout = CreatePayout { account, to: PayTo::Settlement, amount: 10, fee: 0, currency, send_now: true };
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
}
