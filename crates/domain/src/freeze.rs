//! Precise freezes (精准冻结): an authority freezes an amount on an account.
//!
//! ```text
//!  place ─► IN FORCE ─ release all, or the last part ─► RELEASED
//!            ├ release a part: stays IN FORCE with the rest
//!            └ the timer, where it has an expiry ─► EXPIRED
//! ```
//! A freeze writes no voucher. Several on one account add up (轮候); what of the sum bites is computed from the balance, see
//! [`crate::account::Account::effective_frozen`], so a freeze on an empty account bites as money arrives. Placing one
//! cancels the account's unsent payouts; what is at a bank already is outside. Operator and approver stand in the envelope
//! of the command.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::Owner;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, FreezeId};
use crate::money::{Currency, Minor, add, positive};
use crate::payout::{self, CancelReason};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::{State, Timer};

/// The most bytes of a reason, an authority's name or a document number.
const MAX_TEXT: usize = 256;

/// Where a freeze stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum FreezeStatus {
    /// Something is still frozen.
    #[n(0)]
    InForce,
    /// All of it was released.
    #[n(1)]
    Released,
    /// Its time ran out.
    #[n(2)]
    Expired,
}

impl FreezeStatus {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// A precise freeze.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Freeze {
    /// Its id.
    #[n(0)]
    pub id: FreezeId,
    /// The account.
    #[n(1)]
    pub account: AccountId,
    /// Minor units frozen at first.
    #[n(2)]
    pub amount: Minor,
    /// Minor units released so far.
    #[n(3)]
    pub released: Minor,
    /// Why.
    #[n(4)]
    pub reason: String,
    /// Who ordered it; only the same may release it.
    #[n(5)]
    pub authority: String,
    /// The number of the authority's document (文书号).
    #[n(6)]
    pub document: String,
    /// When it ends by itself.
    #[n(7)]
    pub expires_at: Option<Time>,
    /// Where it stands.
    #[n(8)]
    pub status: FreezeStatus,
    /// When it was placed.
    #[n(9)]
    pub placed_at: Time,
}

impl Freeze {
    /// What is still frozen.
    #[must_use]
    pub fn frozen(&self) -> Minor {
        match self.status {
            FreezeStatus::InForce => self.amount.saturating_sub(self.released),
            FreezeStatus::Released | FreezeStatus::Expired => 0,
        }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            FreezeStatus::InForce => &["release"],
            FreezeStatus::Released | FreezeStatus::Expired => &[],
        }
    }
}

/// Freezes an amount on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceFreeze {
    /// The account.
    pub account: AccountId,
    /// Minor units above zero; it may be more than there is.
    pub amount: Minor,
    /// Must be the account's.
    pub currency: Currency,
    /// Why.
    pub reason: String,
    /// Who orders it.
    pub authority: String,
    /// The number of the authority's document.
    pub document: String,
    /// When it ends by itself; later than now.
    pub expires_at: Option<Time>,
}

/// Releases a freeze.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReleaseFreeze {
    /// The freeze.
    #[n(0)]
    pub freeze: FreezeId,
    /// Who orders the release: the authority that froze.
    #[n(1)]
    pub authority: String,
    /// All that is still frozen if none.
    #[n(2)]
    pub amount: Option<Minor>,
}

/// Places a freeze.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed` for the institution's own,
/// `currency_mismatch`, `amount_overflow`, `value_invalid` for an empty text or an expiry that has passed.
pub fn decide_place(draft: &mut Draft<'_>, command: PlaceFreeze) -> Result<Reply, Refusal> {
    let now = draft.context.now;
    let amount = positive(command.amount, "amount")?;
    let account = draft.state.open_account(command.account, "account")?;
    if account.owner == Owner::Institution {
        let message = format!("{} is the institution's own account and cannot be frozen", account.id);
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.currency != command.currency {
        let message = format!("{} is kept in {}", account.id, account.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    add(account.frozen, amount, "amount")?;
    for (text, param) in
        [(&command.reason, "reason"), (&command.authority, "authority"), (&command.document, "document")]
    {
        if text.trim().is_empty() || text.len() > MAX_TEXT {
            let message = format!("{param} has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    if command.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", "the expiry has passed; name a later time"));
    }
    let PlaceFreeze { account, reason, authority, document, expires_at, .. } = command;
    let id = FreezeId(draft.state.freezes.next_id());
    let (released, status) = (0, FreezeStatus::InForce);
    draft.emit(Event::FreezePlaced(Freeze {
        id,
        account,
        amount,
        released,
        reason,
        authority,
        document,
        expires_at,
        status,
        placed_at: now,
    }));
    payout::cancel_unsent(draft, account, CancelReason::Frozen);
    Ok(Reply::Freeze(id))
}

/// Releases all or part of a freeze.
///
/// # Errors
/// `freeze_unknown`, `freeze_state`, `authority_mismatch`, `amount_not_positive`, `value_invalid` for more than is
/// still frozen.
pub fn decide_release(draft: &mut Draft<'_>, command: &ReleaseFreeze) -> Result<Reply, Refusal> {
    let freeze = draft.state.freeze(command.freeze)?;
    let id = freeze.id;
    if freeze.status != FreezeStatus::InForce {
        let message = format!("{id} is {}; only a freeze in force can be released", freeze.status.name());
        return Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    }
    if freeze.authority != command.authority {
        let message = format!("{id} was ordered by '{}'; only that authority releases it", freeze.authority);
        return Err(Refusal::new(RefusalCode::AuthorityMismatch, "authority", message));
    }
    let amount = positive(command.amount.unwrap_or(freeze.frozen()), "amount")?;
    if amount > freeze.frozen() {
        let message = format!("{id} still freezes {} and {amount} were to be released", freeze.frozen());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "amount", message));
    }
    draft.emit(Event::FreezeReleased { freeze: id, amount });
    Ok(Reply::Freeze(id))
}

/// The timer ran out.
pub(crate) fn expire(draft: &mut Draft<'_>, id: FreezeId) {
    if draft.state.freezes.get(id.0).is_some_and(|freeze| freeze.status == FreezeStatus::InForce) {
        draft.emit(Event::FreezeExpired(id));
    }
}

impl State {
    /// The freeze.
    ///
    /// # Errors
    /// `freeze_unknown`.
    pub fn freeze(&self, id: FreezeId) -> Result<&Freeze, Refusal> {
        let unknown = || Refusal::new(RefusalCode::FreezeUnknown, "freeze", format!("there is no freeze {id}"));
        self.freezes.get(id.0).ok_or_else(unknown)
    }
}

/// A freeze was placed.
pub(crate) fn apply_placed(state: &mut State, freeze: &Freeze) {
    state.account_row(freeze.account).frozen += freeze.amount;
    if let Some(at) = freeze.expires_at {
        state.timers.insert((at, Timer::Freeze(freeze.id)), ());
    }
    state.freezes.insert(freeze.id.0, freeze.clone());
}

/// A freeze was released, all or in part.
pub(crate) fn apply_released(state: &mut State, id: FreezeId, amount: Minor) {
    let freeze = state.freezes.get_mut(id.0).expect("decide checked the freeze");
    freeze.released += amount;
    let (account, rest) = (freeze.account, freeze.frozen());
    state.account_row(account).frozen -= amount;
    if rest == 0 {
        end(state, id, FreezeStatus::Released);
    }
}

/// A freeze's time ran out.
pub(crate) fn apply_expired(state: &mut State, id: FreezeId) {
    let freeze = state.freezes.get(id.0).expect("decide checked the freeze");
    let (account, rest) = (freeze.account, freeze.frozen());
    state.account_row(account).frozen -= rest;
    end(state, id, FreezeStatus::Expired);
}

fn end(state: &mut State, id: FreezeId, status: FreezeStatus) {
    let freeze = state.freezes.get_mut(id.0).expect("decide checked the freeze");
    freeze.status = status;
    if let Some(at) = freeze.expires_at {
        state.timers.remove(&(at, Timer::Freeze(id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::book::Subject;
    use crate::command::Command;
    use crate::testkit::Kit;
    use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
    use alloc::string::ToString;
    use alloc::vec;

    fn world(balance: Minor) -> (Kit, AccountId) {
        let mut kit = Kit::new();
        let user = kit.user();
        let account = kit.account(Subject::Personal, Owner::User(user));
        if balance > 0 {
            kit.fund(account, balance);
        }
        (kit, account)
    }

    fn court(account: AccountId, amount: Minor) -> PlaceFreeze {
        PlaceFreeze {
            account,
            amount,
            currency: Currency::Cny,
            reason: "case 7".to_string(),
            authority: "district court".to_string(),
            document: "2026-0001".to_string(),
            expires_at: None,
        }
    }

    #[track_caller]
    fn place(kit: &mut Kit, command: PlaceFreeze) -> FreezeId {
        let Reply::Freeze(id) = kit.given(Command::PlaceFreeze(command)) else { panic!("a freeze was placed") };
        id
    }

    fn release(freeze: FreezeId, amount: Option<Minor>) -> Command {
        Command::ReleaseFreeze(ReleaseFreeze { freeze, authority: "district court".to_string(), amount })
    }

    fn pay_out(kit: &Kit, account: AccountId, amount: Minor) -> Command {
        let to = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
        Command::PostVoucher(PostVoucher {
            business: BusinessNumber::Text("out".into()),
            event: EventCode::Transfer,
            date: None,
            entries: vec![Entry::debit(account, amount, Currency::Cny), Entry::credit(to, amount, Currency::Cny)],
            dimensions: None,
        })
    }

    fn row(kit: &Kit, account: AccountId) -> &Account {
        kit.state.account(account, "account").unwrap()
    }

    #[test]
    fn a_freeze_bites_on_what_is_there_and_on_what_arrives() {
        let (mut kit, account) = world(300);
        place(&mut kit, court(account, 200));
        place(&mut kit, court(account, 500));
        // (arrives, balance, effective, available)
        for (arrives, balance, effective, available) in [(0, 300, 300, 0), (250, 550, 550, 0), (250, 800, 700, 100)] {
            if arrives > 0 {
                kit.fund(account, arrives);
            }
            let row = row(&kit, account);
            assert_eq!((row.balance, row.effective_frozen(), row.available()), (balance, effective, available));
        }
        let too_much = pay_out(&kit, account, 101);
        kit.refused(too_much, RefusalCode::InsufficientFunds);
        let free = pay_out(&kit, account, 100);
        kit.given(free);
        assert_eq!(row(&kit, account).available(), 0);
    }

    #[test]
    fn placing_and_releasing_write_no_voucher() {
        let (mut kit, account) = world(300);
        let before = row(&kit, account).entries;
        let id = place(&mut kit, court(account, 200));
        kit.given(release(id, None));
        assert_eq!((row(&kit, account).entries, row(&kit, account).frozen), (before, 0));
    }

    #[test]
    fn parts_are_released_by_the_same_authority_until_nothing_is_left() {
        let (mut kit, account) = world(300);
        let id = place(&mut kit, court(account, 200));
        kit.given(release(id, Some(150)));
        assert_eq!((kit.state.freeze(id).unwrap().frozen(), row(&kit, account).available()), (50, 250));
        kit.refused(release(id, Some(51)), RefusalCode::ValueInvalid);
        kit.refused(release(id, Some(0)), RefusalCode::AmountNotPositive);
        let other = ReleaseFreeze { freeze: id, authority: "tax office".to_string(), amount: None };
        kit.refused(Command::ReleaseFreeze(other), RefusalCode::AuthorityMismatch);
        kit.given(release(id, None));
        assert_eq!(kit.state.freeze(id).unwrap().status, FreezeStatus::Released);
        kit.refused(release(id, None), RefusalCode::FreezeState);
        kit.refused(release(FreezeId(9), None), RefusalCode::FreezeUnknown);
    }

    #[test]
    fn a_freeze_ends_at_its_expiry_and_not_before() {
        let (mut kit, account) = world(300);
        let expires_at = Some(kit.now.plus_ms(1_000));
        let id = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 200) });
        let released = place(&mut kit, PlaceFreeze { expires_at, ..court(account, 10) });
        kit.given(release(released, None));
        kit.later(999);
        kit.given(Command::Tick);
        assert_eq!(row(&kit, account).frozen, 200);
        kit.later(1);
        kit.given(Command::Tick);
        assert_eq!((row(&kit, account).frozen, row(&kit, account).available()), (0, 300));
        assert_eq!(kit.state.freeze(id).unwrap().status, FreezeStatus::Expired);
        assert_eq!(kit.state.freeze(released).unwrap().status, FreezeStatus::Released);
        kit.refused(release(id, None), RefusalCode::FreezeState);
    }

    #[test]
    fn a_frozen_account_does_not_close() {
        let (mut kit, account) = world(0);
        place(&mut kit, court(account, 200));
        kit.refused(Command::CloseAccount(account), RefusalCode::AccountNotEmpty);
    }

    #[test]
    fn bad_input_is_refused() {
        let (mut kit, account) = world(300);
        place(&mut kit, court(account, Minor::MAX - 1));
        let own = kit.state.institution(Subject::DueToOwn, Currency::Cny).unwrap();
        let now = kit.now;
        let table = [
            (court(account, 0), RefusalCode::AmountNotPositive),
            (court(account, 2), RefusalCode::AmountOverflow),
            (court(AccountId(999), 1), RefusalCode::AccountUnknown),
            (court(own, 1), RefusalCode::SubjectNotAllowed),
            (PlaceFreeze { currency: Currency::Usd, ..court(account, 1) }, RefusalCode::CurrencyMismatch),
            (PlaceFreeze { reason: String::new(), ..court(account, 1) }, RefusalCode::ValueInvalid),
            (PlaceFreeze { authority: " ".to_string(), ..court(account, 1) }, RefusalCode::ValueInvalid),
            (PlaceFreeze { document: "x".repeat(257), ..court(account, 1) }, RefusalCode::ValueInvalid),
            (PlaceFreeze { expires_at: Some(now), ..court(account, 1) }, RefusalCode::ValueInvalid),
        ];
        for (command, code) in table {
            kit.refused(Command::PlaceFreeze(command), code);
        }
    }
}
