//! Waivers (豁免) of a failed check: two people let a day close in spite of a break, naming it.
//!
//! ```text
//!  sealed at P ─ checks fail ─► not sealed, failed at P ─ waive (day, P, checks) ─► sealed at P again ─ CloseDay at P ─►
//!     every check holds or has a waiver for just this break ─► CLOSED, each waived check with its approval
//!     another break, or another text of it ─► failed at P again
//! ```
//! A waiver is for one run: a new seal or an adjustment leaves it without effect, since the figures are no longer those
//! that two people looked at.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::approval;
use crate::business_day::{self, DayStatus};
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::ApprovalId;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// Waives failed checks of a day.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WaiveChecks {
    /// The day.
    #[n(0)]
    pub date: Date,
    /// The position at which they failed.
    #[n(1)]
    pub position: u64,
    /// Their names, one or more.
    #[n(2)]
    pub checks: Vec<String>,
}

/// What was waived.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WaiverEvent {
    /// Failed checks of a run were waived.
    #[n(0)]
    Waived {
        /// The day.
        #[n(0)]
        date: Date,
        /// The position of the run.
        #[n(1)]
        position: u64,
        /// Their names.
        #[n(2)]
        checks: Vec<String>,
        /// Whose decision it was.
        #[n(3)]
        approval: ApprovalId,
    },
}

/// Waives failed checks of the last run.
///
/// # Errors
/// `approval_required`, `day_not_open`, `day_state` unless the day's last run failed at this position,
/// `waiver_mismatch` for a check that did not fail there or is waived, `value_invalid` for none.
pub fn decide_waive(draft: &mut Draft<'_>, command: WaiveChecks) -> Result<Reply, Refusal> {
    let approval = approval::require(draft, "waiving a failed check")?.id;
    let WaiveChecks { date, position, mut checks } = command;
    let day = draft.state.days.get(date).ok_or_else(|| {
        let message = format!("{date} is not an accounting day of these books");
        Refusal::new(RefusalCode::DayNotOpen, "date", message)
    })?;
    if day.status != DayStatus::Cutting || day.failed_at != Some(position) {
        let message = format!(
            "{date} is {:?} and its last run failed at {:?}; the waiver names {position}",
            day.status, day.failed_at
        );
        return Err(Refusal::new(RefusalCode::DayState, "position", message));
    }
    checks.sort_unstable();
    checks.dedup();
    if checks.is_empty() {
        return Err(Refusal::new(RefusalCode::ValueInvalid, "checks", "no check is named; name the failed ones"));
    }
    for name in &checks {
        let failed = day.checks.iter().any(|check| check.name == *name && check.is_break());
        if !failed {
            let message = format!("'{name:.64}' did not fail on {date} at {position}, or is waived already");
            return Err(Refusal::new(RefusalCode::WaiverMismatch, "checks", message));
        }
    }
    draft.emit(Event::Waiver(WaiverEvent::Waived { date, position, checks, approval }));
    Ok(Reply::Day(date))
}

/// Folds a waiver into the state.
pub(crate) fn apply(state: &mut State, event: &WaiverEvent) {
    match event {
        WaiverEvent::Waived { date, position, checks, approval } => {
            business_day::apply_waived(state, *date, *position, checks, *approval);
        }
    }
}
