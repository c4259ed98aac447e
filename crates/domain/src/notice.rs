//! Notices (通知): what a customer is to be told of an automatic withdrawal, and only once it is final.
//!
//! ```text
//!  an automatic withdrawal SUCCESS │ FAILED │ RETURNED ─► one notice each; tries, retries and unknown answers raise none
//! ```
//! They are an outbox: whoever sends messages reads them in the order of their numbers and keeps its own mark. Nothing here
//! sends anything, and a notice is never changed or raised again.

use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, CustomerId, NoticeId, WithdrawalId};
use crate::money::{Currency, Minor};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum NoticeKind {
    /// The money arrived.
    #[n(0)]
    WithdrawalSucceeded,
    /// It did not and will not be tried again; it is on the account.
    #[n(1)]
    WithdrawalFailed,
    /// It had arrived and came back.
    #[n(2)]
    WithdrawalReturned,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::WithdrawalSucceeded, Self::WithdrawalFailed, Self::WithdrawalReturned];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WithdrawalSucceeded => "withdrawal_succeeded",
            Self::WithdrawalFailed => "withdrawal_failed",
            Self::WithdrawalReturned => "withdrawal_returned",
        }
    }
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Notice {
    /// Its id; in the order in which they were raised.
    #[n(0)]
    pub id: NoticeId,
    /// Who is told.
    #[n(1)]
    pub customer: CustomerId,
    /// What.
    #[n(2)]
    pub kind: NoticeKind,
    /// About which withdrawal.
    #[n(3)]
    pub withdrawal: WithdrawalId,
    /// From which account.
    #[n(4)]
    pub account: AccountId,
    /// Minor units.
    #[n(5)]
    pub amount: Minor,
    /// Their currency.
    #[n(6)]
    pub currency: Currency,
    /// The bank account as it may be shown.
    #[n(7)]
    pub mask: String,
    /// Why it failed: the channel's code, or that of a refusal.
    #[n(8)]
    pub code: Option<String>,
    /// When it was raised.
    #[n(9)]
    pub raised_at: Time,
}

/// What happened to notices.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum NoticeEvent {
    /// One was raised.
    #[n(0)]
    Raised(#[n(0)] Notice),
}

/// Raises a notice; its id and time are set here.
pub(crate) fn raise(draft: &mut Draft<'_>, notice: Notice) {
    let (id, raised_at) = (NoticeId(draft.state.notices.next_id()), draft.context.now);
    draft.emit(Event::Notice(NoticeEvent::Raised(Notice { id, raised_at, ..notice })));
}

impl State {
    /// The notice.
    ///
    /// # Errors
    /// `notice_unknown`.
    pub fn notice(&self, id: NoticeId) -> Result<&Notice, Refusal> {
        let unknown = || Refusal::new(RefusalCode::NoticeUnknown, "notice", format!("there is no notice {id}"));
        self.notices.get(id.0).ok_or_else(unknown)
    }
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &NoticeEvent) {
    let NoticeEvent::Raised(notice) = event;
    state.notices.insert(notice.id.0, notice.clone());
}
