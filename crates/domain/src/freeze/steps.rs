//! The steps of a freeze: place, renew, release, and what the timer does.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::{
    Change, DeductFreeze, EMERGENCY_MS, Freeze, FreezeKind, FreezeScope, FreezeStatus, Measure, SourceEntry, change,
    deduction, group, in_scope, signed,
};
use crate::account::Owner;
use crate::approval;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, FreezeId};
use crate::money::{Currency, Minor, add, positive};
use crate::payout::{self, CancelReason};
use crate::refusal::{Refusal, RefusalCode};
use crate::restriction::Restriction;
use crate::state::State;
use crate::voucher::MAX_ENTRIES;

/// The most bytes of a reason, an authority's name or a document number.
const MAX_TEXT: usize = 256;
/// The most that freezes of one account or customer may add up to: half the range, so that a deduction that comes back
/// always finds room.
const MAX_FROZEN: Minor = Minor::MAX / 2;

/// What of freezes is neither placing nor releasing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeCommand {
    /// Let one end later.
    Renew(RenewFreeze),
    /// Deduct frozen money for its authority.
    Deduct(DeductFreeze),
    /// Freeze an account and every account below it.
    PlaceDownTheTree(PlaceFreeze),
}

/// Freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceFreeze {
    /// What.
    pub scope: FreezeScope,
    /// How.
    pub measure: Measure,
    /// Why.
    pub reason: String,
    /// Who orders it.
    pub authority: String,
    /// The number of the authority's document.
    pub document: String,
    /// The entry it is ordered for.
    pub source: Option<SourceEntry>,
    /// Smaller is served first; then the order of placing.
    pub priority: u16,
    /// When it ends by itself; later than now. None for a stop-payment, which ends after 48 hours.
    pub expires_at: Option<Time>,
}

/// Lets a freeze end later (续冻).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewFreeze {
    /// The freeze.
    pub freeze: FreezeId,
    /// Who orders it: the authority that froze.
    pub authority: String,
    /// The number of the document that orders it.
    pub document: String,
    /// When it ends then; later than it would.
    pub expires_at: Time,
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
    /// All that is still frozen if none; none for a freeze that is not precise.
    #[n(2)]
    pub amount: Option<Minor>,
    /// The number of the document that orders it.
    #[n(3)]
    pub document: String,
    /// Whether all in force that was placed down a tree with it goes too; no amount then.
    #[n(4)]
    #[cbor(default)]
    pub group: bool,
}

/// Decides what is neither placing nor releasing.
///
/// # Errors
/// Those of the step.
pub fn decide(draft: &mut Draft<'_>, command: FreezeCommand) -> Result<Reply, Refusal> {
    match command {
        FreezeCommand::Renew(command) => decide_renew(draft, command),
        FreezeCommand::Deduct(command) => deduction::decide_deduct(draft, command),
        FreezeCommand::PlaceDownTheTree(command) => group::place(draft, &command).map(Reply::Freeze),
    }
}

/// Places a freeze.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `customer_unknown`, `subject_not_allowed` for the
/// institution's own, `currency_mismatch`, `amount_overflow`, `stop_payment_repeated`, `value_invalid` for an empty text, an
/// expiry that has passed, a whole freeze that bars nothing, a source entry that cannot be.
pub fn place(draft: &mut Draft<'_>, command: PlaceFreeze) -> Result<FreezeId, Refusal> {
    place_in(draft, command, None)
}

/// Places a freeze, by itself or in a group.
pub(super) fn place_in(
    draft: &mut Draft<'_>,
    command: PlaceFreeze,
    group: Option<FreezeId>,
) -> Result<FreezeId, Refusal> {
    let frozen = check_scope(draft.state, &command)?;
    check_texts(&[(&command.reason, "reason"), (&command.authority, "authority"), (&command.document, "document")])?;
    check_source(draft.state, command.source)?;
    let expires_at = expiry(draft, &command)?;
    let id = FreezeId(draft.state.freezes.next_id());
    let PlaceFreeze { scope, measure, reason, authority, document, source, priority, .. } = command;
    let (kind, bars) = match measure {
        Measure::Amount { .. } => (FreezeKind::Precise, Restriction::default()),
        Measure::Whole(bars) => (FreezeKind::Whole, bars),
        Measure::StopPayment => (FreezeKind::StopPayment, Restriction { in_barred: false, out_barred: true }),
    };
    let (account, customer) = match scope {
        FreezeScope::Account(account) => (Some(account), None),
        FreezeScope::Customer(customer) => (None, Some(customer)),
    };
    let followed = followed(draft.state, scope, kind, bars, &authority);
    let changes = alloc::vec![signed(draft, Change::Placed, Some(document.clone()))];
    draft.emit(Event::FreezePlaced(Freeze {
        id,
        account,
        amount: frozen.map_or(0, |(amount, _)| amount),
        released: 0,
        reason,
        authority,
        document: document.clone(),
        expires_at,
        status: FreezeStatus::InForce,
        placed_at: draft.context.now,
        customer,
        kind,
        bars,
        currency: frozen.map(|(_, currency)| currency),
        source,
        priority,
        deducted: 0,
        expired: 0,
        followed_by: None,
        changes,
        group,
    }));
    for stop in followed {
        change(draft, stop, Change::Followed { by: id }, Some(document.clone()));
    }
    if kind == FreezeKind::Precise || bars.out_barred {
        for account in draft.state.accounts_in(scope) {
            payout::cancel_unsent(draft, account, CancelReason::Frozen);
        }
    }
    Ok(id)
}

/// What a precise freeze freezes; refuses a scope that this measure cannot lie on.
fn check_scope(state: &State, command: &PlaceFreeze) -> Result<Option<(Minor, Currency)>, Refusal> {
    let wanted = match command.measure {
        Measure::Amount { amount, currency } => Some((positive(amount, "amount")?, currency)),
        Measure::Whole(bars) => {
            if bars == Restriction::default() {
                let message = "a whole freeze bars the way in, the way out or both; this one bars neither";
                return Err(Refusal::new(RefusalCode::ValueInvalid, "bars", message));
            }
            None
        }
        Measure::StopPayment => None,
    };
    let standing = match command.scope {
        FreezeScope::Account(id) => {
            let account = state.open_account(id, "account")?;
            if account.owner == Owner::Institution {
                let message = format!("{id} is the institution's own account and cannot be frozen");
                return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
            }
            if wanted.is_some_and(|(_, currency)| currency != account.currency) {
                let message = format!("{id} is kept in {}", account.currency.code());
                return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
            }
            account.rare.frozen
        }
        FreezeScope::Customer(id) => {
            state.customer(id)?;
            let key = wanted.map(|(_, currency)| (id, currency));
            key.and_then(|key| state.customer_frozen.get(&key)).copied().unwrap_or_default()
        }
    };
    if let Some((amount, _)) = wanted
        && add(standing, amount, "amount")? > MAX_FROZEN
    {
        let message = format!("{standing} is frozen already; freezes add up to at most {MAX_FROZEN}");
        return Err(Refusal::new(RefusalCode::AmountOverflow, "amount", message));
    }
    Ok(wanted)
}

/// Refuses texts that say nothing or too much.
pub(super) fn check_texts(texts: &[(&String, &'static str)]) -> Result<(), Refusal> {
    for (text, param) in texts {
        if text.trim().is_empty() || text.len() > MAX_TEXT {
            let message = format!("{param} has {} bytes; use 1 to {MAX_TEXT}, not only blanks", text.len());
            return Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
        }
    }
    Ok(())
}

/// A source entry must be one that can have been posted: vouchers are not in memory, so that it was is not known here.
fn check_source(state: &State, source: Option<SourceEntry>) -> Result<(), Refusal> {
    let Some(SourceEntry { voucher, place }) = source else { return Ok(()) };
    let posted = (1..=state.position).contains(&voucher.0);
    let in_it = usize::try_from(place).is_ok_and(|place| (1..=MAX_ENTRIES).contains(&place));
    if posted && in_it {
        return Ok(());
    }
    let message = format!(
        "entry {place} of {voucher} is none; name a voucher up to vch_{} and a place from 1 to {MAX_ENTRIES}",
        state.position
    );
    Err(Refusal::new(RefusalCode::ValueInvalid, "source", message))
}

fn expiry(draft: &Draft<'_>, command: &PlaceFreeze) -> Result<Option<Time>, Refusal> {
    let now = draft.context.now;
    match command.measure {
        Measure::Amount { .. } | Measure::Whole(_) => {
            if command.expires_at.is_some_and(|at| at <= now) {
                let message = "the expiry has passed; name a later time";
                return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", message));
            }
            Ok(command.expires_at)
        }
        Measure::StopPayment => {
            if command.expires_at.is_some() {
                let message = "a stop-payment ends after 48 hours; leave the expiry out, or place a freeze";
                return Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", message));
            }
            let key = (command.scope, command.authority.clone());
            if let Some(earlier) = draft.state.stop_payments.get(&key) {
                let message = format!("'{}' has had {earlier} here; a freeze must follow, not another stop", key.1);
                return Err(Refusal::new(RefusalCode::StopPaymentRepeated, "authority", message));
            }
            Ok(Some(now.plus_ms(EMERGENCY_MS)))
        }
    }
}

/// The stop-payments of the same authority that a new freeze follows: those whose scope it covers, unless it leaves the way
/// out open.
fn followed(state: &State, scope: FreezeScope, kind: FreezeKind, bars: Restriction, authority: &str) -> Vec<FreezeId> {
    let covers = match kind {
        FreezeKind::Precise => true,
        FreezeKind::Whole => bars.out_barred,
        FreezeKind::StopPayment => false,
    };
    if !covers || state.stop_payments.is_empty() {
        return Vec::new();
    }
    let accounts = match scope {
        FreezeScope::Account(_) => Vec::new(),
        FreezeScope::Customer(_) => state.accounts_in(scope),
    };
    let scopes = core::iter::once(scope).chain(accounts.into_iter().map(FreezeScope::Account));
    scopes.filter_map(|scope| state.stop_payments.get(&(scope, String::from(authority))).copied()).collect()
}

/// A freeze in force that this authority may change.
pub(super) fn ordered<'s>(state: &'s State, id: FreezeId, authority: &str) -> Result<&'s Freeze, Refusal> {
    let freeze = state.freeze(id)?;
    if freeze.status != FreezeStatus::InForce {
        let message = format!("{id} is {}; only a freeze in force can change", freeze.status.name());
        return Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    }
    if freeze.authority != authority {
        let message = format!("{id} was ordered by '{}'; only that authority may change it", freeze.authority);
        return Err(Refusal::new(RefusalCode::AuthorityMismatch, "authority", message));
    }
    Ok(freeze)
}

/// Refuses a freeze whose time has run out, though the timer has not come to it yet.
pub(super) fn not_past(freeze: &Freeze, now: Time) -> Result<(), Refusal> {
    if freeze.expires_at.is_some_and(|at| at <= now) {
        let message = format!("{} has expired; what follows it in the queue bites now", freeze.id);
        return Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    }
    Ok(())
}

fn decide_renew(draft: &mut Draft<'_>, command: RenewFreeze) -> Result<Reply, Refusal> {
    let RenewFreeze { freeze: id, authority, document, expires_at } = command;
    let freeze = ordered(draft.state, id, &authority)?;
    check_texts(&[(&document, "document")])?;
    not_past(freeze, draft.context.now)?;
    let refused = |message: String| Err(Refusal::new(RefusalCode::FreezeState, "freeze", message));
    match (freeze.kind, freeze.expires_at) {
        (FreezeKind::StopPayment, _) => refused(format!("{id} is a stop-payment; place a freeze, which takes it over")),
        (FreezeKind::Precise | FreezeKind::Whole, None) => refused(format!("{id} has no expiry; nothing is to renew")),
        (FreezeKind::Precise | FreezeKind::Whole, Some(at)) if expires_at <= at => {
            let message = format!("{id} ends no earlier without the renewal; name a later expiry");
            Err(Refusal::new(RefusalCode::ValueInvalid, "expires_at", message))
        }
        (FreezeKind::Precise | FreezeKind::Whole, Some(_)) => {
            change(draft, id, Change::Renewed { expires_at }, Some(document));
            Ok(Reply::Freeze(id))
        }
    }
}

/// Releases all or part of a freeze. It takes two people.
///
/// # Errors
/// `approval_required`, `freeze_unknown`, `freeze_state`, `authority_mismatch`, `amount_not_positive`, `value_invalid` for
/// more than is still frozen, a part of a whole freeze, a part or none of a group, or an empty document.
pub fn decide_release(draft: &mut Draft<'_>, command: &ReleaseFreeze) -> Result<Reply, Refusal> {
    approval::require(draft, "releasing a freeze")?;
    if command.group {
        return group::release(draft, command).map(Reply::Freeze);
    }
    let freeze = ordered(draft.state, command.freeze, &command.authority)?;
    let id = freeze.id;
    check_texts(&[(&command.document, "document")])?;
    let amount = match (freeze.kind, command.amount) {
        (FreezeKind::Precise, amount) => positive(amount.unwrap_or(freeze.frozen()), "amount")?,
        (FreezeKind::Whole | FreezeKind::StopPayment, None) => 0,
        (FreezeKind::Whole | FreezeKind::StopPayment, Some(_)) => {
            let message = format!("{id} freezes no amount; leave it out to release the whole");
            return Err(Refusal::new(RefusalCode::ValueInvalid, "amount", message));
        }
    };
    if amount > freeze.frozen() {
        let message = format!("{id} still freezes {} and {amount} were to be released", freeze.frozen());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "amount", message));
    }
    change(draft, id, Change::Released { amount }, Some(command.document.clone()));
    Ok(Reply::Freeze(id))
}

/// The timer ran out.
pub(crate) fn expire(draft: &mut Draft<'_>, id: FreezeId) {
    let Some(freeze) = draft.state.freezes.get(id.0).filter(|freeze| freeze.status == FreezeStatus::InForce) else {
        return;
    };
    let what = match freeze.kind {
        FreezeKind::Precise | FreezeKind::Whole => Change::Expired,
        FreezeKind::StopPayment => Change::Lapsed,
    };
    change(draft, id, what, None);
}

/// The account of a freeze that a deduction takes from.
pub(super) fn account_of(state: &State, freeze: &Freeze, named: Option<AccountId>) -> Result<AccountId, Refusal> {
    let refused = |right: String| {
        let message = format!("{} {right}", freeze.id);
        Err(Refusal::new(RefusalCode::ValueInvalid, "account", message))
    };
    match (freeze.scope(), named) {
        (FreezeScope::Account(account), None) => Ok(account),
        (FreezeScope::Account(account), Some(named)) if account == named => Ok(account),
        (FreezeScope::Account(account), Some(_)) => refused(format!("lies on {account}; name that or none")),
        (FreezeScope::Customer(customer), None) => {
            refused(format!("lies on {customer}; name the account to deduct from"))
        }
        (FreezeScope::Customer(customer), Some(named)) => {
            let account = state.open_account(named, "account")?;
            let its_own = in_scope(account) && state.customer_of(account.owner) == Some(customer);
            if its_own {
                Ok(named)
            } else {
                refused(format!("does not reach {named}; name one of {customer} in 2201–2206"))
            }
        }
    }
}
