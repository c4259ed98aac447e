//! Accounts (账户): money in one book and currency, held by a user, a merchant or the institution.
//!
//! ```text
//!  open ─► OPEN ─ close (at zero, nothing held, frozen or on its way) ─► CLOSED
//!           └─ restrict ⇄ lift, see `restriction`
//! ```
//! available = balance − held out − effective frozen; effective frozen = what the balance covers, so a freeze on an empty
//! account bites as money arrives and available never goes below zero because of it. A customer's freezes lower what its
//! accounts together may pay, see [`crate::freeze`].

use alloc::format;

use minicbor::{Decode, Encode};

use crate::book::{Side, Subject};
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::{AccountId, AgreementId, CustomerId, MerchantId, UserId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::restriction::{Bars, Restriction};
use crate::state::State;
use crate::{agreement, freeze, tree};

mod rare;

pub use rare::{Rare, RareParts};

/// Whose the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Owner {
    /// The institution itself.
    #[n(0)]
    Institution,
    /// A user.
    #[n(1)]
    User(#[n(0)] UserId),
    /// A merchant.
    #[n(2)]
    Merchant(#[n(0)] MerchantId),
}

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AccountStatus {
    /// Takes vouchers.
    #[n(0)]
    Open,
    /// At zero for ever.
    #[n(1)]
    Closed,
}

/// An account, in 64 bytes: there may be ten million of them, and a posting looks at two. Amounts count on the side on which
/// its subject grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its subject, which gives book and side.
    pub subject: Subject,
    /// Its currency.
    pub currency: Currency,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it may go below zero.
    pub overdraft: bool,
    /// Open or closed.
    pub status: AccountStatus,
    /// What is barred.
    pub restriction: Restriction,
    /// Posted balance.
    pub balance: Minor,
    /// Reserved to go out.
    pub held_out: Minor,
    /// How many entries it has; the number of its last one.
    pub entries: u64,
    /// What few accounts have.
    pub rare: Rare,
}

impl Account {
    /// What is barred, by the institution or by a freeze.
    #[must_use]
    pub fn barred(&self) -> Restriction {
        Restriction {
            in_barred: self.restriction.in_barred || self.rare.freezes.ways_in > 0,
            out_barred: self.restriction.out_barred || self.rare.freezes.ways_out > 0,
        }
    }

    /// What its own freezes bite on now.
    #[must_use]
    pub fn effective_frozen(&self) -> Minor {
        self.rare.frozen.min(self.balance.saturating_sub(self.held_out).max(0))
    }

    /// What its own freezes let go out now; [`State::available`] counts those of its customer too.
    #[must_use]
    pub fn available(&self) -> Minor {
        self.balance.saturating_sub(self.held_out).saturating_sub(self.effective_frozen())
    }

    /// True where an entry on `side` makes the balance larger.
    #[must_use]
    pub fn grows_on(&self, side: Side) -> bool {
        self.subject.side() == side
    }
}

/// Opens an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAccount {
    /// One of the subjects that others hold.
    pub subject: Subject,
    /// Its currency.
    pub currency: Currency,
    /// Whose it is.
    pub owner: Owner,
    /// Allowed only outside 2201–2206 and 2291.
    pub overdraft: bool,
}

/// Opens one account; the institution's own come with the currency, see [`open_currency`].
///
/// # Errors
/// `subject_not_allowed`, `user_unknown`, `merchant_unknown`.
pub fn decide_open(draft: &mut Draft<'_>, command: &OpenAccount) -> Result<Reply, Refusal> {
    check_open(draft.state, command)?;
    open_currency(draft, command.currency);
    let id = open(draft, command.subject, command.currency, command.owner, command.overdraft, None);
    Ok(Reply::Account(id))
}

/// The most accounts opened by one command.
pub const MAX_OPENED: usize = 10_000;

/// Opens many accounts, all or none; their ids follow each other in the order given.
///
/// # Errors
/// `value_invalid` for none or too many; else those of [`decide_open`] for the first that may not be opened, by its place.
pub fn decide_open_many(draft: &mut Draft<'_>, commands: &[OpenAccount]) -> Result<Reply, Refusal> {
    if !(1..=MAX_OPENED).contains(&commands.len()) {
        let message = format!("{} accounts were asked for; ask for 1 to {MAX_OPENED} at a time", commands.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "accounts", message));
    }
    for (at, command) in commands.iter().enumerate() {
        check_open(draft.state, command).map_err(|refusal| Refusal {
            param: format!("accounts[{at}].{}", refusal.param).into(),
            message: format!("{}; no account was opened", refusal.message),
            ..refusal
        })?;
    }
    // The institution's own accounts first, so that none of them stands between those asked for.
    commands.iter().for_each(|command| open_currency(draft, command.currency));
    let first = AccountId(draft.state.accounts.next_id());
    for OpenAccount { subject, currency, owner, overdraft } in commands {
        open(draft, *subject, *currency, *owner, *overdraft, None);
    }
    Ok(Reply::Accounts { first, count: u32::try_from(commands.len()).unwrap_or(u32::MAX) })
}

fn check_open(state: &State, command: &OpenAccount) -> Result<(), Refusal> {
    let subject = command.subject;
    if !subject.is_held_by_others() || subject == Subject::Agreement {
        let message = format!(
            "accounts of {} are not opened by hand; open 2201, 2202, 2203, 2206, 2251 or 9201, and 2204 through an agreement",
            subject.code()
        );
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "subject", message));
    }
    if command.overdraft && subject.never_overdrawn() {
        let message = format!("accounts of {} are never overdrawn; leave 'overdraft' out", subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "overdraft", message));
    }
    owner_known(state, command.owner)
}

/// Refuses an owner that does not exist.
pub(crate) fn owner_known(state: &State, owner: Owner) -> Result<(), Refusal> {
    match owner {
        Owner::Institution => Ok(()),
        Owner::User(id) => state.user(id).map(|_| ()),
        Owner::Merchant(id) => state.merchant(id).map(|_| ()),
    }
}

/// Opens an account whose rules the caller has checked.
pub(crate) fn open(
    draft: &mut Draft<'_>,
    subject: Subject,
    currency: Currency,
    owner: Owner,
    overdraft: bool,
    agreement: Option<AgreementId>,
) -> AccountId {
    let id = AccountId(draft.state.accounts.next_id());
    let freezes = freeze::barred_from_birth(draft.state, subject, owner);
    draft.emit(Event::AccountOpened(Account {
        id,
        subject,
        currency,
        owner,
        overdraft,
        status: AccountStatus::Open,
        restriction: Restriction::default(),
        balance: 0,
        held_out: 0,
        entries: 0,
        rare: RareParts { agreement, freezes, ..RareParts::default() }.into(),
    }));
    id
}

/// Opens the institution's own account of every subject in `currency`, once.
pub(crate) fn open_currency(draft: &mut Draft<'_>, currency: Currency) {
    if draft.state.institution.get(&(Subject::CentralBank, currency)).is_some() {
        return;
    }
    for subject in Subject::ALL.iter().copied().filter(|subject| !subject.is_held_by_others()) {
        open(draft, subject, currency, Owner::Institution, subject.overdraft(), None);
    }
}

/// Closes an account for ever.
///
/// # Errors
/// `account_unknown`, `account_closed`, `account_not_empty`, `account_linked`, `subject_not_allowed` for the institution's own and for an
/// agreement's, which closes with it.
pub fn decide_close(draft: &mut Draft<'_>, id: AccountId) -> Result<Reply, Refusal> {
    let account = draft.state.open_account(id, "account")?;
    if account.owner == Owner::Institution {
        let message = format!("{id} is the institution's own account and stays open");
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    agreement::refuse_by_hand(account)?;
    is_empty(draft.state, account)?;
    draft.emit(Event::AccountClosed(id));
    Ok(Reply::Account(id))
}

/// Refuses to close an account with money on it, with payouts that may bring money back, or with a parent or children.
pub(crate) fn is_empty(state: &State, account: &Account) -> Result<(), Refusal> {
    let id = account.id;
    if account.balance != 0 || account.held_out != 0 || account.rare.held_in != 0 || account.rare.frozen != 0 {
        let message = format!(
            "{id} has balance {}, held {} out and {} in, frozen {}; all must be zero",
            account.balance, account.held_out, account.rare.held_in, account.rare.frozen
        );
        return Err(Refusal::new(RefusalCode::AccountNotEmpty, "account", message));
    }
    if let Owner::Merchant(merchant) = account.owner
        && state.has_uncertain_advances(merchant)
    {
        let message = format!("{merchant} has an advance whose end is not known; close {id} when it has ended");
        return Err(Refusal::new(RefusalCode::AccountNotEmpty, "account", message));
    }
    if account.rare.freezes != Bars::default() {
        let message = format!("{id} is frozen as a whole; close it when {}", freeze::who_bars(state, account, true));
        return Err(Refusal::new(RefusalCode::AccountNotEmpty, "account", message));
    }
    if state.has_open_payouts(id) {
        let message = format!("{id} has payouts whose end is not known; close it when they have ended");
        return Err(Refusal::new(RefusalCode::AccountNotEmpty, "account", message));
    }
    tree::refuse_linked(state, id)
}

/// An account was opened.
pub(crate) fn apply_opened(state: &mut State, account: &Account) {
    if let Some(customer) = state.customer_of(account.owner) {
        state.customer_accounts.insert((customer, account.id), ());
    }
    if !account.subject.is_held_by_others() {
        state.institution.insert((account.subject, account.currency), account.id);
    }
    state.accounts.insert(account.id.0, account.clone());
}

impl State {
    /// The account, open or closed.
    ///
    /// # Errors
    /// `account_unknown`.
    pub fn account(&self, id: AccountId, param: &'static str) -> Result<&Account, Refusal> {
        self.accounts.get(id.0).ok_or_else(|| {
            let message = format!("there is no account {id}");
            Refusal::new(RefusalCode::AccountUnknown, param, message)
        })
    }

    /// The account, if it is open.
    ///
    /// # Errors
    /// `account_unknown`, `account_closed`.
    pub fn open_account(&self, id: AccountId, param: &'static str) -> Result<&Account, Refusal> {
        let account = self.account(id, param)?;
        match account.status {
            AccountStatus::Open => Ok(account),
            AccountStatus::Closed => {
                let message = format!("{id} is closed; name an open account");
                Err(Refusal::new(RefusalCode::AccountClosed, param, message))
            }
        }
    }

    /// The customer (客户) behind an owner: the legal identity that limits and freezes hang on. The institution has none.
    #[must_use]
    pub fn customer_of(&self, owner: Owner) -> Option<CustomerId> {
        match owner {
            Owner::Institution => None,
            Owner::User(id) => self.users.get(id.0).map(|user| user.customer),
            Owner::Merchant(id) => self.merchants.get(id.0).map(|merchant| merchant.customer),
        }
    }

    /// Every account of a customer, open or closed, by id.
    pub fn accounts_of(&self, customer: CustomerId) -> impl Iterator<Item = &Account> {
        let all = (customer, AccountId(0))..=(customer, AccountId(u64::MAX));
        self.customer_accounts.range(all).filter_map(|((_, id), ())| self.accounts.get(id.0))
    }

    /// The institution's account of a subject and currency. Genesis opens those in yuan.
    ///
    /// # Errors
    /// `account_unknown` for a currency without any account yet.
    pub fn institution(&self, subject: Subject, currency: Currency) -> Result<AccountId, Refusal> {
        self.institution.get(&(subject, currency)).copied().ok_or_else(|| {
            let message = format!("there are no books in {} yet; open an account in it first", currency.code());
            Refusal::new(RefusalCode::AccountUnknown, "currency", message)
        })
    }

    /// The account, to be changed by an event that `decide` has checked.
    pub(crate) fn account_row(&mut self, id: AccountId) -> &mut Account {
        self.accounts.get_mut(id.0).expect("decide checked the account before it emitted the event")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::hold::PlaceHold;
    use crate::testkit::Kit;
    use alloc::vec::Vec;

    fn of_user(kit: &mut Kit) -> OpenAccount {
        let owner = Owner::User(kit.user());
        OpenAccount { subject: Subject::Personal, currency: Currency::Cny, owner, overdraft: false }
    }

    #[test]
    fn every_subject_that_others_hold_can_be_opened_except_the_agreements() {
        let mut kit = Kit::new();
        let good = of_user(&mut kit);
        for subject in Subject::ALL.iter().copied() {
            let command = Command::OpenAccount(OpenAccount { subject, ..good.clone() });
            if subject.is_held_by_others() && subject != Subject::Agreement {
                kit.given(command);
            } else {
                kit.refused(command, RefusalCode::SubjectNotAllowed);
            }
        }
    }

    #[test]
    fn many_are_opened_all_or_none_with_ids_that_follow_each_other() {
        let mut kit = Kit::new();
        let good = of_user(&mut kit);
        let yen = OpenAccount { currency: Currency::Jpy, ..good.clone() };
        let bad = OpenAccount { owner: Owner::User(UserId(9)), ..good.clone() };
        let refused = kit.when(Command::OpenAccounts(alloc::vec![good.clone(), yen.clone(), bad])).unwrap_err();
        assert_eq!((refused.code, refused.param.as_ref()), (RefusalCode::UserUnknown, "accounts[2].user"));
        for count in [0, MAX_OPENED + 1] {
            let many = core::iter::repeat_n(good.clone(), count).collect();
            kit.refused(Command::OpenAccounts(many), RefusalCode::ValueInvalid);
        }
        let many = alloc::vec![good.clone(), yen, good];
        let reply = kit.given(Command::OpenAccounts(many));
        let Reply::Accounts { first, count: 3 } = reply else { panic!("{reply:?}") };
        let currencies = (first.0..first.0 + 3).map(|id| kit.state.accounts.get(id).unwrap().currency);
        assert_eq!(currencies.collect::<Vec<_>>(), [Currency::Cny, Currency::Jpy, Currency::Cny]);
        assert_eq!(kit.state.accounts.next_id(), first.0 + 3, "the institution's own in yen lie before them");
    }

    #[test]
    fn only_what_no_rule_forbids_may_be_overdrawn() {
        let mut kit = Kit::new();
        let good = OpenAccount { overdraft: true, ..of_user(&mut kit) };
        kit.refused(Command::OpenAccount(good.clone()), RefusalCode::SubjectNotAllowed);
        kit.given(Command::OpenAccount(OpenAccount { subject: Subject::CustodySub, ..good }));
    }

    #[test]
    fn an_owner_must_be_known() {
        let mut kit = Kit::new();
        let good = of_user(&mut kit);
        let user = OpenAccount { owner: Owner::User(UserId(9)), ..good.clone() };
        kit.refused(Command::OpenAccount(user), RefusalCode::UserUnknown);
        let merchant = OpenAccount { owner: Owner::Merchant(MerchantId(9)), ..good };
        kit.refused(Command::OpenAccount(merchant), RefusalCode::MerchantUnknown);
    }

    #[test]
    fn the_first_account_in_a_currency_brings_the_institutions_own_once() {
        let mut kit = Kit::new();
        let dollars = OpenAccount { currency: Currency::Usd, ..of_user(&mut kit) };
        let refusal = kit.state.institution(Subject::DueToOwn, Currency::Usd).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::AccountUnknown);
        let own = |kit: &Kit| {
            let accounts = kit.state.accounts.iter();
            let ours = |account: &&Account| account.owner == Owner::Institution && account.currency == Currency::Usd;
            accounts.map(|(_, account)| account).filter(ours).map(|account| account.subject).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            kit.given(Command::OpenAccount(dollars.clone()));
            let expected: Vec<_> =
                Subject::ALL.iter().copied().filter(|subject| !subject.is_held_by_others()).collect();
            assert_eq!(own(&kit), expected);
        }
    }

    #[test]
    fn an_account_closes_at_zero_for_ever() {
        let mut kit = Kit::new();
        let owner = of_user(&mut kit).owner;
        let account = kit.account(Subject::Personal, owner);
        let close = Command::CloseAccount(account);
        kit.fund(account, 10);
        kit.refused(close.clone(), RefusalCode::AccountNotEmpty);

        let other = kit.account(Subject::Personal, owner);
        let expires_at = kit.now.plus_ms(1);
        let place = PlaceHold { account, amount: 10, currency: Currency::Cny, expires_at };
        let Reply::Hold(hold) = kit.given(Command::PlaceHold(place)) else { panic!("a hold was placed") };
        kit.refused(close.clone(), RefusalCode::AccountNotEmpty);
        kit.given(Command::ConfirmHold { hold, amount: None, to: other });
        kit.given(close.clone());
        kit.refused(close, RefusalCode::AccountClosed);

        let own = kit.state.institution(Subject::FeeIncome, Currency::Cny).unwrap();
        kit.refused(Command::CloseAccount(own), RefusalCode::SubjectNotAllowed);
        kit.refused(Command::CloseAccount(AccountId(999)), RefusalCode::AccountUnknown);
    }
}
