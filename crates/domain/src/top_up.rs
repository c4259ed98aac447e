//! Top-ups (充值): money from a bank account to the payer's own payment account, under a signed agreement or at the channel's page
//! (网银充值), see [`front_page`].
//!
//! ```text
//!  CREATED ─► SENT ─► SUCCESS
//!               ├───► FAILED ─ the channel says later that it took the money ─► SUCCESS
//!               └───► UNKNOWN ─► SUCCESS │ FAILED
//!  by a page: SENT ─ HandOutPage ─► UNKNOWN     SENT: nobody has it. It ends by itself at its time, or when it is closed
//!             UNKNOWN ─ close ─► closing: the channel is asked to end the page ─► FAILED │ SUCCESS
//! ```
//! CREATED is passed in the command that asks the channel. There is no fee. On success, for 1,000 over EPCC (1122: over UnionPay):
//!
//! ```text
//!  Dr 1121 1,000 / Cr 2201 or 2206 1,000
//!  Dr 1121 1,000 / Cr 2241 1,000      where the account takes no money any more: suspense, for an operator to allocate
//! ```
//! A success is taken whenever it comes, after a page was given up too: the money is there, and it is credited once, since an attempt
//! succeeds once. No limit bounds what comes in; block lists do. The clearing file matches a top-up as it does every debit. What it shows
//! of another amount goes back to its source, see `top_up/give_back.rs`.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use minicbor::{Decode, Encode};

use crate::account::{AccountStatus, Owner};
use crate::attempt::{self, Attempt, FailureClass, Operation, Outcome, Purpose, Rail};
use crate::block_list::{self, Blocked};
use crate::book::Subject;
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, AttemptId, CustomerId, TopUpId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::order::name_fits;
use crate::payment::carries_cards;
use crate::recall::Leaves;
use crate::refund::RefundStatus;
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};
use crate::{front_page, sign_up};

mod give_back;
mod page;
#[cfg(test)]
mod tests;

pub use give_back::GivenBack;
pub(crate) use page::can_hand_out;

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
    /// The number of the signed agreement at the network, a token of class C1; empty of one by a page.
    #[n(2)]
    pub agreement: String,
    /// The card as it may be shown, 6 + 4; empty of one by a page.
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
    /// The network; EPCC if none. Read it by [`Self::rail`].
    #[n(14)]
    pub over: Option<Rail>,
    /// Of one by the channel's page.
    #[n(15)]
    pub page: Option<TopUpPage>,
    /// What came of another amount, and goes back.
    #[n(16)]
    pub back: Option<GivenBack>,
}

/// What is known of a top-up's page beside its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct TopUpPage {
    /// Whether somebody gave it up and the channel has not said yet what became of it.
    #[n(0)]
    pub closing: bool,
}

impl Leaves for TopUp {
    /// Whether its answer is certain, and nothing of it is on its way back. A late success may change it still.
    fn is_closed(&self) -> bool {
        match self.status {
            TopUpStatus::Created | TopUpStatus::Sent | TopUpStatus::Unknown => false,
            TopUpStatus::Success | TopUpStatus::Failed => self.back.is_none_or(GivenBack::is_final),
        }
    }
}

impl TopUp {
    /// The network that brings its money.
    #[must_use]
    pub fn rail(&self) -> Rail {
        self.over.unwrap_or(Rail::Epcc)
    }

    /// Whether its page was given up and the channel has the last word still.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.page.is_some_and(|page| page.closing)
    }

    /// Whose failure it is that the channel saw nothing, and why.
    fn not_seen(&self) -> (FailureClass, &'static str) {
        match self.page {
            None => (FailureClass::System, "not_found"),
            // Who was sent to a page and did not pay there is a payer who did not pay.
            Some(TopUpPage { closing: true }) => (FailureClass::User, "closed"),
            Some(TopUpPage { closing: false }) => (FailureClass::User, "page_expired"),
        }
    }

    /// What its vouchers say beside their entries.
    fn dimensions(&self, state: &State, clearing_date: Option<Date>) -> Result<Dimensions, Refusal> {
        let merchant = match state.account(self.account, "account")?.owner {
            Owner::Merchant(merchant) => Some(merchant),
            Owner::User(_) | Owner::Institution => None,
        };
        let channel = Some(self.rail().name().into());
        Ok(Dimensions { merchant, channel, clearing_date, ..Dimensions::default() })
    }
}

/// What a top-up is paid by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopUpFrom {
    /// A card under a signed agreement, which is debited.
    Agreement {
        /// The network.
        rail: Rail,
        /// The agreement's number there.
        agreement: String,
        /// The card as it may be shown.
        mask: String,
        /// The word of the network's further channel. If none, the network's channel where it was signed here; its first if it was not.
        channel: Option<String>,
    },
    /// Whatever the payer takes at the channel's own page.
    Page {
        /// The network.
        rail: Rail,
        /// Where the payer's browser goes afterwards; the channel's setting if none.
        return_url: Option<String>,
        /// The word of the network's further channel; its first if none.
        channel: Option<String>,
    },
}

impl TopUpFrom {
    /// The network that brings the money.
    #[must_use]
    pub const fn rail(&self) -> Rail {
        match self {
            Self::Agreement { rail, .. } | Self::Page { rail, .. } => *rail,
        }
    }

    /// The channel that the caller names.
    fn named(&self) -> ChannelName {
        let (Self::Agreement { channel, .. } | Self::Page { channel, .. }) = self;
        ChannelName { rail: self.rail(), word: channel.clone() }
    }

    /// The channel that is asked: of an agreement that was signed here the one that signed it, where alone it pays.
    fn channel_name(&self, state: &State, customer: Option<CustomerId>) -> ChannelName {
        match (self, customer) {
            (Self::Agreement { rail, agreement, channel: None, .. }, Some(customer)) => {
                sign_up::signed_at(state, customer, *rail, agreement)
            }
            (Self::Agreement { .. } | Self::Page { .. }, _) => self.named(),
        }
    }
}

/// Asks for money from a bank account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTopUp {
    /// 2201 or 2206.
    pub account: AccountId,
    /// What pays.
    pub from: TopUpFrom,
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
    /// Give up one that waits for its payer at a page.
    Close(TopUpId),
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
    /// Its page was given up.
    #[n(5)]
    Closing(#[n(0)] TopUpId),
    /// Another amount came: it is on its way back.
    #[n(6)]
    GivenBack {
        /// The top-up.
        #[n(0)]
        top_up: TopUpId,
        /// What goes back.
        #[n(1)]
        back: GivenBack,
    },
    /// The channel said what became of what goes back.
    #[n(7)]
    BackAnswered {
        /// The top-up.
        #[n(0)]
        top_up: TopUpId,
        /// Where it stands now.
        #[n(1)]
        status: RefundStatus,
    },
}

/// Asks for money from a bank account, or gives a page up.
///
/// # Errors
/// `amount_not_positive`, `account_unknown`, `account_closed`, `subject_not_allowed`, `currency_mismatch`,
/// `account_restricted`, `value_invalid` for the agreement, the mask or the address to go back to, `instrument_not_allowed` for a network
/// without cards, `blocked`; `agreement_not_own`, `sign_up_state` for an agreement that was signed here. To give up `top_up_unknown`,
/// `top_up_state`.
pub fn decide(draft: &mut Draft<'_>, command: TopUpCommand) -> Result<Reply, Refusal> {
    match command {
        TopUpCommand::Create(command) => create(draft, command),
        TopUpCommand::Close(id) => page::close(draft, id),
    }
}

fn create(draft: &mut Draft<'_>, command: CreateTopUp) -> Result<Reply, Refusal> {
    let now = draft.context.now;
    let channel = check(draft.state, now, &command)?;
    let CreateTopUp { account, from, amount, currency, .. } = command;
    let id = TopUpId(draft.state.top_ups.next_id());
    let rail = from.rail();
    let (agreement, mask, page, operation) = match from {
        TopUpFrom::Agreement { agreement, mask, .. } => {
            let operation = Operation::Debit { agreement: agreement.clone(), amount, currency };
            (agreement, mask, None, operation)
        }
        TopUpFrom::Page { return_url, .. } => {
            let operation = front_page::operation(amount, currency, return_url, now, None);
            (String::new(), String::new(), Some(TopUpPage { closing: false }), operation)
        }
    };
    draft.emit(Event::TopUp(TopUpEvent::Created(TopUp {
        id,
        account,
        agreement,
        mask,
        amount,
        currency,
        status: TopUpStatus::Created,
        created_at: now,
        attempt: None,
        ended_at: None,
        voucher: None,
        suspended: false,
        failure: None,
        reference: None,
        over: (rail != Rail::Epcc).then_some(rail),
        page,
        back: None,
    })));
    let attempt = attempt::request(draft, channel, operation, Purpose::TopUp(id));
    draft.emit(Event::TopUp(TopUpEvent::Sent { top_up: id, attempt }));
    Ok(Reply::TopUp(id))
}

/// Whether it may be asked for, and of which channel.
fn check(state: &State, now: Time, command: &CreateTopUp) -> Result<ChannelName, Refusal> {
    positive(command.amount, "amount")?;
    check_from(&command.from)?;
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
    let agreement = match &command.from {
        TopUpFrom::Agreement { agreement, .. } => Some(agreement),
        TopUpFrom::Page { .. } => None,
    };
    let customer = state.customer_of(account.owner);
    let channel = command.from.channel_name(state, customer);
    if let (Some(customer), Some(agreement)) = (customer, agreement) {
        sign_up::check(state, customer, &channel, agreement)?;
    }
    let card = agreement.cloned().map(Blocked::Card);
    let device = command.device.clone().map(Blocked::Device);
    block_list::refuse(state, now, block_list::of_owner(state, account.owner).chain(card).chain(device))?;
    Ok(channel)
}

fn check_from(from: &TopUpFrom) -> Result<(), Refusal> {
    let rail = from.rail();
    if !carries_cards(rail) {
        let message = format!("no top-up comes over '{}'; use epcc or unionpay", rail.name());
        return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "rail", message));
    }
    from.named().check()?;
    match from {
        TopUpFrom::Agreement { agreement, mask, .. } => {
            name_fits(agreement, "agreement")?;
            if mask.len() > 32 || mask.bytes().filter(u8::is_ascii_digit).count() > 10 {
                let message = "a mask shows at most 6 + 4 digits of a card in 32 bytes";
                return Err(Refusal::new(RefusalCode::ValueInvalid, "mask", message));
            }
            Ok(())
        }
        TopUpFrom::Page { return_url, .. } => return_url.as_deref().map_or(Ok(()), front_page::check_return_url),
    }
}

/// Takes the answer to an attempt of a top-up.
///
/// # Errors
/// Those of the voucher; none while sums fit.
pub(crate) fn answered(
    draft: &mut Draft<'_>,
    id: TopUpId,
    attempt: &Attempt,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    if matches!(attempt.operation, Operation::Refund { .. }) {
        return give_back::answered(draft, id, attempt, outcome);
    }
    let failed = |class, code| TopUpEvent::Failed { top_up: id, failure: TopUpFailure { class, code } };
    let top_up = draft.state.top_up(id)?;
    let event = match outcome {
        Outcome::Success { clearing_date, .. } if attempt.operation.money().0 != top_up.amount => {
            return give_back::start(draft, id, attempt, *clearing_date);
        }
        Outcome::Success { reference, clearing_date, .. } => {
            let (voucher, suspended) = post(draft, id, *clearing_date)?;
            TopUpEvent::Succeeded { top_up: id, voucher, suspended, reference: reference.clone() }
        }
        Outcome::Declined { class, code } => failed(*class, code.clone()),
        Outcome::NotFound => {
            let (class, code) = top_up.not_seen();
            failed(class, String::from(code))
        }
        Outcome::Unknown => TopUpEvent::Unknown(id),
    };
    draft.emit(Event::TopUp(event));
    Ok(())
}

/// Dr its rail / Cr the account, or 2241 if it takes no money any more; and which of the two it was.
fn post(draft: &mut Draft<'_>, id: TopUpId, clearing_date: Date) -> Result<(VoucherId, bool), Refusal> {
    let top_up = draft.state.top_up(id)?;
    let (account, amount, currency, rail) = (top_up.account, top_up.amount, top_up.currency, top_up.rail());
    let dimensions = top_up.dimensions(draft.state, Some(clearing_date))?;
    let row = draft.state.account(account, "account")?;
    let suspended = row.status == AccountStatus::Closed || row.restriction.in_barred;
    let (to, event) = if suspended {
        (draft.state.institution(Subject::Suspense, currency)?, EventCode::TopUpSuspended)
    } else {
        (account, EventCode::TopUp)
    };
    let from = draft.state.institution(rail.subject(), currency)?;
    let entries = vec![Entry::debit(from, amount, currency), Entry::credit(to, amount, currency)];
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
            page::ended(row);
        }
        TopUpEvent::Failed { top_up, failure } => {
            let row = row(state, *top_up);
            row.status = TopUpStatus::Failed;
            row.ended_at = Some(now);
            row.failure = Some(failure.clone());
            page::ended(row);
        }
        TopUpEvent::Closing(id) => row(state, *id).page = Some(TopUpPage { closing: true }),
        TopUpEvent::GivenBack { top_up, back } => row(state, *top_up).back = Some(*back),
        TopUpEvent::BackAnswered { top_up, status } => give_back::apply_answered(row(state, *top_up), *status),
    }
}
