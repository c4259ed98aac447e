//! Exchange rates (牌价): what one currency is worth in another, from when until when, and who says so.
//!
//! ```text
//!  set (two people) ─► waits for its day ─► VALID ─► runs out
//!                        └─ withdraw ───────┴──► WITHDRAWN
//! ```
//! - A rate is exact: 1 of its base currency is `value` / 10^`decimals` of its quote currency, both whole numbers. USD/CNY
//!   7.1234 is 71234 with 4 decimals.
//! - It serves one direction: what the institution pays for a currency is not what it takes for it.
//! - It is never changed. A new one is another rate; a wrong one is withdrawn, which one person may do, since that only
//!   stops conversions.

use alloc::format;
use alloc::string::String;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::approval;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::ExchangeRateId;
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;

#[cfg(test)]
mod tests;

/// The most decimals of a rate.
pub const MAX_DECIMALS: u8 = 8;
/// The largest value of a rate: with it no product of amount, rate and scales leaves 128 bits.
pub const MAX_VALUE: i64 = 1_000_000_000_000;
/// The most bytes of a source's name.
const MAX_SOURCE: usize = 128;

/// Which way a rate converts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RateDirection {
    /// The customer gives the base currency and gets the quote currency.
    #[n(0)]
    BaseToQuote,
    /// The customer gives the quote currency and gets the base currency.
    #[n(1)]
    QuoteToBase,
}

impl RateDirection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::BaseToQuote, Self::QuoteToBase];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BaseToQuote => "base_to_quote",
            Self::QuoteToBase => "quote_to_base",
        }
    }
}

/// An exchange rate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ExchangeRate {
    /// Its id.
    #[n(0)]
    pub id: ExchangeRateId,
    /// What was set.
    #[n(1)]
    pub terms: SetExchangeRate,
    /// When it was set.
    #[n(2)]
    pub set_at: Time,
    /// Who proposed it.
    #[n(3)]
    pub operator: String,
    /// Who approved it.
    #[n(4)]
    pub approver: Option<String>,
    /// When and by whom it was withdrawn.
    #[n(5)]
    pub withdrawn: Option<Withdrawal>,
}

/// The end of a rate before its time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Withdrawal {
    /// When.
    #[n(0)]
    pub at: Time,
    /// By whom.
    #[n(1)]
    pub operator: String,
}

/// Sets a rate. It takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetExchangeRate {
    /// The currency of which one major unit is priced.
    #[n(0)]
    pub base: Currency,
    /// The currency it is priced in.
    #[n(1)]
    pub quote: Currency,
    /// Which way it converts.
    #[n(2)]
    pub direction: RateDirection,
    /// The price of one base unit in quote units, times 10^`decimals`; above zero.
    #[n(3)]
    pub value: i64,
    /// At most [`MAX_DECIMALS`].
    #[n(4)]
    pub decimals: u8,
    /// Who published it, such as a bank.
    #[n(5)]
    pub source: String,
    /// The digest of the document that shows it.
    #[n(6)]
    pub document: ByteArray<32>,
    /// It converts from then on.
    #[n(7)]
    pub valid_from: Time,
    /// It converts until before then.
    #[n(8)]
    pub valid_until: Time,
}

/// What can be done with rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeRateCommand {
    /// Set one.
    Set(SetExchangeRate),
    /// Withdraw one.
    Withdraw(ExchangeRateId),
}

impl From<SetExchangeRate> for Command {
    fn from(set: SetExchangeRate) -> Self {
        Self::ExchangeRate(ExchangeRateCommand::Set(set))
    }
}

/// What happened to rates.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ExchangeRateEvent {
    /// A rate was set.
    #[n(0)]
    Set(#[n(0)] ExchangeRate),
    /// A rate was withdrawn.
    #[n(1)]
    Withdrawn {
        /// The rate.
        #[n(0)]
        rate: ExchangeRateId,
        /// When and by whom.
        #[n(1)]
        withdrawal: Withdrawal,
    },
}

impl ExchangeRate {
    /// The currency that the customer gives.
    #[must_use]
    pub const fn sold(&self) -> Currency {
        match self.terms.direction {
            RateDirection::BaseToQuote => self.terms.base,
            RateDirection::QuoteToBase => self.terms.quote,
        }
    }

    /// The currency that the customer gets.
    #[must_use]
    pub const fn bought(&self) -> Currency {
        match self.terms.direction {
            RateDirection::BaseToQuote => self.terms.quote,
            RateDirection::QuoteToBase => self.terms.base,
        }
    }

    /// Where it stands at a time: `future`, `valid`, `expired` or `withdrawn`.
    #[must_use]
    pub fn status(&self, now: Time) -> &'static str {
        if self.withdrawn.is_some() {
            "withdrawn"
        } else if now < self.terms.valid_from {
            "future"
        } else if now < self.terms.valid_until {
            "valid"
        } else {
            "expired"
        }
    }

    /// What may be done with it at a time.
    #[must_use]
    pub fn allowed_actions(&self, now: Time) -> &'static [&'static str] {
        if matches!(self.status(now), "future" | "valid") { &["withdraw"] } else { &[] }
    }

    /// What `amount` minor units of the sold currency bring in minor units of the bought one: exact, then rounded half
    /// up to the minor unit, once.
    ///
    /// # Errors
    /// `amount_overflow` if it does not fit.
    pub fn convert(&self, amount: Minor) -> Result<Minor, Refusal> {
        let SetExchangeRate { value, decimals, .. } = &self.terms;
        let (ratio, one) = (i128::from(*value), power(u32::from(*decimals)));
        let (sold, bought) = (power(self.sold().scale()), power(self.bought().scale()));
        let (numerator, denominator) = match self.terms.direction {
            RateDirection::BaseToQuote => (ratio.checked_mul(bought), one.checked_mul(sold)),
            RateDirection::QuoteToBase => (one.checked_mul(bought), ratio.checked_mul(sold)),
        };
        half_up(amount, numerator, denominator).ok_or_else(|| {
            let message = format!("{amount} at {} leaves the range of 64-bit minor units; convert less", self.id);
            Refusal::new(RefusalCode::AmountOverflow, "amount", message)
        })
    }
}

fn power(decimals: u32) -> i128 {
    10_i128.saturating_pow(decimals)
}

/// `amount × numerator / denominator`, half up; all above zero.
fn half_up(amount: Minor, numerator: Option<i128>, denominator: Option<i128>) -> Option<Minor> {
    let (product, denominator) = (i128::from(amount).checked_mul(numerator?)?, denominator?);
    let twice = product.checked_mul(2)?.checked_add(denominator)?;
    Minor::try_from(twice.checked_div(denominator.checked_mul(2)?)?).ok()
}

/// Decides what can be done with rates.
///
/// # Errors
/// `approval_required`, `value_invalid`, `amount_not_positive` for the value, `exchange_rate_unknown`,
/// `exchange_rate_not_valid` to withdraw one that is over.
pub fn decide(draft: &mut Draft<'_>, command: ExchangeRateCommand) -> Result<Reply, Refusal> {
    match command {
        ExchangeRateCommand::Set(command) => set(draft, command),
        ExchangeRateCommand::Withdraw(rate) => withdraw(draft, rate),
    }
}

fn set(draft: &mut Draft<'_>, terms: SetExchangeRate) -> Result<Reply, Refusal> {
    check(&terms, draft.context.now)?;
    approval::require(draft, "setting an exchange rate")?;
    let id = ExchangeRateId(draft.state.exchange_rates.next_id());
    let (set_at, operator, approver) = (draft.context.now, draft.operator(), draft.approver());
    let rate = ExchangeRate { id, terms, set_at, operator, approver, withdrawn: None };
    draft.emit(Event::ExchangeRate(ExchangeRateEvent::Set(rate)));
    Ok(Reply::ExchangeRate(id))
}

fn check(terms: &SetExchangeRate, now: Time) -> Result<(), Refusal> {
    let invalid = |param, message| Err(Refusal::new(RefusalCode::ValueInvalid, param, message));
    if terms.base == terms.quote {
        return invalid("quote", format!("{} is both; a rate is between two currencies", terms.base.code()));
    }
    positive(terms.value, "value")?;
    if terms.value > MAX_VALUE || terms.decimals > MAX_DECIMALS {
        let message = format!("use a value up to {MAX_VALUE} and up to {MAX_DECIMALS} decimals");
        return invalid("value", message);
    }
    if terms.source.trim().is_empty() || terms.source.len() > MAX_SOURCE {
        let message = format!("source has {} bytes; use 1 to {MAX_SOURCE}, not only blanks", terms.source.len());
        return invalid("source", message);
    }
    if terms.valid_until <= terms.valid_from || terms.valid_until <= now {
        let message = "the rate ends before it begins or has ended; name a time later than its start and than now";
        return invalid("valid_until", String::from(message));
    }
    Ok(())
}

fn withdraw(draft: &mut Draft<'_>, id: ExchangeRateId) -> Result<Reply, Refusal> {
    let (rate, at) = (draft.state.exchange_rate(id)?, draft.context.now);
    if rate.allowed_actions(at).is_empty() {
        let message = format!("{id} is {}; only a rate that converts or will convert is withdrawn", rate.status(at));
        return Err(Refusal::new(RefusalCode::ExchangeRateNotValid, "rate", message));
    }
    let withdrawal = Withdrawal { at, operator: draft.operator() };
    draft.emit(Event::ExchangeRate(ExchangeRateEvent::Withdrawn { rate: id, withdrawal }));
    Ok(Reply::ExchangeRate(id))
}

impl State {
    /// The exchange rate.
    ///
    /// # Errors
    /// `exchange_rate_unknown`.
    pub fn exchange_rate(&self, id: ExchangeRateId) -> Result<&ExchangeRate, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::ExchangeRateUnknown, "rate", format!("there is no exchange rate {id}"));
        self.exchange_rates.get(id.0).ok_or_else(unknown)
    }
}

/// What happened to rates.
pub(crate) fn apply(state: &mut State, event: &ExchangeRateEvent) {
    match event {
        ExchangeRateEvent::Set(rate) => state.exchange_rates.insert(rate.id.0, rate.clone()),
        ExchangeRateEvent::Withdrawn { rate, withdrawal } => {
            let rate = state.exchange_rates.get_mut(rate.0).expect("decide checked the rate");
            rate.withdrawn = Some(withdrawal.clone());
        }
    }
}
