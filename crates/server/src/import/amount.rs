//! Amounts as other systems write them, read into minor units without a float.

use anyhow::{Result, bail};
use domain::money::{Currency, Minor};

use super::format::Unit;

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmountForm {
    unit: Unit,
    decimal_mark: char,
    group_mark: Option<char>,
    currency: Currency,
}

impl AmountForm {
    /// A form.
    ///
    /// # Errors
    /// Marks that could be taken for something else.
    pub(crate) fn new(unit: Unit, decimal_mark: char, group_mark: Option<char>, currency: Currency) -> Result<Self> {
        let is_taken = |mark: char| mark.is_ascii_digit() || matches!(mark, '+' | '-');
        if is_taken(decimal_mark) || group_mark.is_some_and(|mark| is_taken(mark) || mark == decimal_mark) {
            bail!("decimal_mark and group_mark differ from each other, from digits and from signs");
        }
        Ok(Self { unit, decimal_mark, group_mark, currency })
    }

    /// The minor units of a text, with its sign.
    ///
    /// # Errors
    /// What is wrong with it, for who mends the row.
    pub(crate) fn parse(&self, text: &str) -> Result<Minor, String> {
        let wrong = || match self.unit {
            Unit::Decimal => {
                format!("the amount '{text:.32}' is no decimal number with the mark '{}'", self.decimal_mark)
            }
            Unit::Minor => format!("the amount '{text:.32}' is no whole number of minor units"),
        };
        let (is_negative, digits) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        let (whole, part) = match digits.split_once(self.decimal_mark) {
            Some((whole, part)) if self.unit == Unit::Decimal && !part.is_empty() => (whole, part),
            Some(_) => return Err(wrong()),
            None => (digits, ""),
        };
        let whole = self.without_groups(whole).ok_or_else(wrong)?;
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(&whole) || !all_digits(part) {
            return Err(wrong());
        }
        let scale = match self.unit {
            Unit::Decimal => self.currency.scale() as usize,
            Unit::Minor => 0,
        };
        let (part, beyond) = part.split_at(part.len().min(scale));
        if beyond.bytes().any(|byte| byte != b'0') {
            let currency = self.currency.code();
            return Err(format!("the amount '{text:.32}' has more decimals than the {scale} of {currency}"));
        }
        let minor = format!("{}{whole}{part:0<scale$}", if is_negative { "-" } else { "" });
        minor.parse().map_err(|_| format!("the amount '{text:.32}' leaves the range of 64-bit minor units"))
    }

    /// The digits without marks between groups of three; `None` if the marks stand elsewhere.
    fn without_groups(&self, whole: &str) -> Option<String> {
        let Some(mark) = self.group_mark.filter(|mark| whole.contains(*mark)) else { return Some(whole.to_owned()) };
        let groups: Vec<&str> = whole.split(mark).collect();
        let (first, others) = groups.split_first()?;
        ((1..=3).contains(&first.len()) && others.iter().all(|group| group.len() == 3)).then(|| groups.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Result<Minor, String> {
        AmountForm::new(Unit::Decimal, '.', Some(','), Currency::Czk).unwrap().parse(text)
    }

    #[test]
    fn decimals_become_minor_units_exactly() {
        let cases = [
            ("0", 0),
            ("700.00", 70_000),
            ("700.0", 70_000),
            ("700", 70_000),
            ("0.29", 29),
            ("-0.05", -5),
            ("+1.5", 150),
            ("1,234,567.89", 123_456_789),
            ("12.340", 1_234),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.08", i64::MIN),
        ];
        for (text, minor) in cases {
            assert_eq!(decimal(text), Ok(minor), "{text}");
        }
        let comma = AmountForm::new(Unit::Decimal, ',', Some('.'), Currency::Eur).unwrap();
        assert_eq!(comma.parse("1.234,5"), Ok(123_450));
        let yen = AmountForm::new(Unit::Decimal, '.', None, Currency::Jpy).unwrap();
        assert_eq!((yen.parse("12"), yen.parse("12.00")), (Ok(12), Ok(12)));
    }

    #[test]
    fn minor_units_are_whole() {
        let minor = AmountForm::new(Unit::Minor, '.', None, Currency::Cny).unwrap();
        assert_eq!((minor.parse("1250"), minor.parse("-7")), (Ok(1_250), Ok(-7)));
        for text in ["12.50", "12.", "1e3", ""] {
            assert!(minor.parse(text).unwrap_err().contains("no whole number of minor units"), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_said() {
        for text in
            ["", "-", ".", ".5", "5.", "1.2.3", "1,23", "1234,567", "12 000", "１２", "NaN", "1e3", "--5", "0x1f"]
        {
            assert!(decimal(text).unwrap_err().contains("is no decimal number"), "{text}");
        }
        assert!(decimal("12.345").unwrap_err().contains("more decimals than the 2 of CZK"));
        for text in ["92233720368547758.08", "1000000000000000000000"] {
            assert!(decimal(text).unwrap_err().contains("leaves the range"), "{text}");
        }
    }

    #[test]
    fn marks_differ_from_each_other_and_from_digits() {
        for (mark, group) in [('.', Some('.')), ('5', None), ('.', Some('-'))] {
            assert!(AmountForm::new(Unit::Decimal, mark, group, Currency::Cny).is_err());
        }
    }
}
