//! Transfers between the institution's own money and the reserve. An operator instructs the bank; only the statement's line
//! books the money.
//!
//! ```text
//!  instruct (two people) ─► OPEN ─ its line on the reserve account's statement ─► DONE
//!                             └ cancel: the bank did not carry it out ─► CANCELLED
//! ```
//! | kind | 1101 | while open | on the line |
//! |---|---|---|---|
//! | income sweep (自有收入划出) | out | a hold on 2291 | Dr 2291 / Cr 1101 · OWN Dr 1103 / Cr 1291 |
//! | injection (垫资注入) | in | a hold on 1103 | Dr 1101 / Cr 2291 · OWN Dr 1291 / Cr 1103 |
//! | repayment of an advance | out | the advance names it | Dr 2292 / Cr 1101 · OWN Dr 1103 / Cr 1151 |
//!
//! What is held cannot be spent a second time, so 2291 and 1103 are never overdrawn by a line. A break of the day's checks
//! bars sweeps and repayments; an injection, which mends, is not barred, and a line of what was instructed before is booked.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::book::Subject;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::hold::{self, PlaceHold};
use crate::ids::{AccountId, AdvanceId, HoldId, OwnTransferId, ReserveLineId, VoucherId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::reserve_line::{LineDirection, LineTarget};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};
use crate::{advance, approval};

#[cfg(test)]
mod tests;

/// Its hold does not expire: it ends with the transfer.
const NEVER: Time = Time(i64::MAX);

/// Why money moves between own money and reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum TransferKind {
    /// The institution's own income leaves the reserve.
    #[n(0)]
    IncomeSweep,
    /// Own money comes into the reserve to cover a shortfall.
    #[n(1)]
    Injection,
    /// The reserve pays an advance back.
    #[n(2)]
    Repayment(#[n(0)] AdvanceId),
}

impl TransferKind {
    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IncomeSweep => "income_sweep",
            Self::Injection => "injection",
            Self::Repayment(_) => "repayment",
        }
    }

    /// Which way the reserve account moves.
    #[must_use]
    pub const fn direction(self) -> LineDirection {
        match self {
            Self::IncomeSweep | Self::Repayment(_) => LineDirection::Out,
            Self::Injection => LineDirection::In,
        }
    }
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OwnTransferStatus {
    /// The bank was told; its line has not come.
    #[n(0)]
    Open,
    /// Its line came and was booked.
    #[n(1)]
    Done,
    /// It was not carried out.
    #[n(2)]
    Cancelled,
}

impl OwnTransferStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Cancelled];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A transfer between own money and reserve.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OwnTransfer {
    /// Its id.
    #[n(0)]
    pub id: OwnTransferId,
    /// Why.
    #[n(1)]
    pub kind: TransferKind,
    /// Minor units.
    #[n(2)]
    pub amount: Minor,
    /// Its currency.
    #[n(3)]
    pub currency: Currency,
    /// Where it stands.
    #[n(4)]
    pub status: OwnTransferStatus,
    /// What is held while it is open.
    #[n(5)]
    pub hold: Option<HoldId>,
    /// When it was instructed.
    #[n(6)]
    pub instructed_at: Time,
    /// Who instructed it.
    #[n(7)]
    pub operator: String,
    /// Who approved it.
    #[n(8)]
    pub approver: Option<String>,
    /// When it ended.
    #[n(9)]
    pub ended_at: Option<Time>,
    /// The line that booked it.
    #[n(10)]
    pub line: Option<ReserveLineId>,
    /// Its voucher.
    #[n(11)]
    pub voucher: Option<VoucherId>,
    /// Who cancelled it.
    #[n(12)]
    pub cancelled_by: Option<String>,
}

impl OwnTransfer {
    /// Its place in the index of what a statement line is awaited for.
    pub(crate) fn awaited(&self) -> Option<(Currency, Minor, LineTarget)> {
        match self.status {
            OwnTransferStatus::Open => {
                let amount = self.kind.direction().signed(self.amount);
                Some((self.currency, amount, LineTarget::Transfer(self.id)))
            }
            OwnTransferStatus::Done | OwnTransferStatus::Cancelled => None,
        }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        match self.status {
            OwnTransferStatus::Open => &["cancel"],
            OwnTransferStatus::Done | OwnTransferStatus::Cancelled => &[],
        }
    }
}

/// An amount to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct InstructTransfer {
    /// Minor units above zero.
    #[n(0)]
    pub amount: Minor,
    /// Its currency.
    #[n(1)]
    pub currency: Currency,
}

/// What is done with transfers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnTransferCommand {
    /// Instruct the bank to pay own income out of the reserve; two people.
    SweepIncome(InstructTransfer),
    /// Instruct the bank to pay own money into the reserve; two people.
    Inject(InstructTransfer),
    /// End a transfer that the bank did not carry out.
    Cancel(OwnTransferId),
}

impl OwnTransferCommand {
    /// Carries out an approved sweep.
    #[must_use]
    pub const fn sweep(of: InstructTransfer) -> Command {
        Command::OwnTransfer(Self::SweepIncome(of))
    }

    /// Carries out an approved injection.
    #[must_use]
    pub const fn injection(of: InstructTransfer) -> Command {
        Command::OwnTransfer(Self::Inject(of))
    }
}

/// What happened to a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OwnTransferEvent {
    /// It was instructed; its hold was placed before.
    #[n(0)]
    Instructed(#[n(0)] OwnTransfer),
    /// Its line came; its hold was confirmed and its voucher posted before.
    #[n(1)]
    Done {
        /// The transfer.
        #[n(0)]
        transfer: OwnTransferId,
        /// The line.
        #[n(1)]
        line: ReserveLineId,
        /// The voucher.
        #[n(2)]
        voucher: VoucherId,
    },
    /// It was cancelled; its hold was let go before.
    #[n(2)]
    Cancelled {
        /// The transfer.
        #[n(0)]
        transfer: OwnTransferId,
        /// Who cancelled it.
        #[n(1)]
        operator: String,
    },
}

/// Instructs or cancels a transfer.
///
/// # Errors
/// `approval_required`, `checks_failed` for a sweep while a day's checks have a break, `amount_not_positive`,
/// `account_unknown` for a currency without books, `insufficient_funds`, `own_transfer_unknown`, `own_transfer_state`.
pub fn decide(draft: &mut Draft<'_>, command: OwnTransferCommand) -> Result<Reply, Refusal> {
    match command {
        OwnTransferCommand::SweepIncome(InstructTransfer { amount, currency }) => {
            approval::require(draft, "an income sweep")?;
            without_break(draft.state, "own income stays in the reserve")?;
            instruct_held(draft, TransferKind::IncomeSweep, Subject::DueToOwn, amount, currency)
        }
        OwnTransferCommand::Inject(InstructTransfer { amount, currency }) => {
            approval::require(draft, "an injection")?;
            instruct_held(draft, TransferKind::Injection, Subject::OwnBank, amount, currency)
        }
        OwnTransferCommand::Cancel(id) => cancel(draft, id),
    }
}

/// Refuses while the checks of a day that is not closed have a break that nobody waived.
pub(crate) fn without_break(state: &State, what: &str) -> Result<(), Refusal> {
    if !state.has_break() {
        return Ok(());
    }
    let message = format!("the checks of a day that is not closed have a break: {what} until it is mended or waived");
    Err(Refusal::new(RefusalCode::ChecksFailed, "day", message))
}

fn instruct_held(
    draft: &mut Draft<'_>,
    kind: TransferKind,
    from: Subject,
    amount: Minor,
    currency: Currency,
) -> Result<Reply, Refusal> {
    let account = draft.state.institution(from, currency)?;
    let hold = hold::place(draft, &PlaceHold { account, amount, currency, expires_at: NEVER }, None)?;
    Ok(Reply::OwnTransfer(instruct(draft, kind, amount, currency, Some(hold))))
}

/// Instructs the repayment of an advance, whose rules the caller has checked.
pub(crate) fn instruct_repayment(
    draft: &mut Draft<'_>,
    advance: AdvanceId,
    amount: Minor,
    currency: Currency,
) -> Reply {
    Reply::OwnTransfer(instruct(draft, TransferKind::Repayment(advance), amount, currency, None))
}

fn instruct(
    draft: &mut Draft<'_>,
    kind: TransferKind,
    amount: Minor,
    currency: Currency,
    hold: Option<HoldId>,
) -> OwnTransferId {
    let id = OwnTransferId(draft.state.own_transfers.next_id());
    let (operator, approver) = (draft.operator(), draft.approver());
    draft.emit(Event::OwnTransfer(OwnTransferEvent::Instructed(OwnTransfer {
        id,
        kind,
        amount,
        currency,
        status: OwnTransferStatus::Open,
        hold,
        instructed_at: draft.context.now,
        operator,
        approver,
        ended_at: None,
        line: None,
        voucher: None,
        cancelled_by: None,
    })));
    id
}

fn cancel(draft: &mut Draft<'_>, id: OwnTransferId) -> Result<Reply, Refusal> {
    let transfer = draft.state.own_transfer(id)?;
    if transfer.status != OwnTransferStatus::Open {
        let message = format!("{id} is {}; only an open transfer can be cancelled", transfer.status.name());
        return Err(Refusal::new(RefusalCode::OwnTransferState, "transfer", message));
    }
    if let Some(hold) = transfer.hold {
        draft.emit(Event::HoldCancelled(hold));
    }
    let operator = draft.operator();
    draft.emit(Event::OwnTransfer(OwnTransferEvent::Cancelled { transfer: id, operator }));
    Ok(Reply::OwnTransfer(id))
}

/// The line that an open transfer awaits came: books it.
///
/// # Errors
/// Those of the voucher: `insufficient_funds` if more leaves than 1101 holds.
pub(crate) fn line_came(draft: &mut Draft<'_>, id: OwnTransferId, line: ReserveLineId) -> Result<VoucherId, Refusal> {
    let transfer = draft.state.own_transfer(id)?.clone();
    if let Some(hold) = transfer.hold {
        hold::confirm(draft, hold, transfer.amount)?;
    }
    let (code, entries) = entries(draft.state, &transfer)?;
    let business = BusinessNumber::object(BusinessKind::OwnTransfer, id.0);
    let voucher = draft.post(business, code, entries, Dimensions::default())?;
    draft.emit(Event::OwnTransfer(OwnTransferEvent::Done { transfer: id, line, voucher }));
    Ok(voucher)
}

/// The entries of the table above, of one voucher over two books.
fn entries(state: &State, transfer: &OwnTransfer) -> Result<(EventCode, Vec<Entry>), Refusal> {
    let OwnTransfer { amount, currency, .. } = *transfer;
    let own = |subject| state.institution(subject, currency);
    let (bank, money) = (own(Subject::CentralBank)?, own(Subject::OwnBank)?);
    let leave = |due: AccountId, claim: AccountId| {
        vec![
            Entry::debit(due, amount, currency),
            Entry::credit(bank, amount, currency),
            Entry::debit(money, amount, currency),
            Entry::credit(claim, amount, currency),
        ]
    };
    Ok(match transfer.kind {
        TransferKind::IncomeSweep => {
            (EventCode::IncomeSwept, leave(own(Subject::DueToOwn)?, own(Subject::DueFromReserve)?))
        }
        TransferKind::Repayment(_) => {
            (EventCode::AdvanceRepaid, leave(own(Subject::OwnClaims)?, own(Subject::Advances)?))
        }
        TransferKind::Injection => {
            let entries = vec![
                Entry::debit(bank, amount, currency),
                Entry::credit(own(Subject::DueToOwn)?, amount, currency),
                Entry::debit(own(Subject::DueFromReserve)?, amount, currency),
                Entry::credit(money, amount, currency),
            ];
            (EventCode::ShortfallInjected, entries)
        }
    })
}

impl State {
    /// The transfer.
    ///
    /// # Errors
    /// `own_transfer_unknown`.
    pub fn own_transfer(&self, id: OwnTransferId) -> Result<&OwnTransfer, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::OwnTransferUnknown, "transfer", format!("there is no transfer {id}"));
        self.own_transfers.get(id.0).ok_or_else(unknown)
    }
}

/// Folds what happened to a transfer into the state.
pub(crate) fn apply(state: &mut State, event: &OwnTransferEvent) {
    match event {
        OwnTransferEvent::Instructed(transfer) => {
            if let Some(key) = transfer.awaited() {
                state.awaited_lines.insert(key, ());
            }
            if let Some(hold) = transfer.hold {
                state.transfer_holds.insert(hold, transfer.id);
            }
            if let TransferKind::Repayment(id) = transfer.kind {
                advance::apply_repayment(state, id, Some(transfer.id));
            }
            state.own_transfers.insert(transfer.id.0, transfer.clone());
        }
        OwnTransferEvent::Done { transfer, line, voucher } => {
            let transfer = end(state, *transfer, OwnTransferStatus::Done);
            transfer.line = Some(*line);
            transfer.voucher = Some(*voucher);
            if let TransferKind::Repayment(id) = transfer.kind {
                advance::apply_repaid(state, id);
            }
        }
        OwnTransferEvent::Cancelled { transfer, operator } => {
            let transfer = end(state, *transfer, OwnTransferStatus::Cancelled);
            transfer.cancelled_by = Some(operator.clone());
            if let TransferKind::Repayment(id) = transfer.kind {
                advance::apply_repayment(state, id, None);
            }
        }
    }
}

fn end(state: &mut State, id: OwnTransferId, status: OwnTransferStatus) -> &mut OwnTransfer {
    let now = state.now;
    let transfer = state.own_transfers.get_mut(id.0).expect("decide checked the transfer");
    if let Some(key) = transfer.awaited() {
        state.awaited_lines.remove(&key);
    }
    if let Some(hold) = transfer.hold {
        state.transfer_holds.remove(&hold);
    }
    transfer.status = status;
    transfer.ended_at = Some(now);
    transfer
}
