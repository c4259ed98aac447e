//! Whole-account restriction (整户限制): money is barred from coming in, from going out, or both.
//!
//! ```text
//!  free ⇄ in barred │ out barred (judicial: in allowed, out barred) │ both
//! ```
//! This is the institution's own bar, for risk; whole freezes of authorities stand beside it (see [`crate::freeze`]), and
//! neither lifts the other. It writes no voucher. What has not left yet does not leave: barring the way out cancels the account's unsent payouts.
//! What is at a bank already is outside, and what comes back from there is taken, for it never came in (see
//! [`crate::voucher::check`]).

use alloc::format;

use minicbor::{Decode, Encode};

use crate::account::Owner;
use crate::command::Reply;
use crate::draft::Draft;
use crate::event::Event;
use crate::ids::AccountId;
use crate::payout::{self, CancelReason};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What a whole-account restriction bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Restriction {
    /// No money comes in.
    #[n(0)]
    pub in_barred: bool,
    /// No money goes out.
    #[n(1)]
    pub out_barred: bool,
}

/// How many freezes bar each way of an account: releasing one does not lift another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Bars {
    /// Freezes that let no money in.
    #[n(0)]
    pub ways_in: u32,
    /// Freezes that let no money out.
    #[n(1)]
    pub ways_out: u32,
}

/// Bars or frees an account as a whole.
///
/// # Errors
/// `account_unknown`, `account_closed`, `subject_not_allowed` for the institution's own.
pub fn decide_restrict(draft: &mut Draft<'_>, id: AccountId, restriction: Restriction) -> Result<Reply, Refusal> {
    if draft.state.open_account(id, "account")?.owner == Owner::Institution {
        let message = format!("{id} is the institution's own account and cannot be restricted");
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    draft.emit(Event::AccountRestricted { account: id, restriction });
    if restriction.out_barred {
        payout::cancel_unsent(draft, id, CancelReason::Restricted);
    }
    Ok(Reply::Account(id))
}

/// An account was barred or freed.
pub(crate) fn apply_restricted(state: &mut State, id: AccountId, restriction: Restriction) {
    state.account_row(id).restriction = restriction;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Subject;
    use crate::command::Command;
    use crate::money::Currency;
    use crate::testkit::Kit;
    use crate::voucher::{BusinessNumber, Entry, EventCode, PostVoucher};
    use alloc::vec;

    #[test]
    fn each_direction_is_barred_by_itself_and_freed_again() {
        let mut kit = Kit::new();
        let user = kit.user();
        let account = kit.account(Subject::Personal, Owner::User(user));
        kit.fund(account, 1_000);
        let clearing = kit.state.institution(Subject::ClearingEpcc, Currency::Cny).unwrap();
        let voucher = |debit, credit| {
            Command::PostVoucher(PostVoucher {
                business: BusinessNumber::Text("move".into()),
                event: EventCode::Transfer,
                date: None,
                entries: vec![Entry::debit(debit, 10, Currency::Cny), Entry::credit(credit, 10, Currency::Cny)],
                dimensions: None,
            })
        };
        for (in_barred, out_barred) in [(true, false), (false, true), (true, true), (false, false)] {
            let restriction = Restriction { in_barred, out_barred };
            kit.given(Command::RestrictAccount { account, restriction });
            for (barred, command) in [(in_barred, voucher(clearing, account)), (out_barred, voucher(account, clearing))]
            {
                let refusal = kit.when(command).err().map(|refusal| refusal.code);
                assert_eq!(refusal, barred.then_some(RefusalCode::AccountRestricted), "{restriction:?}");
            }
        }
    }

    #[test]
    fn the_institutions_own_and_unknown_accounts_are_refused() {
        let mut kit = Kit::new();
        let own = kit.state.institution(Subject::DueToOwn, Currency::Cny).unwrap();
        let restriction = Restriction { in_barred: true, out_barred: true };
        for (account, code) in [(own, RefusalCode::SubjectNotAllowed), (AccountId(999), RefusalCode::AccountUnknown)] {
            kit.refused(Command::RestrictAccount { account, restriction }, code);
        }
    }
}
