//! Signing up (协议签约): the holder of a card lets the institution debit it, by a code on the phone that the bank knows.
//!
//! ```text
//!  request ─► REQUESTED ─ the bank compared the four elements and sent a code ─► CODE_SENT ─ a code ─► CONFIRMING
//!                 │                                                                ▲ │                    │  │
//!                 │                          another code is wanted ───────────────┼─┼────────────────────┘  │
//!                 ├ the bank refuses ─► FAILED ◄─ three wrong codes ───────────────┼─┼───────────────────────┤
//!                 ├ fifteen minutes ──► EXPIRED ◄──────────────────────────────────┘ │                       ▼
//!                 └ cancel ───────────► CANCELLED ◄──────────────────────────────────┴── cancel ────────── SIGNED
//! ```
//! An answer that does not come changes nothing, and is no failure: in REQUESTED the code may have come, so it may be brought; in
//! CONFIRMING the agreement may stand, so the same code is brought again under the same serial number, and time does not end it.
//! What the bank says of the four elements (四要素: account, name, certificate, phone) is kept as a verdict (实名核验): a code that
//! was sent says that they match. Name and certificate are the registered customer's; a code is kept nowhere.
//!
//! A signed agreement's number pays orders and top-ups of its own customer alone, and of nobody once it is cancelled. Numbers that
//! were signed elsewhere are taken as before. Cancelling ends the agreement here; the bank's side stays until its holder ends it.
//! A card may be signed at several channels, of several networks or of one: once at each.
//!
//! What a signing recorded of its card (whether it is a credit card, of which bank) counts wherever the agreement pays, whatever a
//! payment says: [`CardFacts`].

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::account::Owner;
use crate::attempt::{self, FailureClass, Rail};
use crate::block_list::{self, Blocked};
use crate::channel::ChannelName;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AttemptId, CustomerId, MerchantId, SignUpId, UserId};
use crate::order::name_fits;
use crate::payment::carries_cards;
use crate::payout::Bank;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::state::State;

mod agreements;
mod fold;
#[cfg(test)]
mod tests;

pub use self::agreements::CardFacts;
pub(crate) use self::agreements::{as_signed, bank_signed, check, check_instruments, signed_at};
pub(crate) use self::fold::{agreement_key, apply, asked_key, customer_key, end, timer};

/// Serial numbers from here on are no attempt's: no books reach so many.
const FIRST_SERIAL: u64 = 9_000_000_000_000_000;
/// How long a code may be brought, unless one is under way.
pub const LIFE_MS: i64 = 15 * 60_000;
/// How many wrong codes end it.
pub const MAX_WRONG_CODES: u32 = 3;
/// How many codes may be brought at all, answered or not.
pub const MAX_CODES: u32 = 10;
/// How many of a customer's may wait for a code: each is a message to somebody's phone.
pub const MAX_WAITING: usize = 5;

/// Where one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SignUpStatus {
    /// The channel is asked to send a code; what it said is not known.
    #[n(0)]
    Requested,
    /// The phone was sent a code.
    #[n(1)]
    CodeSent,
    /// A code went to the channel; what it said is not known.
    #[n(2)]
    Confirming,
    /// The agreement stands.
    #[n(3)]
    Signed,
    /// The bank refused it, or three codes were wrong.
    #[n(4)]
    Failed,
    /// Its time was over before a code came.
    #[n(5)]
    Expired,
    /// It pays nothing any more.
    #[n(6)]
    Cancelled,
}

impl SignUpStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Requested, Self::CodeSent, Self::Confirming, Self::Signed, Self::Failed, Self::Expired, Self::Cancelled];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::CodeSent => "code_sent",
            Self::Confirming => "confirming",
            Self::Signed => "signed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a code is awaited, or its answer.
    const fn waits(self) -> bool {
        match self {
            Self::Requested | Self::CodeSent | Self::Confirming => true,
            Self::Signed | Self::Failed | Self::Expired | Self::Cancelled => false,
        }
    }
}

/// What the bank said of the four elements.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Verdict {
    /// Whether account, name, certificate and phone belong together.
    #[n(0)]
    pub matched: bool,
    /// The channel's code where they do not.
    #[n(1)]
    pub code: Option<String>,
    /// When it said so.
    #[n(2)]
    pub at: Time,
}

/// The channel's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignUpFailure {
    /// Whose failure.
    #[n(0)]
    pub class: FailureClass,
    /// The channel's code.
    #[n(1)]
    pub code: String,
}

/// One signing of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignUp {
    /// Its id.
    #[n(0)]
    pub id: SignUpId,
    /// The merchant that asked for it; none: the institution.
    #[n(1)]
    pub merchant: Option<MerchantId>,
    /// Who will pay.
    #[n(2)]
    pub payer: UserId,
    /// The payer's customer, whose name and certificate the bank compares.
    #[n(3)]
    pub customer: CustomerId,
    /// At which network.
    #[n(4)]
    pub rail: Rail,
    /// The bank's interbank number (联行号), 12 digits.
    #[n(5)]
    pub bank: String,
    /// Whether it is a credit card.
    #[n(6)]
    pub credit: bool,
    /// The card's number.
    #[n(7)]
    pub account: Sealed,
    /// The token of that number.
    #[n(8)]
    pub token: String,
    /// The phone that the bank knows.
    #[n(9)]
    pub phone: Sealed,
    /// Where it stands.
    #[n(10)]
    pub status: SignUpStatus,
    /// When it was asked for.
    #[n(11)]
    pub requested_at: Time,
    /// Until when a code may be brought.
    #[n(12)]
    pub expires_at: Time,
    /// What the bank said of the four elements, once it said something.
    #[n(13)]
    pub verdict: Option<Verdict>,
    /// How many codes were brought.
    #[n(14)]
    pub codes: u32,
    /// How many of them were wrong.
    #[n(15)]
    pub wrong_codes: u32,
    /// The agreement's number at the network; a token of class C1.
    #[n(16)]
    pub agreement: Option<String>,
    /// The channel's last refusal.
    #[n(17)]
    pub failure: Option<SignUpFailure>,
    /// When the agreement was signed.
    #[n(18)]
    pub signed_at: Option<Time>,
    /// When it failed, expired or was cancelled.
    #[n(19)]
    pub ended_at: Option<Time>,
    /// The word of the network's further channel that signs; its first if none. Read it by [`Self::channel_name`] (level 16).
    #[n(20)]
    pub channel: Option<String>,
}

impl SignUp {
    /// The channel that signs, where alone the agreement pays.
    #[must_use]
    pub fn channel_name(&self) -> ChannelName {
        ChannelName { rail: self.rail, word: self.channel.clone() }
    }

    /// The serial number that the channel knows it by: as an attempt's, with numbers that no attempt reaches.
    #[must_use]
    pub fn serial(&self) -> String {
        attempt::serial(AttemptId(FIRST_SERIAL.saturating_add(self.id.0)), self.requested_at)
    }

    /// What may be done with it at `now`.
    #[must_use]
    pub fn allowed_actions(&self, now: Time) -> &'static [&'static str] {
        if can_bring(self, now).is_ok() {
            return &["confirm", "cancel"];
        }
        match self.status {
            SignUpStatus::Requested | SignUpStatus::CodeSent | SignUpStatus::Confirming | SignUpStatus::Signed => {
                &["cancel"]
            }
            SignUpStatus::Failed | SignUpStatus::Expired | SignUpStatus::Cancelled => &[],
        }
    }
}

/// Asks for a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSignUp {
    /// The merchant that asks; none: the institution.
    pub merchant: Option<MerchantId>,
    /// Who will pay.
    pub payer: UserId,
    /// At which channel.
    pub channel: ChannelName,
    /// The bank's interbank number, 12 digits.
    pub bank: String,
    /// Whether it is a credit card.
    pub credit: bool,
    /// The card's number.
    pub account: Sealed,
    /// The token of that number.
    pub token: String,
    /// The phone that the bank knows.
    pub phone: Sealed,
}

/// What the channel said. What proves nothing is not brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignUpAnswer {
    /// The phone was sent a code.
    CodeSent,
    /// The agreement stands.
    Signed {
        /// Its number.
        agreement: String,
    },
    /// Refused.
    Refused(SignUpFailure),
}

/// What is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignUpCommand {
    /// Ask for a code.
    Request(Box<RequestSignUp>),
    /// A code is about to go to the channel.
    BringCode(SignUpId),
    /// The channel answered.
    Answer {
        /// Which one.
        sign_up: SignUpId,
        /// What it said.
        answer: SignUpAnswer,
    },
    /// End it.
    Cancel(SignUpId),
}

/// What happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SignUpEvent {
    /// A code is asked for.
    #[n(0)]
    Requested(#[n(0)] Box<SignUp>),
    /// The four elements match, and a code was sent.
    #[n(1)]
    CodeSent {
        /// Which one.
        #[n(0)]
        sign_up: SignUpId,
        /// What the bank said.
        #[n(1)]
        verdict: Verdict,
    },
    /// The bank refused to send a code.
    #[n(2)]
    Refused {
        /// Which one.
        #[n(0)]
        sign_up: SignUpId,
        /// Why.
        #[n(1)]
        failure: SignUpFailure,
        /// What that says of the four elements, if it says something.
        #[n(2)]
        verdict: Option<Verdict>,
    },
    /// A code goes to the channel.
    #[n(3)]
    CodeBrought(#[n(0)] SignUpId),
    /// The channel refused a code.
    #[n(4)]
    CodeRefused {
        /// Which one.
        #[n(0)]
        sign_up: SignUpId,
        /// Why.
        #[n(1)]
        failure: SignUpFailure,
        /// How many were wrong by now.
        #[n(2)]
        wrong_codes: u32,
        /// CODE_SENT, or FAILED.
        #[n(3)]
        status: SignUpStatus,
    },
    /// The agreement stands.
    #[n(5)]
    Signed {
        /// Which one.
        #[n(0)]
        sign_up: SignUpId,
        /// Its number.
        #[n(1)]
        agreement: String,
        /// SIGNED; or CANCELLED, of one that was cancelled before the answer came.
        #[n(2)]
        status: SignUpStatus,
    },
    /// Its time was over.
    #[n(6)]
    Expired(#[n(0)] SignUpId),
    /// It was cancelled.
    #[n(7)]
    Cancelled(#[n(0)] SignUpId),
}

/// Changes a signing.
///
/// # Errors
/// Request: `user_unknown`, `merchant_unknown`, `value_invalid` for the bank or the channel, `instrument_not_allowed` for the network,
/// `blocked`, `sign_up_exists`, `sign_ups_too_many`. Else `sign_up_unknown`, `sign_up_state`; `value_invalid` for an agreement's number.
pub fn decide(draft: &mut Draft<'_>, command: SignUpCommand) -> Result<Reply, Refusal> {
    let (id, event) = match command {
        SignUpCommand::Request(command) => return request(draft, *command),
        SignUpCommand::BringCode(id) => {
            can_bring(draft.state.sign_up(id)?, draft.context.now)?;
            (id, SignUpEvent::CodeBrought(id))
        }
        SignUpCommand::Answer { sign_up, answer } => (sign_up, answered(draft, sign_up, answer)?),
        SignUpCommand::Cancel(id) => {
            let row = draft.state.sign_up(id)?;
            if !row.status.waits() && row.status != SignUpStatus::Signed {
                return Err(state(row, "there is nothing to cancel"));
            }
            (id, SignUpEvent::Cancelled(id))
        }
    };
    draft.emit(Event::SignUp(event));
    Ok(Reply::SignUp(id))
}

/// Refuses a card of no bank, over a network that carries none, or of somebody, or with a number, that is blocked.
///
/// # Errors
/// `value_invalid` for the bank, `instrument_not_allowed` for the network, `merchant_unknown`, `blocked`.
pub(crate) fn check_card(
    state: &State,
    now: Time,
    (user, merchant): (UserId, Option<MerchantId>),
    (rail, done): (Rail, &str),
    (bank, token): (&str, &str),
) -> Result<(), Refusal> {
    if !Bank::is_code(bank) {
        let message = format!("'{bank:.20}' is no interbank number; use its 12 digits");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "bank", message));
    }
    if !carries_cards(rail) {
        let message = format!("no card is {done} over '{}'; use epcc or unionpay", rail.name());
        return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, "rail", message));
    }
    let mut owners = alloc::vec![Owner::User(user)];
    if let Some(merchant) = merchant {
        state.merchant(merchant)?;
        owners.push(Owner::Merchant(merchant));
    }
    let parties = owners.into_iter().flat_map(|owner| block_list::of_owner(state, owner));
    block_list::refuse(state, now, parties.chain([Blocked::Card(String::from(token))]))
}

fn request(draft: &mut Draft<'_>, command: RequestSignUp) -> Result<Reply, Refusal> {
    let RequestSignUp { merchant, payer, channel, bank, credit, account, token, phone } = command;
    let customer = draft.state.user(payer)?.customer;
    let now = draft.context.now;
    channel.check()?;
    check_card(draft.state, now, (payer, merchant), (channel.rail, "debited"), (&bank, &token))?;
    let same = |row: &&SignUp| row.channel_name() == channel;
    if let Some(row) = draft.state.signed_by_card(customer, &token).find(same) {
        let message = format!("this card is signed for {customer} as {}; pay with it, or cancel it first", row.id);
        return Err(Refusal::new(RefusalCode::SignUpExists, "account", message));
    }
    let waiting = draft.state.sign_ups_of(customer).filter(|row| row.status.waits()).count();
    if waiting >= MAX_WAITING {
        let message =
            format!("{waiting} of {customer} wait for a code; bring one, cancel one, or wait until one expires");
        return Err(Refusal::new(RefusalCode::SignUpsTooMany, "payer", message));
    }
    let (id, ChannelName { rail, word: channel }) = (SignUpId(draft.state.sign_ups.next_id()), channel);
    draft.emit(Event::SignUp(SignUpEvent::Requested(Box::new(SignUp {
        id,
        merchant,
        payer,
        customer,
        rail,
        bank,
        credit,
        account,
        token,
        phone,
        status: SignUpStatus::Requested,
        requested_at: now,
        expires_at: now.plus_ms(LIFE_MS),
        verdict: None,
        codes: 0,
        wrong_codes: 0,
        agreement: None,
        failure: None,
        signed_at: None,
        ended_at: None,
        channel,
    }))));
    Ok(Reply::SignUp(id))
}

/// Refuses a code that is not awaited.
fn can_bring(row: &SignUp, now: Time) -> Result<(), Refusal> {
    let over = now >= row.expires_at;
    match row.status {
        SignUpStatus::Requested | SignUpStatus::CodeSent if over => {
            Err(state(row, "its time is over; ask for another"))
        }
        SignUpStatus::Requested | SignUpStatus::CodeSent | SignUpStatus::Confirming if row.codes >= MAX_CODES => {
            Err(state(row, "as many codes were brought as may be; cancel it and ask for another"))
        }
        SignUpStatus::Requested | SignUpStatus::CodeSent | SignUpStatus::Confirming => Ok(()),
        SignUpStatus::Signed | SignUpStatus::Failed | SignUpStatus::Expired | SignUpStatus::Cancelled => {
            Err(state(row, "no code is awaited"))
        }
    }
}

fn state(row: &SignUp, why: &str) -> Refusal {
    Refusal::new(RefusalCode::SignUpState, "sign_up", format!("{} is {}: {why}", row.id, row.status.name()))
}

/// What an answer comes to.
fn answered(draft: &Draft<'_>, sign_up: SignUpId, answer: SignUpAnswer) -> Result<SignUpEvent, Refusal> {
    let (row, at) = (draft.state.sign_up(sign_up)?, draft.context.now);
    match (row.status, answer) {
        (SignUpStatus::Requested, SignUpAnswer::CodeSent) => {
            Ok(SignUpEvent::CodeSent { sign_up, verdict: Verdict { matched: true, code: None, at } })
        }
        (SignUpStatus::Requested, SignUpAnswer::Refused(failure)) => {
            // Only what is the holder's says something of the four elements.
            let verdict = (failure.class == FailureClass::User).then(|| {
                let code = Some(failure.code.clone());
                Verdict { matched: false, code, at }
            });
            Ok(SignUpEvent::Refused { sign_up, failure, verdict })
        }
        (SignUpStatus::Confirming, SignUpAnswer::Refused(failure)) => {
            let wrong = u32::from(failure.class == FailureClass::User);
            let wrong_codes = row.wrong_codes.saturating_add(wrong);
            let over = wrong_codes >= MAX_WRONG_CODES;
            let status = if over { SignUpStatus::Failed } else { SignUpStatus::CodeSent };
            Ok(SignUpEvent::CodeRefused { sign_up, failure, wrong_codes, status })
        }
        // The number is known, so nothing pays with it.
        (SignUpStatus::Cancelled, SignUpAnswer::Signed { agreement }) if row.agreement.is_none() => {
            name_fits(&agreement, "agreement")?;
            Ok(SignUpEvent::Signed { sign_up, agreement, status: SignUpStatus::Cancelled })
        }
        // An answer that comes late is one: the agreement stands.
        (
            SignUpStatus::Confirming | SignUpStatus::CodeSent | SignUpStatus::Expired | SignUpStatus::Failed,
            SignUpAnswer::Signed { agreement },
        ) => {
            name_fits(&agreement, "agreement")?;
            Ok(SignUpEvent::Signed { sign_up, agreement, status: SignUpStatus::Signed })
        }
        (
            SignUpStatus::Requested
            | SignUpStatus::CodeSent
            | SignUpStatus::Confirming
            | SignUpStatus::Signed
            | SignUpStatus::Failed
            | SignUpStatus::Expired
            | SignUpStatus::Cancelled,
            SignUpAnswer::CodeSent | SignUpAnswer::Signed { .. } | SignUpAnswer::Refused(_),
        ) => Err(state(row, "this answer is not awaited")),
    }
}

/// Its time is over.
pub(crate) fn expire(draft: &mut Draft<'_>, id: SignUpId) {
    draft.emit(Event::SignUp(SignUpEvent::Expired(id)));
}

impl State {
    /// The signing of this id.
    ///
    /// # Errors
    /// `sign_up_unknown`.
    pub fn sign_up(&self, id: SignUpId) -> Result<&SignUp, Refusal> {
        let unknown = || Refusal::new(RefusalCode::SignUpUnknown, "sign_up", format!("there is no signing {id}"));
        self.sign_ups.get(id.0).ok_or_else(unknown)
    }

    /// A customer's that wait or are signed, the oldest first.
    pub fn sign_ups_of(&self, customer: CustomerId) -> impl Iterator<Item = &SignUp> {
        let all = (customer, SignUpId(0))..=(customer, SignUpId(u64::MAX));
        self.customer_sign_ups.range(all).filter_map(|((_, id), ())| self.sign_ups.get(id.0))
    }

    /// A customer's that are signed for the card of this token, at whichever channels, the oldest first.
    pub fn signed_by_card<'a>(&'a self, customer: CustomerId, token: &'a str) -> impl Iterator<Item = &'a SignUp> {
        let all = self.sign_ups_of(customer);
        all.filter(move |row| row.status == SignUpStatus::Signed && row.token == token)
    }

    /// Whether the card of a signing is a credit card: by what any of its signings says that stand, at whichever channels.
    #[must_use]
    pub fn is_credit_card(&self, row: &SignUp) -> bool {
        row.credit || self.signed_by_card(row.customer, &row.token).any(|other| other.credit)
    }

    /// Those whose channel was asked and has not answered, the oldest first.
    pub fn asked_sign_ups(&self) -> impl Iterator<Item = &SignUp> {
        self.asked_sign_ups.iter().filter_map(|(id, ())| self.sign_ups.get(id.0))
    }
}
