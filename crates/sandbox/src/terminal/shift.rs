//! A shift (班次): what a cashier does at one terminal from sign-in to settlement, by a seeded plan.
//!
//! ```text
//!  sign in ─► sale · void · refund · tip · pre-authorisation ─ completed │ cancelled · balance · wrong PIN ─► settle ─► sign out
//!                └ the batch is nearly full: settle, go on in the next
//! ```
//! The same seed and terminal ask the same; what comes of it is the platform's and the network's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::device::{Outcome, Terminal};
use super::fleet::Summary;
use super::message::{Card, Kind, Receipt, Transaction};
use super::wire::Fault;
use crate::bench::numbers::Numbers;

/// A batch close counts to 999 a side.
const FULL: usize = 900;
/// Between two tries of a terminal that does not reach the platform, and how many.
const AGAIN: Duration = Duration::from_millis(250);
const TRIES: u32 = 120;
/// What a sale comes to: from, and how much more at most, in fen.
const AMOUNT: (i64, u64) = (1_000, 500_000);

/// What each shift is.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// Transactions of one.
    pub transactions: u32,
    /// Decides what they are.
    pub seed: u64,
    /// Cards that shop here.
    pub cards: u64,
    /// Between two transactions, on the mean.
    pub pause: Duration,
}

/// What is seen of the work while it goes on, and the word to stop it.
#[derive(Debug, Default)]
pub struct Watch {
    /// Transactions whose end was seen.
    pub done: AtomicU64,
    /// Those that no answer was heard to.
    pub unheard: AtomicU64,
    /// Terminals that have finished.
    pub finished: AtomicU64,
    /// Set it to have everyone settle and go home.
    pub stop: AtomicBool,
}

impl Watch {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What the cashier may still do something with.
#[derive(Debug, Default)]
struct Hand {
    sold: Vec<Receipt>,
    held: Vec<Receipt>,
    completed: Vec<Receipt>,
}

/// One step of the plan.
#[derive(Debug)]
struct Step {
    kind: Kind,
    card: Card,
    amount: i64,
    about: Option<Receipt>,
}

impl Step {
    fn transaction(&self) -> Transaction<'_> {
        let (card, amount) = (&self.card, self.amount);
        let Some(about) = &self.about else {
            return match self.kind {
                Kind::Balance => Transaction::Balance(card),
                Kind::PreAuthorisation => Transaction::PreAuthorisation(card, amount),
                Kind::Offline => Transaction::Offline(card, amount),
                Kind::Sale
                | Kind::Void
                | Kind::PreAuthorisationCancel
                | Kind::Completion
                | Kind::CompletionVoid
                | Kind::CompletionAdvice
                | Kind::Refund
                | Kind::Tip => Transaction::Sale(card, amount),
            };
        };
        match self.kind {
            Kind::Void => Transaction::Void(about),
            Kind::Refund => Transaction::Refund(about, amount),
            Kind::Tip => Transaction::Tip(about, amount),
            Kind::PreAuthorisationCancel => Transaction::PreAuthorisationCancel(about),
            Kind::Completion => Transaction::Completion(about, amount),
            Kind::CompletionVoid => Transaction::CompletionVoid(about),
            Kind::CompletionAdvice => Transaction::CompletionAdvice(about, amount),
            Kind::Balance | Kind::Sale | Kind::PreAuthorisation | Kind::Offline => Transaction::Sale(card, amount),
        }
    }
}

impl Hand {
    /// What is done next: of a hundred customers so many want this.
    fn next(&mut self, numbers: &mut Numbers, cards: u64) -> Step {
        let card = Card::made_up(numbers.below(cards.max(1)));
        let amount = AMOUNT.0 + i64::try_from(numbers.below(AMOUNT.1)).unwrap_or(0);
        let drawn = numbers.below(100);
        let about = match drawn {
            0..13 => take(&mut self.sold, numbers),
            13..18 => take(&mut self.held, numbers),
            18..20 => take(&mut self.completed, numbers),
            _ => None,
        };
        let step = |kind, amount, about| Step { kind, card: card.clone(), amount, about };
        match (drawn, about) {
            (0..6, Some(sale)) => step(Kind::Void, sale.amount, Some(sale)),
            (6..10, Some(sale)) => step(Kind::Refund, sale.amount / 2, Some(sale)),
            (10..13, Some(sale)) => step(Kind::Tip, sale.amount / 10, Some(sale)),
            (13..16, Some(held)) => step(Kind::Completion, held.amount, Some(held)),
            (16, Some(held)) => step(Kind::CompletionAdvice, held.amount, Some(held)),
            (17, Some(held)) => step(Kind::PreAuthorisationCancel, held.amount, Some(held)),
            (18..20, Some(completed)) => step(Kind::CompletionVoid, completed.amount, Some(completed)),
            (20..26, _) => step(Kind::PreAuthorisation, amount, None),
            (26..30, _) => step(Kind::Balance, 0, None),
            (30, _) => step(Kind::Offline, amount, None),
            (31, _) => Step { kind: Kind::Sale, card: card.with_wrong_pin(), amount, about: None },
            (_, _) => step(Kind::Sale, amount, None),
        }
    }

    fn keep(&mut self, receipt: Receipt) {
        match receipt.kind {
            Kind::Sale => self.sold.push(receipt),
            Kind::PreAuthorisation => self.held.push(receipt),
            Kind::Completion => self.completed.push(receipt),
            Kind::Balance
            | Kind::Void
            | Kind::PreAuthorisationCancel
            | Kind::CompletionVoid
            | Kind::CompletionAdvice
            | Kind::Refund
            | Kind::Offline
            | Kind::Tip => {}
        }
    }
}

fn take(from: &mut Vec<Receipt>, numbers: &mut Numbers) -> Option<Receipt> {
    let at = usize::try_from(numbers.below(from.len() as u64)).ok()?;
    (at < from.len()).then(|| from.swap_remove(at))
}

/// Works one shift; what came of it.
///
/// # Errors
/// If the platform is not reached for long, or does not let the terminal sign in or settle.
pub async fn work(
    terminal: &mut Terminal,
    shift: &Shift,
    numbers: &mut Numbers,
    watch: &Watch,
) -> Result<Summary, Fault> {
    let (mut summary, mut hand) = (Summary::default(), Hand::default());
    for _ in 0..shift.transactions {
        if watch.is_over() {
            break;
        }
        if terminal.records() >= FULL {
            settle(terminal, &mut summary).await?;
            // What lies in a batch that is closed is not voided, completed or tipped there.
            hand = Hand::default();
        }
        let step = hand.next(numbers, shift.cards);
        let began = Instant::now();
        let outcome = transact(terminal, &step.transaction(), &mut summary).await?;
        summary.times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        if let Outcome::Unheard(_) = outcome {
            watch.unheard.fetch_add(1, Ordering::Relaxed);
        }
        watch.done.fetch_add(1, Ordering::Relaxed);
        if let Some(receipt) = summary.count(step.kind, outcome) {
            hand.keep(receipt);
        }
        if !shift.pause.is_zero() {
            // Even between nothing and twice the mean.
            let twice = u64::try_from(shift.pause.as_micros().saturating_mul(2)).unwrap_or(u64::MAX);
            sleep(Duration::from_micros(numbers.below(twice))).await;
        }
    }
    settle(terminal, &mut summary).await?;
    terminal.sign_out().await?;
    Ok(summary)
}

/// One transaction, asked for until it goes out.
async fn transact(terminal: &mut Terminal, asked: &Transaction<'_>, summary: &mut Summary) -> Result<Outcome, Fault> {
    let mut tries = 1;
    loop {
        match terminal.transact(asked).await {
            Ok(outcome) => return Ok(outcome),
            Err(fault) if tries == TRIES => return Err(fault),
            Err(_) => {
                summary.waits += 1;
                tries += 1;
                sleep(AGAIN).await;
            }
        }
    }
}

async fn settle(terminal: &mut Terminal, summary: &mut Summary) -> Result<(), Fault> {
    let mut tries = 1;
    let settled = loop {
        match terminal.settle().await {
            Ok(settled) => break settled,
            Err(fault) if tries == TRIES => return Err(fault),
            Err(Fault::Refused { code, .. }) if code == "58" => terminal.sign_in().await?,
            Err(_) => sleep(AGAIN).await,
        }
        tries += 1;
    };
    summary.debit += settled.totals.debit;
    summary.credit += settled.totals.credit;
    match settled.balanced {
        true => summary.batches_balanced += 1,
        false => summary.batches_unbalanced += 1,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_asks_the_same_and_everything_is_asked_for() {
        let plan = || {
            let (mut numbers, mut hand, mut kinds) = (Numbers(5), Hand::default(), Vec::new());
            for trace in 0..600 {
                let step = hand.next(&mut numbers, 10);
                kinds.push((step.transaction().kind(), step.amount));
                hand.keep(Receipt {
                    kind: step.kind,
                    batch: 1,
                    trace,
                    amount: step.amount,
                    card: step.card,
                    date: "0305".into(),
                    reference: String::new(),
                    authorisation: None,
                    balance: None,
                });
            }
            kinds
        };
        assert_eq!(plan(), plan());
        let kinds: std::collections::BTreeSet<Kind> = plan().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds.len(), 11, "{kinds:?}");
    }
}
