//! Between phases 2 and 3: a morning at the terminals. Shops sell, void, hold and complete, refund, take tips, through a card
//! network that loses, delays and doubles answers and whose links are broken in between; what was not heard is taken back, and
//! every batch is closed.
//!
//! Three things must be so: each batch counts what the platform counts; cards paid exactly what terminals saw paid; and the
//! network's file of the day names exactly what the books have.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::card_stage::MEMBER;
use super::close::Check;
use super::stage::DAY;
use super::{Stage, Talk};
use crate::bench::numbers::Numbers;
use crate::cipher::CardCipher;
use crate::person::Person;
use crate::terminal::register::{Fleet, Office};
use crate::terminal::{Card, Counts, Dialect, Outcome, Receipt, Settled, Terminal, Transaction, Way};

const SHOPS: usize = 4;
const TERMINALS: usize = 12;
/// How many cards are presented.
const CARDS: u64 = 60;
/// A terminal waits longer than the platform does for its network.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a terminal that reaches nobody tries again.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(50);
/// How long reversals may take.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);

/// What came of a terminal's morning.
struct Shift {
    settled: Settled,
    counts: Counts,
    approved: usize,
    declined: usize,
}

/// Plays it; what must be so of it.
pub(super) async fn morning(
    stage: &Stage,
    administrators: [Person; 2],
    (seed, orders): (u64, u64),
    talk: &mut Talk,
) -> Result<Vec<Check>> {
    let mut office = Office::of(stage.operator.clone(), stage.launch().clone(), administrators).await?;
    let fleet = Fleet { count: TERMINALS, merchants: SHOPS, cipher: CardCipher::Sm4, width: 8 };
    let terminals = office.open(fleet).await?;
    let (dialect, way) = (Dialect::new()?, Way { address: stage.cards()?.terminals, patience: PATIENCE });
    let each = (orders / 400).clamp(12, 60);
    let mut working = JoinSet::new();
    for (at, own) in terminals.into_iter().enumerate() {
        let mut terminal = Terminal::new(own, &dialect, way);
        let numbers = Numbers(seed.wrapping_add(1_000 + at as u64));
        working.spawn(async move { shift(&mut terminal, numbers, each).await });
    }
    let mut shifts = Vec::new();
    let mut breaks = 0;
    let mut cut = tokio::time::interval(Duration::from_millis(400));
    while !working.is_empty() {
        tokio::select! {
            Some(ended) = working.join_next() => shifts.push(ended.context("a terminal")??),
            _ = cut.tick(), if breaks < 3 => {
                stage.card_network("POST", "/cut").await?;
                breaks += 1;
            }
        }
    }
    settle_down(stage).await?;
    let checks = compare(stage, &shifts).await?;
    let sum = |count: fn(&Shift) -> usize| shifts.iter().map(count).sum::<usize>();
    let unheard: u64 = shifts.iter().map(|shift| shift.counts.unheard).sum();
    let reversed = standing(stage, "reversed").await?.len();
    talk.phase(&format!(
        "  cards at {TERMINALS} terminals of {SHOPS} shops: {} approved, {} declined or without an answer; all links broken \
         {breaks} times, {unheard} answers not heard, {reversed} transactions taken back; {} batches closed",
        sum(|shift| shift.approved),
        sum(|shift| shift.declined),
        shifts.len(),
    ));
    Ok(checks)
}

/// A terminal's morning, and its batch.
async fn shift(terminal: &mut Terminal, mut numbers: Numbers, count: u64) -> Result<Shift> {
    let (mut sales, mut holds) = (Vec::<Receipt>::new(), Vec::<Receipt>::new());
    let (mut approved, mut declined) = (0, 0);
    for _ in 0..count {
        let card = Card::made_up(numbers.below(CARDS));
        let amount = i64::try_from(100 + numbers.below(90_000)).unwrap_or(100);
        let (sale, hold) = (sales.last().cloned(), holds.last().cloned());
        let asked = match (numbers.below(20), &sale, &hold) {
            (0 | 1, Some(sale), _) => Transaction::Void(sale),
            (2, Some(sale), _) => Transaction::Refund(sale, (sale.amount / 2).max(1)),
            (3, Some(sale), _) => Transaction::Tip(sale, 500),
            (4 | 5, ..) => Transaction::PreAuthorisation(&card, amount),
            (6 | 7, _, Some(hold)) => Transaction::Completion(hold, hold.amount),
            (8, ..) => Transaction::Offline(&card, amount),
            _ => Transaction::Sale(&card, amount),
        };
        let kind = asked.kind();
        let outcome = persist(terminal, &asked).await?;
        // What was asked about once is not asked about again, however it ended.
        match &asked {
            Transaction::Void(_) | Transaction::Refund(..) | Transaction::Tip(..) => drop(sales.pop()),
            Transaction::Completion(..) => drop(holds.pop()),
            _ => {}
        }
        match outcome {
            Outcome::Approved(receipt) => {
                approved += 1;
                match kind {
                    crate::terminal::Kind::Sale => sales.push(receipt),
                    crate::terminal::Kind::PreAuthorisation => holds.push(receipt),
                    _ => {}
                }
            }
            Outcome::Declined(_) | Outcome::Unheard(_) => declined += 1,
        }
    }
    for tried in 1.. {
        match terminal.settle().await {
            Ok(settled) => {
                return Ok(Shift { settled, counts: terminal.counts(), approved, declined });
            }
            Err(fault) if tried == TRIES => return Err(fault).context("closing a batch"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    unreachable!("it settles or fails")
}

/// Asks, as long as nothing is sent: the platform may be away.
async fn persist(terminal: &mut Terminal, asked: &Transaction<'_>) -> Result<Outcome> {
    let mut tries = 1;
    loop {
        match terminal.transact(asked).await {
            Ok(outcome) => return Ok(outcome),
            Err(fault) if tries == TRIES => return Err(fault).context("a terminal that reaches nobody"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        tries += 1;
    }
}

/// The transactions that stand so.
async fn standing(stage: &Stage, status: &str) -> Result<Vec<Value>> {
    stage.all(&format!("/v1/card-transactions?status={status}&min_position=1")).await
}

/// Waits until the network owes no answer.
async fn settle_down(stage: &Stage) -> Result<()> {
    let began = Instant::now();
    // The lists follow a moment behind: twice nothing is nothing.
    let mut quiet = 0;
    while quiet < 2 {
        let mut open = Vec::new();
        for status in ["requested", "unknown", "reversing"] {
            open.extend(standing(stage, status).await?);
        }
        quiet = if open.is_empty() { quiet + 1 } else { 0 };
        ensure!(began.elapsed() < SETTLES_WITHIN, "the card network owes answers: {}", Value::Array(open));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    Ok(())
}

/// What terminals count against what the platform counts, and against what cards paid.
async fn compare(stage: &Stage, shifts: &[Shift]) -> Result<Vec<Check>> {
    let balanced = shifts.iter().filter(|shift| shift.settled.balanced).count();
    let seen: i64 = shifts.iter().map(|shift| shift.settled.totals.debit - shift.settled.totals.credit).sum();
    let books: Value =
        serde_json::from_str(&stage.card_network("GET", "/books").await?).context("the network's books")?;
    let of = |key: &str| books.get(key).and_then(Value::as_i64).unwrap_or_default();
    let paid = of("taken") - of("given");
    let check = |name: &str, holds, detail| Check { day: DAY.to_owned(), name: name.to_owned(), holds, detail };
    Ok(vec![
        check("card_batches_balanced", balanced == shifts.len(), format!("{balanced} of {} batches", shifts.len())),
        check(
            "cards_as_terminals_saw",
            seen == paid && paid > 0,
            format!("terminals saw {seen} paid, cards paid {paid} ({} transactions reversed there)", of("reversed")),
        ),
    ])
}

/// On the next working day: the network's file of the day is taken.
pub(super) async fn clear(stage: &Stage, talk: &mut Talk) -> Result<Check> {
    let file = stage.card_network("GET", &format!("/file/{MEMBER}")).await?;
    let taken = stage.done("/v1/card-clearing", "card-clearing-1", json!({ "file": file })).await?;
    let lines = taken.get("lines").and_then(Value::as_i64).unwrap_or_default();
    let parts = taken.get("parts").and_then(Value::as_array).context("an answer without 'parts'")?;
    let sum = |key: &str| parts.iter().filter_map(|part| part.get(key)?.as_i64()).sum::<i64>();
    let (matched, different) = (sum("matched"), sum("different"));
    talk.phase(&format!("  matched the card network's file of {DAY}: {matched} of {lines} lines, net {}", sum("net")));
    let detail = format!("{matched} of {lines} lines matched, {different} different");
    let holds = lines > 0 && matched == lines && different == 0;
    Ok(Check { day: DAY.to_owned(), name: "clearing_cards".to_owned(), holds, detail })
}
