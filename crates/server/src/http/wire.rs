//! What several features write the same way on the wire: amounts, ids, dates, times, owners, entries.
//!
//! Amounts are whole minor units, currencies ISO 4217, dates `2026-03-05` (Asia/Shanghai), times RFC 3339 in UTC, ids
//! text with a prefix, states lower case.

use std::fmt;
use std::str::FromStr;

use domain::account::Owner;
use domain::book::Side;
use domain::calendar::Date;
use domain::envelope::Time;
use domain::money::{Currency, Minor};
use domain::voucher::Entry;
use minicbor::bytes::ByteArray;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::error::ApiError;

/// How the error of an amount with decimals begins; [`super::extract`] gives it its code.
pub(super) const NOT_WHOLE: &str = "an amount is a whole number of minor units";
/// How the error of an amount beyond 64 bits begins.
pub(super) const TOO_LARGE: &str = "an amount has at most 64 bits";

/// Whole minor units (分 for yuan), never a number with decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = i64, example = 500_000)]
pub(crate) struct Amount(pub(crate) Minor);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor).map(Self)
    }
}

struct AmountVisitor;

impl de::Visitor<'_> for AmountVisitor {
    type Value = Minor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of minor units, such as 1250 for 12.50")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Minor, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Minor, E> {
        Minor::try_from(value).map_err(|_| E::custom(format!("{TOO_LARGE}; {value} is more")))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Minor, E> {
        // Only to say which refusal it is: no amount is ever made of it.
        if value.abs() >= 9.3e18 {
            return Err(E::custom(format!("{TOO_LARGE}; {value:e} is more")));
        }
        Err(E::custom(format!("{NOT_WHOLE}; {value} is not: send 1250 for 12.50")))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Minor, E> {
        Err(E::custom(format!("{NOT_WHOLE}, not a text: send 1250 for 12.50")))
    }
}

/// Reads an id, a date or another text form of the domain.
pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(text: &str, param: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error: T::Err| ApiError::malformed(param, error.to_string()))
}

/// Reads a text form that need not be there.
pub(crate) fn parse_some<T: FromStr<Err: fmt::Display>>(
    text: Option<&str>,
    param: &str,
) -> Result<Option<T>, ApiError> {
    text.map(|text| parse(text, param)).transpose()
}

/// Reads one of a few words; the error lists them.
pub(crate) fn word<T: Copy>(
    text: &str,
    param: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, ApiError> {
    all.iter().copied().find(|value| name(*value).eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value).to_ascii_lowercase()).collect();
        ApiError::malformed(param, format!("'{text:.64}' is none of {}", names.join(", ")))
    })
}

/// A time as callers see it.
pub(crate) fn time_text(time: Time) -> String {
    jiff::Timestamp::from_millisecond(time.0).map_or_else(|_| "never".into(), |time| time.to_string())
}

/// Reads a time with its offset.
pub(crate) fn time(text: &str, param: &str) -> Result<Time, ApiError> {
    let time = text.parse::<jiff::Timestamp>().map_err(|_| {
        let message = format!("'{text:.64}' is not a time; times look like 2026-03-05T09:00:00+08:00");
        ApiError::malformed(param, message)
    })?;
    Ok(Time(time.as_millisecond()))
}

/// A date as callers see it.
pub(crate) fn date_text(date: Date) -> String {
    date.to_string()
}

/// Reads a SHA-256.
pub(crate) fn digest(text: &str, param: &str) -> Result<ByteArray<32>, ApiError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| {
        let message = format!("'{text:.80}' is no SHA-256; send its 64 hexadecimal digits");
        ApiError::malformed(param, message)
    })?;
    Ok(bytes.into())
}

/// An owner as callers see it.
pub(crate) fn owner_text(owner: Owner) -> String {
    match owner {
        Owner::Institution => "institution".into(),
        Owner::User(id) => id.to_string(),
        Owner::Merchant(id) => id.to_string(),
    }
}

/// Reads an owner: `usr_…`, `mch_…` or `institution`.
pub(crate) fn owner(text: &str, param: &str) -> Result<Owner, ApiError> {
    match text {
        "institution" => Ok(Owner::Institution),
        text if text.starts_with("usr_") => parse(text, param).map(Owner::User),
        text if text.starts_with("mch_") => parse(text, param).map(Owner::Merchant),
        text => Err(ApiError::malformed(param, format!("'{text:.64}' is no owner; use usr_…, mch_… or institution"))),
    }
}

/// Debit or credit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireSide {
    /// 借.
    Debit,
    /// 贷.
    Credit,
}

impl From<WireSide> for Side {
    fn from(side: WireSide) -> Self {
        match side {
            WireSide::Debit => Self::Debit,
            WireSide::Credit => Self::Credit,
        }
    }
}

impl From<Side> for WireSide {
    fn from(side: Side) -> Self {
        match side {
            Side::Debit => Self::Debit,
            Side::Credit => Self::Credit,
        }
    }
}

/// One line of a voucher.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireEntry {
    /// The account.
    #[schema(example = "acc_42")]
    pub(crate) account: String,
    /// Debit or credit.
    pub(crate) side: WireSide,
    /// Minor units above zero.
    pub(crate) amount: Amount,
    /// The account's currency.
    #[schema(example = "CNY")]
    pub(crate) currency: String,
}

impl WireEntry {
    /// How an entry is shown.
    pub(crate) fn show(entry: &Entry) -> Self {
        let (account, currency) = (entry.account.to_string(), entry.currency.code().to_owned());
        Self { account, side: entry.side.into(), amount: Amount(entry.amount), currency }
    }

    /// The entry it stands for.
    pub(crate) fn entry(&self) -> Result<Entry, ApiError> {
        Ok(Entry {
            account: parse(&self.account, "account")?,
            side: self.side.into(),
            amount: self.amount.0,
            currency: Currency::parse(&self.currency)?,
        })
    }
}
