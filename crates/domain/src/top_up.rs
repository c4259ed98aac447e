//! Top-ups (充值): money from a bank account, under a signed agreement, to the payer's own payment account.
//!
//! ```text
//!  CREATED ─► SENT ─► SUCCESS
//!               ├───► FAILED ─ the channel says later that it took the money ─► SUCCESS
//!               └───► UNKNOWN ─► SUCCESS │ FAILED
//! ```
//! CREATED is passed in the command that asks the channel. There is no fee. On success, for 1,000:
//!
//! ```text
//!  Dr 1121 1,000 / Cr 2201 or 2206 1,000
//!  Dr 1121 1,000 / Cr 2241 1,000      where the account takes no money any more: suspense, for an operator to allocate
//! ```
//! A success is taken whenever it comes: the money is there. No limit bounds what comes in; block lists do. The clearing
//! file matches a top-up as it does every debit.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use minicbor::{Decode, Encode};

use crate::account::{AccountStatus, Owner};
use crate::attempt::{self, FailureClass, Operation, Outcome, Purpose, Rail};
use crate::block_list::{self, Blocked};
use crate::book::Subject;
use crate::calendar::Date;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AttemptId, TopUpId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::order::name_fits;
use crate::recall::Leaves;
use crate::refusal::{Refusal, RefusalCode};
use crate::sign_up;
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// Where a top-up stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum TopUpStatus {
    /// Known; the channel is not asked yet.
    #[n(0)]
    Created,
    /// With the channel.
    #[n(1)]
    Sent,
    /// The channel's answer did not come.
    #[n(2)]
    Unknown,
    /// The money is here.
    #[n(3)]
    Success,
    /// It did not come.
    #[n(4)]
    Failed,
}

impl TopUpStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Created, Self::Sent, Self::Unknown, Self::Success, Self::Failed];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}

/// Why a top-up failed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TopUpFailure {
    /// Whose failure.
    #[n(0)]
    pub class: FailureClass,
    /// The channel's code.
    #[n(1)]
    pub code: String,
}

/// A top-up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TopUp {
    /// Its id.
    #[n(0)]
    pub id: TopUpId,
    /// The account that is credited: 2201 or 2206.
    #[n(1)]
    pub account: AccountId,
    /// The number of the signed agreement at the network; a token of class C1.
    #[n(2)]
    pub agreement: String,
    /// The card as it may be shown, 6 + 4.
    #[n(3)]
    pub mask: String,
    /// Minor units.
    #[n(4)]
    pub amount: Minor,
    /// The account's currency.
    #[n(5)]
    pub currency: Currency,
    /// Where it stands.
    #[n(6)]
    pub status: TopUpStatus,
    /// When it was asked for.
    #[n(7)]
    pub created_at: Time,
    /// Its attempt, from SENT on.
    #[n(8)]
    pub attempt: Option<AttemptId>,
    /// When it succeeded or failed.
    #[n(9)]
    pub ended_at: Option<Time>,
    /// The voucher of its success.
    #[n(10)]
    pub voucher: Option<VoucherId>,
    /// Whether its money went to suspense, as the account took none.
    #[n(11)]
    pub suspended: bool,
    /// Why it failed.
    #[n(12)]
    pub failure: Option<TopUpFailure>,
    /// The channel's reference of its success.
    #[n(13)]
    pub reference: Option<String>,
}

impl Leaves for TopUp {
    /// Whether its answer is certain. A late success may change it still.
    fn is_closed(&self) -> bool {
        match self.status {
            TopUpStatus::Created | TopUpStatus::Sent | TopUpStatus::Unknown => false,
            TopUpStatus::Success | TopUpStatus::Failed => true,
        }
    }
}

/// Asks for money from a bank account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTopUp {
    /// 2201 or 2206.
    pub account: AccountId,
    /// The number of the signed agreement at the network.
    pub agreement: String,
    /// The card as it may be shown.
    pub mask: String,
    /// Minor units above zero.
    pub amount: Minor,
    /// Must be the account's.
    pub currency: Currency,
    /// The payer's device, if the caller knows it: only asked of the block list.
    pub device: Option<String>,
}

/// What is wanted of top-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopUpCommand {
    /// Ask for money.
    Create(CreateTopUp),
}

/// What happened to a top-up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TopUpEvent {
    /// It was created.
    #[n(0)]
    Created(#[n(0)] TopUp),
    /// The channel is asked.
    #[n(1)]
    Sent {
        /// The top-up.
        #[n(0)]
        top_up: TopUpId,
        /// Its attempt.
        #[n(1)]
        attempt: AttemptId,
    },
    /// The answer did not come.
    #[n(2)]
    Unknown(#[n(0)] TopUpId),
    /// The money is here.
    #[n(3)]
    Succeeded {
        /// The top-up.
        #[n(0)]
        top_up: TopUpId,
        /// Its voucher.
        #[n(1)]
        voucher: VoucherId,
        /// Whether the money went to suspense.
        #[n(2)]
        suspended: bool,
        /// The channel's reference.
        #[n(3)]
        reference: String,
    },
    /// It did not come.
    #[n(4)]
    Failed {
        /// The top-up.
        #[n(0)]
        top_up: TopUpId,
        /// Why.
        #[n(1)]
        failure: TopUpFailure,
    },
}

/// Asks for money from a bank account.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed`, `currency_mismatch`,
/// `account_restricted`, `value_invalid` for the agreement or the mask, `blocked`; `agreement_not_own`, `sign_up_state` for an
/// agreement that was signed here.
pub fn decide(draft: &mut Draft<'_>, command: TopUpCommand) -> Result<Reply, Refusal> {
    let TopUpCommand::Create(command) = command;
    check(draft.state, draft.context.now, &command)?;
    let CreateTopUp { account, agreement, mask, amount, currency, .. } = command;
    let id = TopUpId(draft.state.top_ups.next_id());
    draft.emit(Event::TopUp(TopUpEvent::Created(TopUp {
        id,
        account,
        agreement: agreement.clone(),
        mask,
        amount,
        currency,
        status: TopUpStatus::Created,
        created_at: draft.context.now,
        attempt: None,
        ended_at: None,
        voucher: None,
        suspended: false,
        failure: None,
        reference: None,
    })));
    let operation = Operation::Debit { agreement, amount, currency };
    let attempt = attempt::request(draft, Rail::Epcc, operation, Purpose::TopUp(id));
    draft.emit(Event::TopUp(TopUpEvent::Sent { top_up: id, attempt }));
    Ok(Reply::TopUp(id))
}

fn check(state: &State, now: Time, command: &CreateTopUp) -> Result<(), Refusal> {
    positive(command.amount, "amount")?;
    name_fits(&command.agreement, "agreement")?;
    if command.mask.len() > 32 || command.mask.bytes().filter(u8::is_ascii_digit).count() > 10 {
        let message = "a mask shows at most 6 + 4 digits of a card in 32 bytes";
        return Err(Refusal::new(RefusalCode::ValueInvalid, "mask", message));
    }
    let account = state.open_account(command.account, "account")?;
    if !matches!(account.subject, Subject::Personal | Subject::Company) {
        let message = format!("{} is {}; top-ups go to 2201 or 2206", account.id, account.subject.code());
        return Err(Refusal::new(RefusalCode::SubjectNotAllowed, "account", message));
    }
    if account.currency != command.currency {
        let message = format!("{} is kept in {}", account.id, account.currency.code());
        return Err(Refusal::new(RefusalCode::CurrencyMismatch, "currency", message));
    }
    if account.restriction.in_barred {
        let message = format!("{} is restricted: no money may come in", account.id);
        return Err(Refusal::new(RefusalCode::AccountRestricted, "account", message));
    }
    if let Some(customer) = state.customer_of(account.owner) {
        sign_up::check(state, customer, Rail::Epcc, &command.agreement)?;
    }
    let card = Blocked::Card(command.agreement.clone());
    let device = command.device.clone().map(Blocked::Device);
    block_list::refuse(state, now, block_list::of_owner(state, account.owner).chain([card]).chain(device))
}

/// Takes the answer to a top-up's attempt.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn answered(draft: &mut Draft<'_>, id: TopUpId, outcome: &Outcome) -> Result<(), Refusal> {
    let failed = |class, code| TopUpEvent::Failed { top_up: id, failure: TopUpFailure { class, code } };
    let event = match outcome {
        Outcome::Success { reference, clearing_date, .. } => {
            let (voucher, suspended) = post(draft, id, *clearing_date)?;
            TopUpEvent::Succeeded { top_up: id, voucher, suspended, reference: reference.clone() }
        }
        Outcome::Declined { class, code } => failed(*class, code.clone()),
        Outcome::NotFound => failed(FailureClass::System, String::from("not_found")),
        Outcome::Unknown => TopUpEvent::Unknown(id),
    };
    draft.emit(Event::TopUp(event));
    Ok(())
}

/// Dr 1121 / Cr the account, or 2241 if it takes no money any more; and which of the two it was.
fn post(draft: &mut Draft<'_>, id: TopUpId, clearing_date: Date) -> Result<(VoucherId, bool), Refusal> {
    let TopUp { account, amount, currency, .. } = *draft.state.top_up(id)?;
    let row = draft.state.account(account, "account")?;
    let suspended = row.status == AccountStatus::Closed || row.restriction.in_barred;
    let merchant = match row.owner {
        Owner::Merchant(merchant) => Some(merchant),
        Owner::User(_) | Owner::Institution => None,
    };
    let (to, event) = if suspended {
        (draft.state.institution(Subject::Suspense, currency)?, EventCode::TopUpSuspended)
    } else {
        (account, EventCode::TopUp)
    };
    let from = draft.state.institution(Rail::Epcc.subject(), currency)?;
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
    let (channel, clearing_date) = (Some(Rail::Epcc.name().into()), Some(clearing_date));
    let dimensions = Dimensions { merchant, channel, clearing_date, ..Dimensions::default() };
    let voucher = draft.post(BusinessNumber::object(BusinessKind::TopUp, id.0), event, entries, dimensions)?;
    Ok((voucher, suspended))
}

impl State {
    /// The top-up.
    ///
    /// # Errors
    /// `top_up_unknown`.
    pub fn top_up(&self, id: TopUpId) -> Result<&TopUp, Refusal> {
        let unknown = || Refusal::new(RefusalCode::TopUpUnknown, "top_up", format!("there is no top-up {id}"));
        self.top_ups.get(id.0).ok_or_else(unknown)
    }
}

fn row(state: &mut State, id: TopUpId) -> &mut TopUp {
    state.top_ups.get_mut(id.0).expect("decide checked the top-up before it emitted the event")
}

/// Folds an event into the state.
pub(crate) fn apply(state: &mut State, event: &TopUpEvent) {
    let now = state.now;
    match event {
        TopUpEvent::Created(top_up) => state.top_ups.insert(top_up.id.0, top_up.clone()),
        TopUpEvent::Sent { top_up, attempt } => {
            let row = row(state, *top_up);
            row.status = TopUpStatus::Sent;
            row.attempt = Some(*attempt);
        }
        TopUpEvent::Unknown(id) => row(state, *id).status = TopUpStatus::Unknown,
        TopUpEvent::Succeeded { top_up, voucher, suspended, reference } => {
            let row = row(state, *top_up);
            row.status = TopUpStatus::Success;
            row.ended_at = Some(now);
            row.voucher = Some(*voucher);
            row.suspended = *suspended;
            row.reference = Some(reference.clone());
            row.failure = None;
        }
        TopUpEvent::Failed { top_up, failure } => {
            let row = row(state, *top_up);
            row.status = TopUpStatus::Failed;
            row.ended_at = Some(now);
            row.failure = Some(failure.clone());
        }
    }
}
