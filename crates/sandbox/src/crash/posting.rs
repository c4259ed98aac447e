//! Bulk postings that follow from a seed, a stream and a number: what was sent can be written again byte for byte.

use anyhow::{Context, Result, ensure};
use minicbor::Encode;
use serde_json::{Value, json};

use super::draw::two_accounts;
use super::model::Effect;
use crate::bench::numbers::Numbers;

/// How a feeder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Cbor,
    Json,
}

impl Form {
    /// The content type.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Cbor => "application/cbor",
            Self::Json => "application/json",
        }
    }
}

/// An account that no books have: a voucher on it is refused, alone.
const NOWHERE: u64 = 4_000_000_000;

/// One posting.
#[derive(Debug, Clone, Encode)]
pub(super) struct Posting {
    #[n(0)]
    stream: String,
    #[n(1)]
    number: u64,
    #[n(2)]
    atomic: bool,
    #[n(3)]
    vouchers: Vec<Voucher>,
}

#[derive(Debug, Clone, Encode)]
struct Voucher {
    #[n(0)]
    event: u16,
    #[n(1)]
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Encode)]
struct Entry {
    #[n(0)]
    account: u64,
    #[n(1)]
    side: u8,
    #[n(2)]
    amount: i64,
    #[n(3)]
    currency: u8,
}

impl Posting {
    /// The posting of this number: 1 to `most` vouchers of two to four entries; one posting in eight has a voucher that is
    /// refused, one in eight is atomic.
    pub(super) fn of(stream: &str, number: u64, seed: u64, accounts: &[u64], most: u64) -> Self {
        let mut numbers = Numbers(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let count = 1 + numbers.below(most);
        let kind = numbers.below(8);
        let mut vouchers: Vec<Voucher> = (0..count).map(|_| Voucher::made(accounts, &mut numbers)).collect();
        if kind == 0 {
            let at = usize::try_from(numbers.below(count)).unwrap_or_default();
            if let Some(entry) = vouchers.get_mut(at).and_then(|voucher| voucher.entries.first_mut()) {
                entry.account = NOWHERE;
            }
        }
        Self { stream: stream.to_owned(), number, atomic: kind == 1, vouchers }
    }

    /// How many vouchers it has.
    pub(super) fn len(&self) -> u64 {
        self.vouchers.len() as u64
    }

    /// Its body.
    ///
    /// # Errors
    /// None that happens: writing to memory does not fail.
    pub(super) fn body(&self, form: Form) -> Result<Vec<u8>> {
        match form {
            Form::Cbor => Ok(minicbor::to_vec(self)?),
            Form::Json => Ok(serde_json::to_vec(&self.json())?),
        }
    }

    fn json(&self) -> Value {
        let entry = |entry: &Entry| {
            let side = if entry.side == 0 { "debit" } else { "credit" };
            json!({ "account": format!("acc_{}", entry.account), "side": side, "amount": entry.amount, "currency": "CNY" })
        };
        let vouchers = self.vouchers.iter();
        let vouchers: Vec<Value> = vouchers
            .map(|voucher| json!({ "entries": voucher.entries.iter().map(entry).collect::<Vec<_>>() }))
            .collect();
        json!({ "stream": self.stream, "number": self.number, "atomic": self.atomic, "vouchers": vouchers })
    }

    /// What its accepted vouchers do. The accounts grow by credits.
    pub(super) fn effects(&self) -> impl Iterator<Item = Effect> + '_ {
        let accepted = self.vouchers.iter().filter(|voucher| !voucher.is_refused());
        accepted.flat_map(|voucher| &voucher.entries).map(|entry| {
            let change = if entry.side == 0 { -entry.amount } else { entry.amount };
            Effect::entry(entry.account, change)
        })
    }

    /// Holds the first answer against what the posting is.
    ///
    /// # Errors
    /// An answer that refused another voucher than the one it must.
    pub(super) fn check(&self, form: Form, answer: &[u8]) -> Result<()> {
        let expected: Vec<u64> =
            (0..).zip(&self.vouchers).filter(|(_, voucher)| voucher.is_refused()).map(|(index, _)| index).collect();
        let refused = match form {
            Form::Cbor => refused_of_cbor(answer).context("the answer to a posting in CBOR")?,
            Form::Json => {
                let answer: Value = serde_json::from_slice(answer).context("the answer to a posting in JSON")?;
                let refused = answer.get("refused").and_then(Value::as_array).context("an answer without 'refused'")?;
                refused.iter().filter_map(|row| row.get("index")?.as_u64()).collect()
            }
        };
        let (stream, number) = (&self.stream, self.number);
        ensure!(refused == expected, "posting {number} of {stream}: refused {refused:?}, expected {expected:?}");
        Ok(())
    }
}

/// The indexes of the refused vouchers: `[stream, number, vouchers, first, [[index, …], …]]`.
fn refused_of_cbor(answer: &[u8]) -> Result<Vec<u64>> {
    let mut decoder = minicbor::Decoder::new(answer);
    decoder.array()?;
    for _ in 0..4 {
        decoder.skip()?;
    }
    let count = decoder.array()?.context("a list of known length")?;
    let mut indexes = Vec::new();
    for _ in 0..count {
        decoder.array()?;
        indexes.push(decoder.u64()?);
        decoder.skip()?;
    }
    Ok(indexes)
}

impl Voucher {
    /// Between two accounts, or from one to two or three.
    fn made(accounts: &[u64], numbers: &mut Numbers) -> Self {
        let (payer, first) = two_accounts(accounts, numbers);
        let amount = |numbers: &mut Numbers| i64::try_from(1 + numbers.below(10_000)).unwrap_or(1);
        let more = if numbers.below(8) == 0 { 1 + numbers.below(2) } else { 0 };
        let mut credits = vec![(first, amount(numbers))];
        for _ in 0..more {
            let (account, other) = two_accounts(accounts, numbers);
            credits.push((if account == payer { other } else { account }, amount(numbers)));
        }
        let entry = |account, side, amount| Entry { account, side, amount, currency: 0 };
        let total = credits.iter().map(|(_, amount)| amount).sum();
        let credits = credits.into_iter().map(|(account, amount)| entry(account, 1, amount));
        let entries = std::iter::once(entry(payer, 0, total)).chain(credits).collect();
        Self { event: 0, entries }
    }

    fn is_refused(&self) -> bool {
        self.entries.iter().any(|entry| entry.account == NOWHERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_is_the_same_each_time_balances_and_says_what_is_refused() {
        let accounts = [3, 4, 5, 9];
        let (mut refused, mut atomic) = (0, 0);
        for number in 1..=200 {
            let posting = Posting::of("s", number, 7, &accounts, 50);
            let again = Posting::of("s", number, 7, &accounts, 50);
            for form in [Form::Cbor, Form::Json] {
                assert_eq!(posting.body(form).unwrap(), again.body(form).unwrap());
            }
            assert_eq!(posting.effects().map(|effect| effect.balance).sum::<i64>(), 0, "posting {number}");
            assert!(posting.effects().all(|effect| accounts.contains(&effect.account)));
            let bad = posting.vouchers.iter().filter(|voucher| voucher.is_refused()).count();
            refused += bad;
            atomic += usize::from(posting.atomic);
            assert!(bad == 0 || !posting.atomic, "an atomic posting with a refused voucher would post nothing");
        }
        assert!(refused > 10 && atomic > 10, "{refused} refused, {atomic} atomic");
    }

    #[test]
    fn an_answer_that_refuses_another_voucher_is_found() {
        let posting = (1..).map(|number| Posting::of("s", number, 7, &[3, 4], 5));
        let posting = posting.into_iter().find(|posting| posting.vouchers.iter().any(Voucher::is_refused)).unwrap();
        let at = posting.vouchers.iter().position(Voucher::is_refused).unwrap() as u64;
        let answer = |refused: &[(u64, u8)]| minicbor::to_vec((1_u64, 1_u64, 5_u64, 9_u64, refused)).unwrap();
        posting.check(Form::Cbor, &answer(&[(at, 0)])).unwrap();
        assert!(posting.check(Form::Cbor, &answer(&[])).is_err());
        assert!(posting.check(Form::Cbor, &answer(&[(at + 1, 0)])).is_err());
        posting.check(Form::Json, json!({ "refused": [{ "index": at }] }).to_string().as_bytes()).unwrap();
        assert!(posting.check(Form::Json, br#"{"refused":[]}"#).is_err());
    }
}
