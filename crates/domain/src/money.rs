//! Money: whole minor units (分 for yuan) and a currency. No float, every addition checked.

use alloc::format;

use minicbor::{Decode, Encode};

use crate::refusal::{Refusal, RefusalCode};

/// An amount in minor units. Amounts in commands and entries are above zero; balances may be below.
pub type Minor = i64;

/// A currency this platform keeps books in. Its CBOR number is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Currency {
    /// Renminbi, 2 decimals.
    #[n(0)]
    Cny,
    /// Hong Kong dollar, 2 decimals.
    #[n(1)]
    Hkd,
    /// United States dollar, 2 decimals.
    #[n(2)]
    Usd,
    /// Euro, 2 decimals.
    #[n(3)]
    Eur,
    /// Yen, no decimals.
    #[n(4)]
    Jpy,
    /// Czech koruna, 2 decimals.
    #[n(5)]
    Czk,
}

impl Currency {
    /// Every currency, in the order of its number.
    pub const ALL: [Self; 6] = [Self::Cny, Self::Hkd, Self::Usd, Self::Eur, Self::Jpy, Self::Czk];

    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
            Self::Hkd => "HKD",
            Self::Usd => "USD",
            Self::Eur => "EUR",
            Self::Jpy => "JPY",
            Self::Czk => "CZK",
        }
    }

    /// How many decimals the major unit has (ISO 4217).
    #[must_use]
    pub const fn scale(self) -> u32 {
        match self {
            Self::Cny | Self::Hkd | Self::Usd | Self::Eur | Self::Czk => 2,
            Self::Jpy => 0,
        }
    }

    /// The currency of an ISO 4217 code.
    ///
    /// # Errors
    /// `currency_unknown` for a code without books here.
    pub fn parse(code: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|currency| currency.code() == code).ok_or_else(|| {
            let message = format!("no books are kept in '{code:.8}'; known are CNY, HKD, USD, EUR, JPY, CZK");
            Refusal::new(RefusalCode::CurrencyUnknown, "currency", message)
        })
    }
}

/// `a + b`, or a refusal that names the parameter.
///
/// # Errors
/// `amount_overflow` beyond ±9.2 × 10^18 minor units.
pub fn add(a: Minor, b: Minor, param: &'static str) -> Result<Minor, Refusal> {
    a.checked_add(b).ok_or_else(|| overflow(a, b, param))
}

/// `a − b`, or a refusal that names the parameter.
///
/// # Errors
/// `amount_overflow` beyond ±9.2 × 10^18 minor units.
pub fn subtract(a: Minor, b: Minor, param: &'static str) -> Result<Minor, Refusal> {
    a.checked_sub(b).ok_or_else(|| overflow(a, b, param))
}

fn overflow(a: Minor, b: Minor, param: &'static str) -> Refusal {
    let message = format!("{a} and {b} together leave the range of 64-bit minor units; use smaller amounts");
    Refusal::new(RefusalCode::AmountOverflow, param, message)
}

/// Refuses zero and negative amounts.
///
/// # Errors
/// `amount_not_positive`.
pub fn positive(amount: Minor, param: &'static str) -> Result<Minor, Refusal> {
    if amount > 0 {
        return Ok(amount);
    }
    let message = format!("{amount} is not above zero; amounts are whole minor units above zero");
    Err(Refusal::new(RefusalCode::AmountNotPositive, param, message))
}

/// `amount × part / whole`, half up, without a float. All three at or above zero, `whole` above zero.
///
/// # Errors
/// `amount_overflow` if the result does not fit.
pub fn proportion(amount: Minor, part: Minor, whole: Minor) -> Result<Minor, Refusal> {
    let product = i128::from(amount).checked_mul(i128::from(part));
    let whole = i128::from(whole);
    product
        .and_then(|product| product.checked_mul(2)?.checked_add(whole)?.checked_div(whole.checked_mul(2)?))
        .and_then(|result| Minor::try_from(result).ok())
        .ok_or_else(|| overflow(amount, part, "amount"))
}

/// A rate in hundredths of a basis point: 1,000,000 is the whole. 0.60 % is 6,000.
pub const RATE_WHOLE: Minor = 1_000_000;

/// The fee of `amount` at `rate` (parts in [`RATE_WHOLE`]), half up to the minor unit.
///
/// # Errors
/// `amount_overflow`.
pub fn fee(amount: Minor, rate: Minor) -> Result<Minor, Refusal> {
    proportion(amount, rate, RATE_WHOLE)
}

/// How a part of an amount becomes whole minor units (舍入规则).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Rounding {
    /// To the nearest, a half up (四舍五入).
    #[default]
    #[n(0)]
    HalfUp,
    /// What is not whole falls away.
    #[n(1)]
    Down,
    /// What is not whole counts as one.
    #[n(2)]
    Up,
}

impl Rounding {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::HalfUp, Self::Down, Self::Up];

    /// The name in API and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfUp => "half_up",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// The fee of `amount` at `rate` (parts in [`RATE_WHOLE`]) by a rule of rounding; both at or above zero.
///
/// # Errors
/// `amount_overflow`.
pub fn fee_by(amount: Minor, rate: Minor, rounding: Rounding) -> Result<Minor, Refusal> {
    /// One part less than the whole.
    const ALL_BUT_ONE: Minor = 999_999;
    let up = match rounding {
        Rounding::HalfUp => return fee(amount, rate),
        Rounding::Down => 0,
        Rounding::Up => ALL_BUT_ONE,
    };
    let product = i128::from(amount).checked_mul(i128::from(rate));
    product
        .and_then(|product| product.checked_add(i128::from(up))?.checked_div(i128::from(RATE_WHOLE)))
        .and_then(|result| Minor::try_from(result).ok())
        .ok_or_else(|| overflow(amount, rate, "amount"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_round_half_up_to_the_minor_unit() {
        assert_eq!(fee(1_000_000, 6_000), Ok(6_000));
        assert_eq!(fee(83, 6_000), Ok(0));
        assert_eq!(fee(84, 6_000), Ok(1));
        assert_eq!(proportion(1, 1, 2), Ok(1));
        assert_eq!(proportion(10, 1, 3), Ok(3));
    }

    #[test]
    fn a_rule_of_rounding_says_what_becomes_of_a_part_of_a_minor_unit() {
        // 0.60 % of 83 is 0.498, of 84 it is 0.504, of 500 it is 3.
        for (rounding, of_83, of_84) in [(Rounding::HalfUp, 0, 1), (Rounding::Down, 0, 0), (Rounding::Up, 1, 1)] {
            let found = [83, 84, 500].map(|amount| fee_by(amount, 6_000, rounding));
            assert_eq!(found, [Ok(of_83), Ok(of_84), Ok(3)], "{}", rounding.name());
        }
        assert_eq!(fee_by(Minor::MAX, RATE_WHOLE, Rounding::Up), Ok(Minor::MAX));
        let overflow = fee_by(Minor::MAX, 1_000_001, Rounding::Down).unwrap_err();
        assert_eq!(overflow.code, RefusalCode::AmountOverflow);
    }

    #[test]
    fn overflow_is_a_refusal() {
        assert_eq!(add(Minor::MAX, 1, "amount").unwrap_err().code, RefusalCode::AmountOverflow);
        assert_eq!(subtract(Minor::MIN, 1, "amount").unwrap_err().code, RefusalCode::AmountOverflow);
        assert_eq!(proportion(Minor::MAX, Minor::MAX, 1).unwrap_err().code, RefusalCode::AmountOverflow);
    }

    #[test]
    fn zero_and_negative_amounts_are_refused() {
        for amount in [0, -1, Minor::MIN] {
            assert_eq!(positive(amount, "amount").unwrap_err().code, RefusalCode::AmountNotPositive);
        }
    }
}
