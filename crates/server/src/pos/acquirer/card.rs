//! Whose a card is, by how its number begins, and what kind of card: a table of the acquirer's profile.

use anyhow::{Context as _, Result, ensure};
use domain::card_fee::{CardScheme, CardType};
use serde::Deserialize;

/// A line as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardLine {
    begins: String,
    scheme: String,
    r#type: String,
}

/// A beginning of a number.
pub(super) fn starts(begins: String) -> Result<String> {
    let right = (1..=12).contains(&begins.len()) && begins.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(right, "\"{begins}\" is not 1 to 12 digits");
    Ok(begins)
}

/// Scheme and kind of card by their names.
pub(super) fn scheme_and_type(scheme: &str, r#type: &str) -> Result<(CardScheme, CardType)> {
    let known = CardScheme::ALL.into_iter().find(|known| known.name() == scheme);
    let known = known.with_context(|| format!("\"{scheme}\" is no scheme, such as \"unionpay\""))?;
    let kind = CardType::ALL.into_iter().find(|known| known.name() == r#type);
    let kind = kind.with_context(|| format!("\"{type}\" is neither \"debit\" nor \"credit\""))?;
    Ok((known, kind))
}

/// The table: the longest beginning that fits says it.
#[derive(Debug)]
pub(crate) struct Cards(Vec<(String, CardScheme, CardType)>);

impl Cards {
    pub(super) fn of(lines: Vec<CardLine>) -> Result<Self> {
        let mut cards = Vec::with_capacity(lines.len());
        for CardLine { begins, scheme, r#type } in lines {
            let (scheme, kind) = scheme_and_type(&scheme, &r#type).context("cards")?;
            cards.push((starts(begins).context("cards")?, scheme, kind));
        }
        cards.sort_by_key(|(begins, ..)| std::cmp::Reverse(begins.len()));
        Ok(Self(cards))
    }

    /// Whose card it is, and of which kind.
    pub(crate) fn find(&self, number: &str) -> Option<(CardScheme, CardType)> {
        self.0.iter().find(|(begins, ..)| number.starts_with(begins.as_str())).map(|(_, scheme, kind)| (*scheme, *kind))
    }
}
