//! Acquiring (收单): a merchant takes cards at terminals under a merchant number, a category, a fee plan and limits.
//!
//! ```text
//!  open ─► ACTIVE ◄─ resume ─┐
//!             └─── suspend ─► SUSPENDED      (no card is taken; refunds and reversals go on)
//! ```
//! The merchant number (商户号) has 15 digits: acquirer 3, area 4, category 4 (MCC), serial 4. The serial is ours, dense
//! within the three others. A merchant has one number a category. Limits bind a single transaction and a day, by card type;
//! the sums of the day stand here, and what was declined, voided or reversed on that day is given back.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

use crate::approval::check_text;
use crate::calendar::Date;
use crate::card_fee::CardType;
use crate::command::Reply;
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AcquiringId, MerchantId};
use crate::money::{Minor, add, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// A merchant number (商户号): 15 digits, of which the first 3 name the acquirer (收单机构).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct MerchantNumber(#[n(0)] u64);

const SERIALS: u64 = 10_000;
const CATEGORIES: u64 = 10_000;
const AREAS: u64 = 10_000;

impl MerchantNumber {
    /// The number of these parts; nothing where one has too many digits.
    #[must_use]
    pub const fn of(acquirer: u16, area: u16, category: u16, serial: u16) -> Option<Self> {
        if acquirer > 999 || area > 9_999 || category > 9_999 || serial > 9_999 {
            return None;
        }
        let institution = acquirer as u64 * AREAS + area as u64;
        Some(Self((institution * CATEGORIES + category as u64) * SERIALS + serial as u64))
    }

    /// The acquirer's 3 digits.
    #[must_use]
    pub const fn acquirer(self) -> u64 {
        self.0 / (AREAS * CATEGORIES * SERIALS)
    }

    /// The category's 4 digits (MCC).
    #[must_use]
    pub const fn category(self) -> u64 {
        self.0 / SERIALS % CATEGORIES
    }

    /// The serial's 4 digits.
    #[must_use]
    pub const fn serial(self) -> u64 {
        self.0 % SERIALS
    }
}

impl fmt::Display for MerchantNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:015}", self.0)
    }
}

impl fmt::Debug for MerchantNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no merchant number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a merchant number; it has 15 digits: acquirer 3, area 4, category 4, serial 4")]
pub struct MerchantNumberError {
    /// What was given.
    pub text: String,
}

impl FromStr for MerchantNumber {
    type Err = MerchantNumberError;

    fn from_str(text: &str) -> Result<Self, MerchantNumberError> {
        let digits = Some(text).filter(|text| text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| MerchantNumberError { text: format!("{text:.32}") })
    }
}

/// How much a merchant takes of one type of card, in fen; none is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct CardLimit {
    /// The most of one transaction.
    #[n(0)]
    pub single: Option<Minor>,
    /// The most of a day.
    #[n(1)]
    pub daily: Option<Minor>,
}

/// What the network's rules bound; they differ by acquirer and are none of law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CardRules {
    /// How much of a pre-authorisation its completion may come to, in per cent.
    #[n(0)]
    pub completion_percent: u16,
    /// How many days a pre-authorisation holds.
    #[n(1)]
    pub preauthorisation_days: u16,
    /// How much of a sale its tip may come to, in per cent.
    #[n(2)]
    pub tip_percent: u16,
}

impl Default for CardRules {
    fn default() -> Self {
        Self { completion_percent: 115, preauthorisation_days: 30, tip_percent: 20 }
    }
}

/// What a merchant takes under, beside its number.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AcquiringTerms {
    /// The name of its plan of card fees.
    #[n(0)]
    pub fee_plan: String,
    /// Of debit cards.
    #[n(1)]
    pub debit: CardLimit,
    /// Of credit cards.
    #[n(2)]
    pub credit: CardLimit,
    /// What the network's rules bound.
    #[n(3)]
    pub rules: CardRules,
}

/// What was taken on a day, in fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CardUse {
    /// The day.
    #[n(0)]
    pub date: Date,
    /// Of debit cards.
    #[n(1)]
    pub debit: Minor,
    /// Of credit cards.
    #[n(2)]
    pub credit: Minor,
}

impl CardUse {
    const fn of(&self, card: CardType) -> Minor {
        match card {
            CardType::Debit => self.debit,
            CardType::Credit => self.credit,
        }
    }

    const fn with(self, card: CardType, amount: Minor) -> Self {
        match card {
            CardType::Debit => Self { debit: amount, ..self },
            CardType::Credit => Self { credit: amount, ..self },
        }
    }
}

/// Why and by whom it takes no cards for now.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AcquiringSuspension {
    /// Why.
    #[n(0)]
    pub reason: String,
    /// When.
    #[n(1)]
    pub at: Time,
    /// Who.
    #[n(2)]
    pub by: String,
}

/// A merchant's acquiring.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Acquiring {
    /// Its id.
    #[n(0)]
    pub id: AcquiringId,
    /// The merchant.
    #[n(1)]
    pub merchant: MerchantId,
    /// Its number at the network.
    #[n(2)]
    pub number: MerchantNumber,
    /// What it takes under.
    #[n(3)]
    pub terms: AcquiringTerms,
    /// Why it takes nothing for now.
    #[n(4)]
    pub suspended: Option<AcquiringSuspension>,
    /// What it took on the last day it took anything.
    #[n(5)]
    pub used: Option<CardUse>,
    /// When it was opened.
    #[n(6)]
    pub opened_at: Time,
    /// Who opened it.
    #[n(7)]
    pub opened_by: String,
}

impl Acquiring {
    /// The name of where it stands in API and files.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.suspended.is_some() { "suspended" } else { "active" }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        if self.suspended.is_some() { &["resume", "change"] } else { &["suspend", "change"] }
    }

    const fn limit(&self, card: CardType) -> CardLimit {
        match card {
            CardType::Debit => self.terms.debit,
            CardType::Credit => self.terms.credit,
        }
    }

    fn used_on(&self, today: Date) -> CardUse {
        let fresh = CardUse { date: today, debit: 0, credit: 0 };
        self.used.filter(|used| used.date == today).unwrap_or(fresh)
    }

    /// The sums of the day with `amount` in them.
    ///
    /// # Errors
    /// `limit_exceeded`, naming what is left.
    pub(crate) fn take(&self, card: CardType, amount: Minor, today: Date) -> Result<CardUse, Refusal> {
        let (limit, used) = (self.limit(card), self.used_on(today));
        if let Some(single) = limit.single.filter(|single| amount > *single) {
            let message = format!("{} takes at most {single} of a {} card at once", self.number, card.name());
            return Err(Refusal::new(RefusalCode::LimitExceeded, "amount", message));
        }
        let sum = add(used.of(card), amount, "amount")?;
        if let Some(daily) = limit.daily.filter(|daily| sum > *daily) {
            let left = daily.saturating_sub(used.of(card)).max(0);
            let message =
                format!("{} has {left} left of {daily} a day of {} cards, not {amount}", self.number, card.name());
            return Err(Refusal::new(RefusalCode::LimitExceeded, "amount", message));
        }
        Ok(used.with(card, sum))
    }

    /// The sums of the day without `amount`, if it was taken on that day.
    pub(crate) fn give_back(&self, card: CardType, amount: Minor, taken_on: Date) -> Option<CardUse> {
        let used = self.used.filter(|used| used.date == taken_on)?;
        Some(used.with(card, used.of(card).saturating_sub(amount).max(0)))
    }

    /// # Errors
    /// `acquiring_state` while it is suspended.
    pub(crate) fn require_active(&self) -> Result<(), Refusal> {
        match &self.suspended {
            None => Ok(()),
            Some(_) => {
                let message = format!("{} is suspended and takes no card now", self.number);
                Err(Refusal::new(RefusalCode::AcquiringState, "merchant", message))
            }
        }
    }
}

/// Opens a merchant's acquiring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAcquiring {
    /// The merchant.
    pub merchant: MerchantId,
    /// The institution's own number at the network, 3 digits.
    pub acquirer: u16,
    /// The network's number of the area, 4 digits.
    pub area: u16,
    /// The merchant's category, 4 digits (MCC).
    pub category: u16,
    /// What it takes under.
    pub terms: AcquiringTerms,
}

/// What is wanted of acquiring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcquiringCommand {
    /// Open a merchant's.
    Open(OpenAcquiring),
    /// Change what it takes under.
    Change {
        /// The acquiring.
        acquiring: AcquiringId,
        /// From now on.
        terms: AcquiringTerms,
    },
    /// Take no cards.
    Suspend {
        /// The acquiring.
        acquiring: AcquiringId,
        /// Why; 1 to 512 bytes.
        reason: String,
    },
    /// Take cards again.
    Resume(AcquiringId),
}

/// What happened to acquiring.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AcquiringEvent {
    /// A merchant's was opened.
    #[n(0)]
    Opened(#[n(0)] Acquiring),
    /// What it takes under changed.
    #[n(1)]
    Changed {
        /// The acquiring.
        #[n(0)]
        acquiring: AcquiringId,
        /// From now on.
        #[n(1)]
        terms: AcquiringTerms,
        /// Who said so.
        #[n(2)]
        by: String,
    },
    /// It takes no cards.
    #[n(2)]
    Suspended {
        /// The acquiring.
        #[n(0)]
        acquiring: AcquiringId,
        /// Why.
        #[n(1)]
        suspension: AcquiringSuspension,
    },
    /// It takes cards again.
    #[n(3)]
    Resumed {
        /// The acquiring.
        #[n(0)]
        acquiring: AcquiringId,
        /// Who said so.
        #[n(1)]
        by: String,
    },
}

/// Decides a step of acquiring.
///
/// # Errors
/// `merchant_unknown`, `acquiring_unknown`, `acquiring_state`, `already_exists` for a second number of a category,
/// `card_fee_unknown`, `amount_not_positive` for a bound, `value_invalid`.
pub fn decide(draft: &mut Draft<'_>, command: AcquiringCommand) -> Result<Reply, Refusal> {
    match command {
        AcquiringCommand::Open(command) => open(draft, command),
        AcquiringCommand::Change { acquiring, terms } => {
            draft.state.acquiring(acquiring)?;
            check_terms(draft, &terms)?;
            let by = draft.operator();
            draft.emit(Event::Acquiring(AcquiringEvent::Changed { acquiring, terms, by }));
            Ok(Reply::Acquiring(acquiring))
        }
        AcquiringCommand::Suspend { acquiring, reason } => {
            draft.state.acquiring(acquiring)?.require_active()?;
            check_text(&reason, "reason")?;
            let suspension = AcquiringSuspension { reason, at: draft.context.now, by: draft.operator() };
            draft.emit(Event::Acquiring(AcquiringEvent::Suspended { acquiring, suspension }));
            Ok(Reply::Acquiring(acquiring))
        }
        AcquiringCommand::Resume(acquiring) => {
            if draft.state.acquiring(acquiring)?.suspended.is_none() {
                let message = format!("{acquiring} is not suspended");
                return Err(Refusal::new(RefusalCode::AcquiringState, "acquiring", message));
            }
            let by = draft.operator();
            draft.emit(Event::Acquiring(AcquiringEvent::Resumed { acquiring, by }));
            Ok(Reply::Acquiring(acquiring))
        }
    }
}

fn open(draft: &mut Draft<'_>, command: OpenAcquiring) -> Result<Reply, Refusal> {
    let OpenAcquiring { merchant, acquirer, area, category, terms } = command;
    draft.state.merchant(merchant)?;
    check_terms(draft, &terms)?;
    if let Some(known) = draft.state.acquiring_of(merchant, category.into()) {
        let message = format!("{merchant} takes cards of category {category:04} under {} already", known.number);
        return Err(Refusal::new(RefusalCode::AlreadyExists, "category", message));
    }
    let number = next_number(draft.state, acquirer, area, category)?;
    let id = AcquiringId(draft.state.acquirings.next_id());
    draft.emit(Event::Acquiring(AcquiringEvent::Opened(Acquiring {
        id,
        merchant,
        number,
        terms,
        suspended: None,
        used: None,
        opened_at: draft.context.now,
        opened_by: draft.operator(),
    })));
    Ok(Reply::Acquiring(id))
}

fn next_number(state: &State, acquirer: u16, area: u16, category: u16) -> Result<MerchantNumber, Refusal> {
    let of = |serial| MerchantNumber::of(acquirer, area, category, serial);
    let (Some(first), Some(last)) = (of(0), of(9_999)) else {
        let message = format!("acquirer {acquirer}, area {area}, category {category}: use 3, 4 and 4 digits");
        return Err(Refusal::new(RefusalCode::ValueInvalid, "category", message));
    };
    let latest = state.merchant_numbers.range(first..=last).next_back().map_or(first, |(number, _)| *number);
    let serial = u16::try_from(latest.serial()).ok().and_then(|serial| serial.checked_add(1));
    serial.and_then(of).ok_or_else(|| {
        let message = format!("all 9,999 serials of acquirer {acquirer}, area {area}, category {category} are given");
        Refusal::new(RefusalCode::ValueInvalid, "category", message)
    })
}

fn check_terms(draft: &Draft<'_>, terms: &AcquiringTerms) -> Result<(), Refusal> {
    draft.state.card_fee_plan(&terms.fee_plan, Date::in_shanghai(draft.context.now))?;
    for (limit, param) in [(terms.debit, "debit"), (terms.credit, "credit")] {
        for bound in [limit.single, limit.daily].into_iter().flatten() {
            positive(bound, param)?;
        }
    }
    let CardRules { completion_percent, preauthorisation_days, tip_percent } = terms.rules;
    if !(100..=200).contains(&completion_percent) || !(1..=90).contains(&preauthorisation_days) || tip_percent > 100 {
        let message = format!(
            "{completion_percent} %, {preauthorisation_days} days, {tip_percent} %: use 100 to 200 % for a completion, \
             1 to 90 days for a pre-authorisation, 0 to 100 % for a tip"
        );
        return Err(Refusal::new(RefusalCode::ValueInvalid, "rules", message));
    }
    Ok(())
}

impl State {
    /// The acquiring.
    ///
    /// # Errors
    /// `acquiring_unknown`.
    pub fn acquiring(&self, id: AcquiringId) -> Result<&Acquiring, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::AcquiringUnknown, "acquiring", format!("there is no acquiring {id}"));
        self.acquirings.get(id.0).ok_or_else(unknown)
    }

    /// What goes by a merchant number.
    ///
    /// # Errors
    /// `acquiring_unknown`.
    pub fn acquiring_by_number(&self, number: MerchantNumber) -> Result<&Acquiring, Refusal> {
        let id = self.merchant_numbers.get(&number).copied().ok_or_else(|| {
            Refusal::new(RefusalCode::AcquiringUnknown, "merchant", format!("no merchant has the number {number}"))
        })?;
        self.acquiring(id)
    }

    fn acquiring_of(&self, merchant: MerchantId, category: u64) -> Option<&Acquiring> {
        self.acquiring_categories.get(&(merchant, category)).and_then(|id| self.acquirings.get(id.0))
    }
}

/// Folds what happened to acquiring into the state.
pub(crate) fn apply(state: &mut State, event: &AcquiringEvent) {
    match event {
        AcquiringEvent::Opened(acquiring) => {
            state.merchant_numbers.insert(acquiring.number, acquiring.id);
            state.acquiring_categories.insert((acquiring.merchant, acquiring.number.category()), acquiring.id);
            state.acquirings.insert(acquiring.id.0, acquiring.clone());
        }
        AcquiringEvent::Changed { acquiring, terms, .. } => row(state, *acquiring).terms.clone_from(terms),
        AcquiringEvent::Suspended { acquiring, suspension } => {
            row(state, *acquiring).suspended = Some(suspension.clone());
        }
        AcquiringEvent::Resumed { acquiring, .. } => row(state, *acquiring).suspended = None,
    }
}

/// Sets the sums of a day.
pub(crate) fn apply_used(state: &mut State, acquiring: AcquiringId, used: Option<CardUse>) {
    if let Some(used) = used {
        row(state, acquiring).used = Some(used);
    }
}

fn row(state: &mut State, id: AcquiringId) -> &mut Acquiring {
    state.acquirings.get_mut(id.0).expect("decide checked the acquiring")
}
