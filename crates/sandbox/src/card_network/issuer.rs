//! Issuers: accounts of cards, which are there when they are first asked for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::plan::spread;

/// A card's account.
#[derive(Debug, Clone, Copy)]
struct Account {
    balance: i64,
    held: i64,
}

/// The issuers of all cards.
#[derive(Debug)]
pub(super) struct Issuers {
    accounts: HashMap<String, Account>,
    at_first: i64,
}

/// The PIN of a card: its last six digits.
pub(super) fn pin_of(card: &str) -> &str {
    card.get(card.len().saturating_sub(6)..).unwrap_or_default()
}

/// Whether it is a credit card: those that begin with 625.
pub(super) fn is_credit(card: &str) -> bool {
    card.starts_with("625")
}

/// How long a code may be used.
const CODE_LIVES: Duration = Duration::from_secs(60);

/// Payers' one-time codes (付款码) that telephones show: 19 digits that begin with 62.
#[derive(Debug, Default)]
pub(super) struct Codes {
    shown: HashMap<String, (String, Instant)>,
    count: u64,
}

impl Codes {
    /// A code of a card that no other has had.
    pub(super) fn show(&mut self, card: &str) -> String {
        self.count += 1;
        let code = format!("62{:017}", spread(0, &format!("code {}", self.count)) % 100_000_000_000_000_000);
        self.shown.insert(code.clone(), (card.to_owned(), Instant::now()));
        code
    }

    /// The card of a code, once, while it lives.
    pub(super) fn take(&mut self, code: &str) -> Option<String> {
        let (card, shown) = self.shown.remove(code)?;
        (shown.elapsed() < CODE_LIVES).then_some(card)
    }
}

impl Issuers {
    pub(super) fn new(at_first: i64) -> Self {
        Self { accounts: HashMap::new(), at_first }
    }

    fn account(&mut self, card: &str) -> &mut Account {
        let at_first = Account { balance: self.at_first, held: 0 };
        self.accounts.entry(card.to_owned()).or_insert(at_first)
    }

    /// What may be spent.
    pub(super) fn available(&mut self, card: &str) -> i64 {
        let account = self.account(card);
        account.balance - account.held
    }

    pub(super) fn balance(&self, card: &str) -> i64 {
        self.accounts.get(card).map_or(self.at_first, |account| account.balance)
    }

    /// Takes from an account, or gives where it is below zero.
    pub(super) fn take(&mut self, card: &str, amount: i64) {
        self.account(card).balance -= amount;
    }

    /// Holds, or lets go where it is below zero.
    pub(super) fn hold(&mut self, card: &str, amount: i64) {
        self.account(card).held += amount;
    }
}
