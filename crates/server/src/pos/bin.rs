//! Whose a card is (发卡机构), by how its number begins: scheme, debit or credit, and how long such numbers are.
//!
//! ```text
//!  number ─► the longest beginning that fits, of a line whose length fits ─► scheme, type
//!         └► no line ─► nobody's: 15
//! ```
//! The table is the acquirer's profile's, or in its place a file of the setting `pos.bins`: the network's own list, which
//! changes every few weeks. A line of the file is `begins,digits,scheme,type`; digits may be empty; `#` begins a remark.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use domain::card_fee::{CardScheme, CardType};
use serde::Deserialize;

/// The longest beginning.
const LONGEST: usize = 12;

/// A line of an acquirer's profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardLine {
    begins: String,
    digits: Option<usize>,
    scheme: String,
    r#type: String,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bin {
    pub(crate) begins: String,
    /// How long its numbers are; any length, unless said.
    pub(crate) digits: Option<usize>,
    pub(crate) scheme: CardScheme,
    pub(crate) kind: CardType,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Bins(BTreeMap<String, Vec<Bin>>);

impl Bins {
    /// The table of a profile's lines.
    ///
    /// # Errors
    /// A line that cannot be, and what would be right.
    pub(crate) fn of(lines: Vec<CardLine>) -> Result<Self> {
        let bin = |CardLine { begins, digits, scheme, r#type }: CardLine| bin(begins, digits, &scheme, &r#type);
        Self::from(lines.into_iter().map(bin).collect::<Result<_>>()?)
    }

    /// The table of a file.
    ///
    /// # Errors
    /// As [`lines`], and a line that is there twice.
    pub(crate) fn load(file: &Path) -> Result<Self> {
        Self::from(lines(file)?).with_context(|| format!("the cards of {}", file.display()))
    }

    fn from(bins: Vec<Bin>) -> Result<Self> {
        let mut table: BTreeMap<String, Vec<Bin>> = BTreeMap::new();
        for bin in bins {
            let same = table.entry(bin.begins.clone()).or_default();
            ensure!(
                same.iter().all(|other| other.digits != bin.digits),
                "{} is there twice with this length",
                bin.begins
            );
            same.push(bin);
            // A line that names the length goes before one that does not.
            same.sort_by_key(|bin| bin.digits.is_none());
        }
        Ok(Self(table))
    }

    /// Whose card it is, and of which kind.
    pub(crate) fn find(&self, number: &str) -> Option<(CardScheme, CardType)> {
        self.explain(number, Some(number.len())).next().map(|bin| (bin.scheme, bin.kind))
    }

    /// The lines that a number which begins so may fall under, the one that decides first.
    pub(crate) fn explain(&self, beginning: &str, digits: Option<usize>) -> impl Iterator<Item = &Bin> {
        let longest_first = (1..=beginning.len().min(LONGEST)).rev();
        let lines = longest_first.filter_map(|length| self.0.get(beginning.get(..length)?)).flatten();
        lines.filter(move |bin| digits.is_none() || bin.digits.is_none() || bin.digits == digits)
    }
}

/// The lines of a file.
///
/// # Errors
/// A file or a line that does not read: which, and what would be right.
pub(crate) fn lines(file: &Path) -> Result<Vec<Bin>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading cards from {}", file.display()))?;
    let mut bins = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let read = || -> Result<Bin> {
            let parts: Vec<&str> = line.split(',').map(str::trim).collect();
            let [begins, digits, scheme, kind] = parts[..] else {
                bail!("{} parts: write begins,digits,scheme,type", parts.len());
            };
            let digits = Some(digits).filter(|digits| !digits.is_empty());
            let digits =
                digits.map(|text| text.parse().with_context(|| format!("\"{text}\" is no length"))).transpose()?;
            bin(begins.to_owned(), digits, scheme, kind)
        };
        bins.push(read().with_context(|| format!("{}, line {}", file.display(), at + 1))?);
    }
    Ok(bins)
}

fn bin(begins: String, digits: Option<usize>, scheme: &str, r#type: &str) -> Result<Bin> {
    let (scheme, kind) = scheme_and_type(scheme, r#type).context("cards")?;
    let begins = starts(begins).context("cards")?;
    if let Some(digits) = digits {
        ensure!((13..=19).contains(&digits), "cards: {digits} digits; a card's number has 13 to 19");
    }
    Ok(Bin { begins, digits, scheme, kind })
}

/// A beginning of a number.
pub(crate) fn starts(begins: String) -> Result<String> {
    let right = (1..=LONGEST).contains(&begins.len()) && begins.bytes().all(|byte| byte.is_ascii_digit());
    // A whole number in the wrong place is not said again.
    ensure!(right, "a beginning of {} characters is not 1 to {LONGEST} digits", begins.len());
    Ok(begins)
}

/// Scheme and kind of card by their names.
pub(crate) fn scheme_and_type(scheme: &str, r#type: &str) -> Result<(CardScheme, CardType)> {
    let known = CardScheme::ALL.into_iter().find(|known| known.name() == scheme);
    let known = known.with_context(|| format!("\"{scheme}\" is no scheme, such as \"unionpay\""))?;
    let kind = CardType::ALL.into_iter().find(|known| known.name() == r#type);
    let kind = kind.with_context(|| format!("\"{type}\" is neither \"debit\" nor \"credit\""))?;
    Ok((known, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Bins> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Bins::load(file.path())
    }

    #[test]
    fn the_longest_beginning_whose_length_fits_decides() {
        let text = "# ours\n62,,unionpay,debit\n625012,16,unionpay,credit   # of a bank\n625012,19,unionpay,debit\n\n4,,visa,credit\n";
        let bins = table(text).unwrap();
        let (unionpay, visa) = (CardScheme::UnionPay, CardScheme::Visa);
        for (number, found) in [
            ("6250120000000000", Some((unionpay, CardType::Credit))),
            ("6250120000000000000", Some((unionpay, CardType::Debit))),
            ("62501200000000000", Some((unionpay, CardType::Debit))),
            ("4111111111111111", Some((visa, CardType::Credit))),
            ("7777777777777777", None),
        ] {
            assert_eq!(bins.find(number), found, "{number}");
        }
        let lines = bins.explain("625012", None);
        assert_eq!(
            lines.map(|bin| (bin.begins.as_str(), bin.digits)).collect::<Vec<_>>(),
            [("625012", Some(16)), ("625012", Some(19)), ("62", None)]
        );
        assert_eq!(bins.explain("7", None).count(), 0);
    }

    #[test]
    fn a_line_that_cannot_be_is_named_by_its_number_and_no_number_is_said_again() {
        for (text, told) in [
            ("62,,unionpay", "line 1: 3 parts"),
            ("62,,unionpay,debit\n6250,x,unionpay,debit", "line 2: \"x\" is no length"),
            ("62,12,unionpay,debit", "12 digits"),
            ("62,,union,debit", "\"union\" is no scheme"),
            ("62,,unionpay,both", "neither \"debit\" nor \"credit\""),
            ("62,,unionpay,debit\n62,,unionpay,credit", "62 is there twice"),
            ("6230606601007726888,,unionpay,debit", "a beginning of 19 characters"),
        ] {
            let error = format!("{:#}", table(text).unwrap_err());
            assert!(error.contains(told) && !error.contains("6230606601007726888"), "{error}");
        }
    }
}
