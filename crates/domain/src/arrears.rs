//! Arrears (商户欠款): what a merchant owes because own money paid in its place.
//!
//! ```text
//!  a chargeback or a covered refund that the merchant lacks money for ─► OPEN, Dr 2291 in its voucher · OWN Dr 1152 / Cr 1291
//!    OPEN ─ collect: at each settlement of the merchant, or by command ─► Dr 2203 / Cr 2291 · OWN Dr 1291 / Cr 1152
//!         ├ the chargeback is won, or the refund fails ─► taken back in that voucher
//!         └ nothing is left ─► SETTLED
//! ```
//! Invariant: 1152 = Σ left. Own money pays only what 2291 has, so a shortfall is injected first. Held and frozen money of
//! 2203 is not collected, and of a barred account nothing is.

use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::account::{Account, AccountStatus};
use crate::approval;
use crate::book::Subject;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, ArrearsId, ChargebackId, MerchantId, RefundId, VoucherId};
use crate::money::{Currency, Minor};
use crate::refund::{self, CreateRefund};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// What own money paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum ArrearsSource {
    /// A chargeback.
    #[n(0)]
    Chargeback(#[n(0)] ChargebackId),
    /// A refund.
    #[n(1)]
    Refund(#[n(0)] RefundId),
}

/// What a merchant owes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Arrears {
    /// Their id.
    #[n(0)]
    pub id: ArrearsId,
    /// Who owes.
    #[n(1)]
    pub merchant: MerchantId,
    /// What for.
    #[n(2)]
    pub source: ArrearsSource,
    /// Minor units at first.
    #[n(3)]
    pub amount: Minor,
    /// Minor units taken from the merchant so far.
    #[n(4)]
    pub collected: Minor,
    /// Minor units that are owed no more, as what they were for was undone.
    #[n(5)]
    pub undone: Minor,
    /// Their currency.
    #[n(6)]
    pub currency: Currency,
    /// When they arose.
    #[n(7)]
    pub opened_at: Time,
    /// When nothing was left.
    #[n(8)]
    pub settled_at: Option<Time>,
    /// How often something was collected.
    #[n(9)]
    pub collections: u32,
}

impl Arrears {
    /// What is still owed.
    #[must_use]
    pub const fn left(&self) -> Minor {
        self.amount.saturating_sub(self.collected).saturating_sub(self.undone)
    }

    /// The name of where they stand in API and files.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.left() > 0 { "open" } else { "settled" }
    }
}

/// What is done about arrears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrearsCommand {
    /// Take what a merchant owes from what it has available.
    Collect(MerchantId),
    /// Give money of a paid order back though its merchant lacks some of it, which becomes arrears; two people.
    CoverRefund(CreateRefund),
}

impl ArrearsCommand {
    /// Carries out an approved refund that own money covers.
    #[must_use]
    pub const fn cover(of: CreateRefund) -> Command {
        Command::Arrears(Self::CoverRefund(of))
    }
}

/// What happened to arrears.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ArrearsEvent {
    /// They arose; the voucher was posted before.
    #[n(0)]
    Opened(#[n(0)] Arrears),
    /// Some of them was taken from the merchant.
    #[n(1)]
    Collected {
        /// The arrears.
        #[n(0)]
        arrears: ArrearsId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
        /// The voucher.
        #[n(2)]
        voucher: VoucherId,
    },
    /// The rest is owed no more: what it was for was undone by a voucher posted before.
    #[n(2)]
    Undone {
        /// The arrears.
        #[n(0)]
        arrears: ArrearsId,
        /// Minor units.
        #[n(1)]
        amount: Minor,
    },
}

/// Collects arrears, or covers a refund.
///
/// # Errors
/// `merchant_unknown`, `arrears_unknown` if the merchant owes nothing, `insufficient_funds` if nothing can be taken now;
/// `approval_required` and those of the refund for a covered one.
pub fn decide(draft: &mut Draft<'_>, command: ArrearsCommand) -> Result<Reply, Refusal> {
    match command {
        ArrearsCommand::Collect(merchant) => decide_collect(draft, merchant),
        ArrearsCommand::CoverRefund(command) => {
            approval::require(draft, "a refund that own money covers")?;
            refund::decide_covered(draft, command)
        }
    }
}

fn decide_collect(draft: &mut Draft<'_>, merchant: MerchantId) -> Result<Reply, Refusal> {
    let account = draft.state.merchant(merchant)?.available;
    if !draft.state.has_arrears(merchant) {
        let message = format!("{merchant} has no open arrears");
        return Err(Refusal::new(RefusalCode::ArrearsUnknown, "merchant", message));
    }
    let reduced = collect(draft, merchant)?;
    if reduced.is_empty() {
        let message = format!("nothing of {account} can be taken now: it is empty, held, frozen or barred");
        return Err(Refusal::new(RefusalCode::InsufficientFunds, "merchant", message));
    }
    let collected = reduced.iter().map(|(_, amount)| amount).sum();
    Ok(Reply::Arrears { arrears: reduced.into_iter().map(|(id, _)| id).collect(), collected })
}

/// Takes what a merchant owes, oldest first, from what its 2203 has: what was taken for which arrears.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn collect(draft: &mut Draft<'_>, merchant: MerchantId) -> Result<Vec<(ArrearsId, Minor)>, Refusal> {
    let account = draft.state.merchant(merchant)?.available;
    let open: Vec<ArrearsId> = draft.state.arrears_of(merchant).map(|arrears| arrears.id).collect();
    let mut reduced = Vec::new();
    for id in open {
        let arrears = draft.state.arrears(id)?.clone();
        let amount = draft.state.usable(account, arrears.currency).min(arrears.left());
        if amount <= 0 {
            break;
        }
        let currency = arrears.currency;
        let own = |subject| draft.state.institution(subject, currency);
        let entries = vec![
            Entry::debit(account, amount, currency),
            Entry::credit(own(Subject::DueToOwn)?, amount, currency),
            Entry::debit(own(Subject::DueFromReserve)?, amount, currency),
            Entry::credit(own(Subject::Arrears)?, amount, currency),
        ];
        let business = BusinessNumber::step(BusinessKind::Arrears, id.0, arrears.collections.saturating_add(1));
        let dimensions = Dimensions { merchant: Some(merchant), ..Dimensions::default() };
        let voucher = draft.post(business, EventCode::ArrearsCollected, entries, dimensions)?;
        draft.emit(Event::Arrears(ArrearsEvent::Collected { arrears: id, amount, voucher }));
        reduced.push((id, amount));
    }
    Ok(reduced)
}

/// Opens arrears whose voucher the caller has posted.
pub(crate) fn open(
    draft: &mut Draft<'_>,
    merchant: MerchantId,
    source: ArrearsSource,
    amount: Minor,
    currency: Currency,
) -> ArrearsId {
    let id = ArrearsId(draft.state.arrears.next_id());
    draft.emit(Event::Arrears(ArrearsEvent::Opened(Arrears {
        id,
        merchant,
        source,
        amount,
        collected: 0,
        undone: 0,
        currency,
        opened_at: draft.context.now,
        settled_at: None,
        collections: 0,
    })));
    id
}

/// What is left of arrears is owed no more; the caller has posted the voucher.
pub(crate) fn undo(draft: &mut Draft<'_>, id: ArrearsId, amount: Minor) {
    if amount > 0 {
        draft.emit(Event::Arrears(ArrearsEvent::Undone { arrears: id, amount }));
    }
}

/// Refuses what own money cannot cover now, naming what must be injected first.
///
/// # Errors
/// `insufficient_funds`.
pub(crate) fn can_cover(state: &State, lack: Minor, currency: Currency) -> Result<(), Refusal> {
    let due = state.institution(Subject::DueToOwn, currency)?;
    let has = state.usable(due, currency);
    if lack <= has {
        return Ok(());
    }
    let message = format!(
        "own money must pay {lack} {} for the merchant and 2291 has {has}; inject {} first",
        currency.code(),
        lack.saturating_sub(has)
    );
    Err(Refusal::new(RefusalCode::InsufficientFunds, "amount", message))
}

impl State {
    /// The arrears.
    ///
    /// # Errors
    /// `arrears_unknown`.
    pub fn arrears(&self, id: ArrearsId) -> Result<&Arrears, Refusal> {
        let unknown = || Refusal::new(RefusalCode::ArrearsUnknown, "arrears", format!("there are no arrears {id}"));
        self.arrears.get(id.0).ok_or_else(unknown)
    }

    /// What a merchant still owes, oldest first.
    pub fn arrears_of(&self, merchant: MerchantId) -> impl Iterator<Item = &Arrears> {
        let all = (merchant, ArrearsId(0))..=(merchant, ArrearsId(u64::MAX));
        self.open_arrears.range(all).filter_map(|((_, id), ())| self.arrears.get(id.0))
    }

    /// Whether a merchant owes anything.
    #[must_use]
    pub fn has_arrears(&self, merchant: MerchantId) -> bool {
        self.arrears_of(merchant).next().is_some()
    }

    /// What may be taken from an account without its owner's word: what is available and not barred.
    pub(crate) fn usable(&self, account: AccountId, currency: Currency) -> Minor {
        let takes = |account: &&Account| {
            account.status == AccountStatus::Open && account.currency == currency && !account.barred().out_barred
        };
        self.accounts.get(account.0).filter(takes).map_or(0, |account| self.available(account).max(0))
    }
}

/// Folds what happened to arrears into the state.
pub(crate) fn apply(state: &mut State, event: &ArrearsEvent) {
    match event {
        ArrearsEvent::Opened(arrears) => {
            state.open_arrears.insert((arrears.merchant, arrears.id), ());
            state.arrears.insert(arrears.id.0, arrears.clone());
        }
        ArrearsEvent::Collected { arrears, amount, .. } => {
            reduce(state, *arrears, |arrears| {
                arrears.collected += amount;
                arrears.collections += 1;
            });
        }
        ArrearsEvent::Undone { arrears, amount } => reduce(state, *arrears, |arrears| arrears.undone += amount),
    }
}

fn reduce(state: &mut State, id: ArrearsId, change: impl FnOnce(&mut Arrears)) {
    let now = state.now;
    let arrears = state.arrears.get_mut(id.0).expect("decide checked the arrears");
    change(arrears);
    if arrears.left() == 0 {
        arrears.settled_at = Some(now);
        let key = (arrears.merchant, id);
        state.open_arrears.remove(&key);
    }
}
