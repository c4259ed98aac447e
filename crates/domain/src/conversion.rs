//! Conversions (结售汇, 换汇): a customer's money in one currency becomes money in another, at a rate that is on record.
//!
//! ```text
//!  convert ─► DONE ─ reverse (two people): the contra of both vouchers ─► REVERSED
//! ```
//! Two vouchers, one a currency, under one business number, `cnv_3`:
//!
//! | event | entries |
//! |---|---|
//! | `conversion_sold` | Dr 2201 or 2206 / Cr 1121, in the currency given |
//! | `conversion_bought` | Dr 1121 / Cr 2201 or 2206, in the currency got |
//! | reversed | `conversion_bought_reversed`, `conversion_sold_reversed`: the same amounts, sides turned |
//!
//! What is got is computed once from what is given, half up to the minor unit, see
//! [`crate::exchange_rate::ExchangeRate::convert`]. A reversal computes nothing: it has the amounts, and so the rate, of
//! what it reverses.

use alloc::string::String;
use alloc::{format, vec};

use minicbor::{Decode, Encode};

use crate::account::Account;
use crate::approval;
use crate::book::Subject;
use crate::command::{Command, Reply};
use crate::draft::Draft;
use crate::envelope::Time;
use crate::event::Event;
use crate::ids::{AccountId, ConversionId, ExchangeRateId, VoucherId};
use crate::money::{Currency, Minor, positive};
use crate::refusal::{Refusal, RefusalCode};
use crate::state::State;
use crate::voucher::{BusinessKind, BusinessNumber, Dimensions, Entry, EventCode};

#[cfg(test)]
mod tests;

/// The most bytes of a reason.
const MAX_REASON: usize = 256;

/// How what is got is rounded, in API and files.
pub const ROUNDING: &str = "half_up";

/// One side of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ConversionSide {
    /// The customer's account.
    #[n(0)]
    pub account: AccountId,
    /// Its currency.
    #[n(1)]
    pub currency: Currency,
    /// Minor units of it.
    #[n(2)]
    pub amount: Minor,
    /// The voucher.
    #[n(3)]
    pub voucher: VoucherId,
}

/// The end of a conversion that should not have been.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reversal {
    /// The contra of what was given.
    #[n(0)]
    pub sold: VoucherId,
    /// The contra of what was got.
    #[n(1)]
    pub bought: VoucherId,
    /// Why.
    #[n(2)]
    pub reason: String,
    /// When.
    #[n(3)]
    pub at: Time,
    /// Who proposed it.
    #[n(4)]
    pub operator: String,
    /// Who approved it.
    #[n(5)]
    pub approver: Option<String>,
}

/// A conversion.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Conversion {
    /// Its id.
    #[n(0)]
    pub id: ConversionId,
    /// The rate.
    #[n(1)]
    pub rate: ExchangeRateId,
    /// What the customer gave.
    #[n(2)]
    pub sold: ConversionSide,
    /// What the customer got.
    #[n(3)]
    pub bought: ConversionSide,
    /// When.
    #[n(4)]
    pub at: Time,
    /// Who asked for it.
    #[n(5)]
    pub operator: String,
    /// How it was reversed.
    #[n(6)]
    pub reversal: Option<Reversal>,
}

impl Conversion {
    /// Where it stands: `done` or `reversed`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.reversal.is_some() { "reversed" } else { "done" }
    }

    /// What may be done with it now.
    #[must_use]
    pub const fn allowed_actions(&self) -> &'static [&'static str] {
        if self.reversal.is_some() { &[] } else { &["reverse"] }
    }
}

/// Converts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convert {
    /// The rate.
    pub rate: ExchangeRateId,
    /// The account that gives: 2201 or 2206 in the rate's sold currency.
    pub from: AccountId,
    /// The account that gets: the same customer's, of the same subject, in the rate's bought currency.
    pub to: AccountId,
    /// Minor units of what is given, above zero.
    pub amount: Minor,
}

/// Reverses a conversion. It takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReverseConversion {
    /// The conversion.
    #[n(0)]
    pub conversion: ConversionId,
    /// Why.
    #[n(1)]
    pub reason: String,
}

/// What can be done with conversions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversionCommand {
    /// Convert.
    Convert(Convert),
    /// Reverse one.
    Reverse(ReverseConversion),
}

impl From<ReverseConversion> for Command {
    fn from(reverse: ReverseConversion) -> Self {
        Self::Conversion(ConversionCommand::Reverse(reverse))
    }
}

/// What happened to conversions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ConversionEvent {
    /// One was made.
    #[n(0)]
    Made(#[n(0)] Conversion),
    /// One was reversed.
    #[n(1)]
    Reversed {
        /// The conversion.
        #[n(0)]
        conversion: ConversionId,
        /// How.
        #[n(1)]
        reversal: Reversal,
    },
}

/// Decides what can be done with conversions.
///
/// # Errors
/// To convert: `exchange_rate_unknown`; `exchange_rate_not_valid` for one that is expired, withdrawn, not valid yet or of
/// other currencies; `account_unknown`, `account_closed`, `subject_not_allowed`, `receiver_not_allowed` for accounts that
/// are not one customer's; `amount_not_positive` also for an amount that brings nothing; those of the vouchers.
/// To reverse: `conversion_unknown`, `conversion_state`, `value_invalid`, `approval_required`, those of the vouchers.
pub fn decide(draft: &mut Draft<'_>, command: &ConversionCommand) -> Result<Reply, Refusal> {
    match command {
        ConversionCommand::Convert(command) => convert(draft, command),
        ConversionCommand::Reverse(command) => reverse(draft, command),
    }
}

fn convert(draft: &mut Draft<'_>, command: &Convert) -> Result<Reply, Refusal> {
    let state = &*draft.state;
    let rate = state.exchange_rate(command.rate)?;
    let status = rate.status(draft.context.now);
    if status != "valid" {
        let message = format!("{} is {status}; name a rate that is valid now", rate.id);
        return Err(Refusal::new(RefusalCode::ExchangeRateNotValid, "rate", message));
    }
    let (from, to) = (state.open_account(command.from, "from")?, state.open_account(command.to, "to")?);
    check_accounts(state, from, to)?;
    if (from.currency, to.currency) != (rate.sold(), rate.bought()) {
        let message = format!(
            "{} converts {} to {}, the accounts are kept in {} and {}",
            rate.id,
            rate.sold().code(),
            rate.bought().code(),
            from.currency.code(),
            to.currency.code()
        );
        return Err(Refusal::new(RefusalCode::ExchangeRateNotValid, "rate", message));
    }
    let amount = positive(command.amount, "amount")?;
    let got = rate.convert(amount)?;
    if got <= 0 {
        let message = format!("{amount} minor units bring less than half a minor unit; convert more");
        return Err(Refusal::new(RefusalCode::AmountNotPositive, "amount", message));
    }
    let (given, taken) = (from.currency, to.currency);
    let id = ConversionId(state.conversions.next_id());
    let business = BusinessNumber::object(BusinessKind::Conversion, id.0);
    let [clearing_sold, clearing_bought] = clearing(state, given, taken)?;
    let entries = vec![Entry::debit(command.from, amount, given), Entry::credit(clearing_sold, amount, given)];
    let voucher = draft.post(business.clone(), EventCode::ConversionSold, entries, Dimensions::default())?;
    let sold = ConversionSide { account: command.from, currency: given, amount, voucher };
    let entries = vec![Entry::debit(clearing_bought, got, taken), Entry::credit(command.to, got, taken)];
    let voucher = draft.post(business, EventCode::ConversionBought, entries, Dimensions::default())?;
    let bought = ConversionSide { account: command.to, currency: taken, amount: got, voucher };
    let (at, operator) = (draft.context.now, draft.operator());
    let made = Conversion { id, rate: command.rate, sold, bought, at, operator, reversal: None };
    draft.emit(Event::Conversion(ConversionEvent::Made(made)));
    Ok(Reply::Conversion(id))
}

/// Both are payment accounts of one kind and one customer.
fn check_accounts(state: &State, from: &Account, to: &Account) -> Result<(), Refusal> {
    for (account, param) in [(from, "from"), (to, "to")] {
        if !matches!(account.subject, Subject::Personal | Subject::Company) {
            let message =
                format!("{} is {}; convert between accounts of 2201 or 2206", account.id, account.subject.code());
            return Err(Refusal::new(RefusalCode::SubjectNotAllowed, param, message));
        }
    }
    let (giver, taker) = (state.customer_of(from.owner), state.customer_of(to.owner));
    if giver.is_none() || giver != taker || from.subject != to.subject {
        let message = format!(
            "{} is not an account of the customer of {} of subject {}; money changes its currency, not its owner",
            to.id,
            from.id,
            from.subject.code()
        );
        return Err(Refusal::new(RefusalCode::ReceiverNotAllowed, "to", message));
    }
    Ok(())
}

/// 1121 of both currencies.
fn clearing(state: &State, sold: Currency, bought: Currency) -> Result<[AccountId; 2], Refusal> {
    let of = |currency| state.institution(Subject::ClearingEpcc, currency);
    Ok([of(sold)?, of(bought)?])
}

fn reverse(draft: &mut Draft<'_>, command: &ReverseConversion) -> Result<Reply, Refusal> {
    let made = draft.state.conversion(command.conversion)?;
    let (id, sold, bought) = (made.id, made.sold, made.bought);
    if made.reversal.is_some() {
        let message = format!("{id} is reversed already; make a new conversion at a rate valid now");
        return Err(Refusal::new(RefusalCode::ConversionState, "conversion", message));
    }
    let reason = &command.reason;
    if reason.trim().is_empty() || reason.len() > MAX_REASON {
        let message = format!("reason has {} bytes; use 1 to {MAX_REASON}, not only blanks", reason.len());
        return Err(Refusal::new(RefusalCode::ValueInvalid, "reason", message));
    }
    approval::require(draft, "reversing a conversion")?;
    let [clearing_sold, clearing_bought] = clearing(draft.state, sold.currency, bought.currency)?;
    let business = BusinessNumber::object(BusinessKind::Conversion, id.0);
    let ConversionSide { account, currency, amount, voucher } = bought;
    let entries = vec![Entry::debit(account, amount, currency), Entry::credit(clearing_bought, amount, currency)];
    let (event, dimensions) = (EventCode::ConversionBoughtReversed, Dimensions::default());
    let back_bought = draft.post_contra(business.clone(), event, entries, dimensions, Some(voucher))?;
    let ConversionSide { account, currency, amount, voucher } = sold;
    let entries = vec![Entry::debit(clearing_sold, amount, currency), Entry::credit(account, amount, currency)];
    let (event, dimensions) = (EventCode::ConversionSoldReversed, Dimensions::default());
    let back_sold = draft.post_contra(business, event, entries, dimensions, Some(voucher))?;
    let reversal = Reversal {
        sold: back_sold,
        bought: back_bought,
        reason: reason.clone(),
        at: draft.context.now,
        operator: draft.operator(),
        approver: draft.approver(),
    };
    draft.emit(Event::Conversion(ConversionEvent::Reversed { conversion: id, reversal }));
    Ok(Reply::Conversion(id))
}

impl State {
    /// The conversion.
    ///
    /// # Errors
    /// `conversion_unknown`.
    pub fn conversion(&self, id: ConversionId) -> Result<&Conversion, Refusal> {
        let unknown =
            || Refusal::new(RefusalCode::ConversionUnknown, "conversion", format!("there is no conversion {id}"));
        self.conversions.get(id.0).ok_or_else(unknown)
    }
}

/// What happened to conversions.
pub(crate) fn apply(state: &mut State, event: &ConversionEvent) {
    match event {
        ConversionEvent::Made(made) => state.conversions.insert(made.id.0, made.clone()),
        ConversionEvent::Reversed { conversion, reversal } => {
            let made = state.conversions.get_mut(conversion.0).expect("decide checked the conversion");
            made.reversal = Some(reversal.clone());
        }
    }
}
