//! Real-name checks (实名核验): a bank says whether name, certificate, card and phone are one person's. Nobody signs anything.
//!
//! ```text
//!  request ─► REQUESTED ─ sent once, before `send_before` ─► the bank compared ─► MATCHED: the customer is verified
//!                 │   │                                      │               └──► MISMATCHED
//!                 │   ├ refused, or it could not be sent ─► FAILED              nothing is known of the person
//!                 │   └ the channel never had it ─────────► NOT_FOUND           nothing is known of the person
//!                 └ no answer ─► UNKNOWN ─ asked about until it is one of those four, and never sent again
//! ```
//! Name and certificate are the registered customer's. With the card they are three elements (三要素), with the phone that the bank knows
//! four (四要素). What matched is kept with the customer as a level: that of the check with the most elements, and of those the newest.
//!
//! A mismatch is the holder's: the elements are not one person's, or there is no such card. Whatever is the bank's or a system's says
//! nothing of the person.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use minicbor::{Decode, Encode};

use crate::attempt::{self, FailureClass, Rail, SEND_WITHIN_MS};
use crate::command::Reply;
use crate::customer::{CustomerKind, Elements, Verification};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AttemptId, CustomerId, MerchantId, RealNameCheckId, UserId};
use crate::rates::channel::TryEnd;
use crate::refusal::{Refusal, RefusalCode};
use crate::sealed::Sealed;
use crate::sign_up;
use crate::state::State;

mod fold;
#[cfg(test)]
mod tests;

pub(crate) use self::fold::{apply, open_key};

/// Serial numbers from here on are neither an attempt's nor a signing's: no books reach so many.
const FIRST_SERIAL: u64 = 8_000_000_000_000_000;
/// How many of a customer's may be without an answer: each costs, and tells whoever asks of a card.
pub const MAX_OPEN: usize = 5;

/// Where one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RealNameCheckStatus {
    /// The channel is asked; what it said is not known.
    #[n(0)]
    Requested,
    /// It may have been asked, and no answer came: it is asked about.
    #[n(1)]
    Unknown,
    /// The elements are one person's.
    #[n(2)]
    Matched,
    /// They are not.
    #[n(3)]
    Mismatched,
    /// The bank or a system between refused to compare.
    #[n(4)]
    Failed,
    /// The channel never had it.
    #[n(5)]
    NotFound,
}

impl RealNameCheckStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Unknown, Self::Matched, Self::Mismatched, Self::Failed, Self::NotFound];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Unknown => "unknown",
            Self::Matched => "matched",
            Self::Mismatched => "mismatched",
            Self::Failed => "failed",
            Self::NotFound => "not_found",
        }
    }

    /// Whether its answer is still to come.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Requested | Self::Unknown => true,
            Self::Matched | Self::Mismatched | Self::Failed | Self::NotFound => false,
        }
    }
}

/// Why the elements do not match, or were not compared.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RealNameFailure {
    /// Whose failure.
    #[n(0)]
    pub class: FailureClass,
    /// The channel's code, or the platform's where nothing was sent.
    #[n(1)]
    pub code: String,
}

/// One real-name check.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RealNameCheck {
    /// Its id.
    #[n(0)]
    pub id: RealNameCheckId,
    /// The merchant that asked for it; none: the institution.
    #[n(1)]
    pub merchant: Option<MerchantId>,
    /// Who is checked.
    #[n(2)]
    pub user: UserId,
    /// The user's customer, whose name and certificate the bank compares.
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
    /// The phone that the bank knows; none where three elements are compared.
    #[n(9)]
    pub phone: Option<Sealed>,
    /// Where it stands.
    #[n(10)]
    pub status: RealNameCheckStatus,
    /// When it was asked for.
    #[n(11)]
    pub requested_at: Time,
    /// From here on it is not sent.
    #[n(12)]
    pub send_before: Time,
    /// Why it did not match.
    #[n(13)]
    pub failure: Option<RealNameFailure>,
    /// When its answer came.
    #[n(14)]
    pub ended_at: Option<Time>,
}

impl RealNameCheck {
    /// The serial number that the channel knows it by: as an attempt's, with numbers that no attempt reaches.
    #[must_use]
    pub fn serial(&self) -> String {
        attempt::serial(AttemptId(FIRST_SERIAL.saturating_add(self.id.0)), self.requested_at)
    }

    /// How many elements are compared.
    #[must_use]
    pub const fn elements(&self) -> Elements {
        if self.phone.is_some() { Elements::Four } else { Elements::Three }
    }

    /// What its end is in the channel's rates; none while it is open.
    pub(crate) fn end(&self) -> Option<TryEnd> {
        let of = |failure: &RealNameFailure| TryEnd::Failure(failure.class);
        match self.status {
            RealNameCheckStatus::Requested | RealNameCheckStatus::Unknown => None,
            RealNameCheckStatus::Matched => Some(TryEnd::Success),
            RealNameCheckStatus::NotFound => Some(TryEnd::NotFound),
            RealNameCheckStatus::Mismatched | RealNameCheckStatus::Failed => self.failure.as_ref().map(of),
        }
    }
}

/// Asks for a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRealNameCheck {
    /// The merchant that asks; none: the institution.
    pub merchant: Option<MerchantId>,
    /// Who is checked.
    pub user: UserId,
    /// At which network.
    pub rail: Rail,
    /// The bank's interbank number, 12 digits.
    pub bank: String,
    /// Whether it is a credit card.
    pub credit: bool,
    /// The card's number.
    pub account: Sealed,
    /// The token of that number.
    pub token: String,
    /// The phone that the bank knows, if that is compared too.
    pub phone: Option<Sealed>,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealNameAnswer {
    /// The elements are one person's.
    Matched,
    /// Refused: of class USER they are not one person's; any other says nothing of the person.
    Refused(RealNameFailure),
    /// The channel never had it, and cannot have it any more.
    NotFound,
    /// It may have it, and nothing that proves something came.
    Unknown,
}

/// What is wanted of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealNameCheckCommand {
    /// Ask for it.
    Request(Box<RequestRealNameCheck>),
    /// The channel answered, or did not.
    Answer {
        /// Which one.
        check: RealNameCheckId,
        /// What became of it.
        answer: RealNameAnswer,
    },
}

/// What happened to one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RealNameCheckEvent {
    /// It was asked for.
    #[n(0)]
    Requested(#[n(0)] Box<RealNameCheck>),
    /// No answer came.
    #[n(1)]
    Unknown(#[n(0)] RealNameCheckId),
    /// Its answer came.
    #[n(2)]
    Ended {
        /// Which one.
        #[n(0)]
        check: RealNameCheckId,
        /// Where it stands now.
        #[n(1)]
        status: RealNameCheckStatus,
        /// Why it did not match.
        #[n(2)]
        failure: Option<RealNameFailure>,
    },
    /// What matched is the customer's level from now on.
    #[n(3)]
    Verified {
        /// Whose.
        #[n(0)]
        customer: CustomerId,
        /// What it is.
        #[n(1)]
        verification: Verification,
    },
}

/// Asks for a check, or takes its answer.
///
/// # Errors
/// Request: `user_unknown`, `merchant_unknown`, `value_invalid` for the bank and for a user who is no person, `instrument_not_allowed` for
/// the network, `blocked`, `real_name_check_state` where as many of the customer's wait as may. Answer: `real_name_check_unknown`,
/// `real_name_check_state`.
pub fn decide(draft: &mut Draft<'_>, command: RealNameCheckCommand) -> Result<Reply, Refusal> {
    match command {
        RealNameCheckCommand::Request(command) => request(draft, *command),
        RealNameCheckCommand::Answer { check, answer } => take_answer(draft, check, answer),
    }
}

fn request(draft: &mut Draft<'_>, command: RequestRealNameCheck) -> Result<Reply, Refusal> {
    let RequestRealNameCheck { merchant, user, rail, bank, credit, account, token, phone } = command;
    let customer = draft.state.user(user)?.customer;
    match draft.state.customer(customer)?.kind {
        CustomerKind::Person => {}
        CustomerKind::Company => {
            let message = format!("{user} is a company's; a real name is a person's");
            return Err(Refusal::new(RefusalCode::ValueInvalid, "user", message));
        }
    }
    let now = draft.context.now;
    sign_up::check_card(draft.state, now, (user, merchant), (rail, "compared"), (&bank, &token))?;
    let open = draft.state.open_real_name_checks_of(customer).count();
    if open >= MAX_OPEN {
        let message = format!("{open} checks of {customer} have no answer yet; wait for one");
        return Err(Refusal::new(RefusalCode::RealNameCheckState, "user", message));
    }
    let id = RealNameCheckId(draft.state.real_name_checks.next_id());
    draft.emit(Event::RealNameCheck(RealNameCheckEvent::Requested(Box::new(RealNameCheck {
        id,
        merchant,
        user,
        customer,
        rail,
        bank,
        credit,
        account,
        token,
        phone,
        status: RealNameCheckStatus::Requested,
        requested_at: now,
        send_before: now.plus_ms(SEND_WITHIN_MS),
        failure: None,
        ended_at: None,
    }))));
    Ok(Reply::RealNameCheck(id))
}

fn take_answer(draft: &mut Draft<'_>, check: RealNameCheckId, answer: RealNameAnswer) -> Result<Reply, Refusal> {
    let row = draft.state.real_name_check(check)?;
    let (customer, elements, rail) = (row.customer, row.elements(), row.rail);
    let was_unknown = match row.status {
        RealNameCheckStatus::Requested => false,
        RealNameCheckStatus::Unknown => true,
        RealNameCheckStatus::Matched
        | RealNameCheckStatus::Mismatched
        | RealNameCheckStatus::Failed
        | RealNameCheckStatus::NotFound => {
            let message = format!("{check} is {}: its answer came before", row.status.name());
            return Err(Refusal::new(RefusalCode::RealNameCheckState, "real_name_check", message));
        }
    };
    let ended = |status, failure| Event::RealNameCheck(RealNameCheckEvent::Ended { check, status, failure });
    match answer {
        RealNameAnswer::Unknown if was_unknown => {}
        RealNameAnswer::Unknown => draft.emit(Event::RealNameCheck(RealNameCheckEvent::Unknown(check))),
        RealNameAnswer::NotFound => draft.emit(ended(RealNameCheckStatus::NotFound, None)),
        RealNameAnswer::Refused(failure) => {
            let status = match failure.class {
                FailureClass::User => RealNameCheckStatus::Mismatched,
                FailureClass::Risk | FailureClass::Bank | FailureClass::System => RealNameCheckStatus::Failed,
            };
            draft.emit(ended(status, Some(failure)));
        }
        RealNameAnswer::Matched => {
            draft.emit(ended(RealNameCheckStatus::Matched, None));
            let before = draft.state.customer(customer)?.verification;
            if before.is_none_or(|before| before.elements <= elements) {
                let verification = Verification { elements, check, rail, at: draft.context.now };
                draft.emit(Event::RealNameCheck(RealNameCheckEvent::Verified { customer, verification }));
            }
        }
    }
    Ok(Reply::RealNameCheck(check))
}

impl State {
    /// The real-name check of this id.
    ///
    /// # Errors
    /// `real_name_check_unknown`.
    pub fn real_name_check(&self, id: RealNameCheckId) -> Result<&RealNameCheck, Refusal> {
        let unknown = || {
            let message = format!("there is no real-name check {id}");
            Refusal::new(RefusalCode::RealNameCheckUnknown, "real_name_check", message)
        };
        self.real_name_checks.get(id.0).ok_or_else(unknown)
    }

    /// Those without an answer.
    pub fn open_real_name_checks(&self) -> impl Iterator<Item = &RealNameCheck> {
        self.open_real_name_checks.iter().filter_map(|((_, id), ())| self.real_name_checks.get(id.0))
    }

    /// Those of a customer without an answer.
    fn open_real_name_checks_of(&self, customer: CustomerId) -> impl Iterator<Item = &RealNameCheck> {
        let all = (customer, RealNameCheckId(0))..=(customer, RealNameCheckId(u64::MAX));
        self.open_real_name_checks.range(all).filter_map(|((_, id), ())| self.real_name_checks.get(id.0))
    }
}
