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

/// The table: the longest beginning that fits says it.
#[derive(Debug)]
pub(crate) struct Cards(Vec<(String, CardScheme, CardType)>);

impl Cards {
    pub(super) fn of(lines: Vec<CardLine>) -> Result<Self> {
        let mut cards = Vec::with_capacity(lines.len());
        for CardLine { begins, scheme, r#type } in lines {
            let right = (1..=12).contains(&begins.len()) && begins.bytes().all(|byte| byte.is_ascii_digit());
            ensure!(right, "cards: \"{begins}\" is not 1 to 12 digits");
            let known = CardScheme::ALL.into_iter().find(|known| known.name() == scheme);
            let known = known.with_context(|| format!("cards: \"{scheme}\" is no scheme, such as \"unionpay\""))?;
            let kind = CardType::ALL.into_iter().find(|known| known.name() == r#type);
            let kind = kind.with_context(|| format!("cards: \"{type}\" is neither \"debit\" nor \"credit\""))?;
            cards.push((begins, known, kind));
        }
        cards.sort_by_key(|(begins, ..)| std::cmp::Reverse(begins.len()));
        Ok(Self(cards))
    }

    /// Whose card it is, and of which kind.
    pub(crate) fn find(&self, number: &str) -> Option<(CardScheme, CardType)> {
        self.0.iter().find(|(begins, ..)| number.starts_with(begins.as_str())).map(|(_, scheme, kind)| (*scheme, *kind))
    }
}
