//! Phase 3: a morning at the terminals. Shops sell, void, hold and complete, refund, take tips, through a card
//! network that loses, delays and doubles answers and whose links are broken in between; what was not heard is taken back, and
//! every batch is closed.
//!
//! Three things must be so: each batch counts what the platform counts; cards paid exactly what terminals saw paid; and the
//! network's file of the day names exactly what the books have.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::card_stage::nothing_open;
use super::close::Check;
use super::stage::{DAY, text};
use super::statement::Statement;
use super::{Stage, Talk};
use crate::card_network::process::MEMBER;
use crate::cipher::CardCipher;
use crate::person::Person;
use crate::terminal::fleet::work;
use crate::terminal::register::{Fleet, Office};
use crate::terminal::{Dialect, Shift, Summary, Terminal, Way};

const SHOPS: usize = 4;
const TERMINALS: usize = 12;
/// How many cards are presented.
const CARDS: u64 = 60;
/// A terminal waits longer than the platform does for its network.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two customers, on the mean.
const PAUSE: Duration = Duration::from_millis(40);
/// How often all links break, and how far apart.
const BREAKS: u32 = 3;
const BREAKS_EACH: Duration = Duration::from_millis(300);
/// How long reversals may take.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);

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
    let terminals = terminals.into_iter().map(|own| Terminal::new(own, &dialect, way)).collect();
    let transactions = u32::try_from((orders / 400).clamp(12, 60)).unwrap_or(12);
    let shift = Shift { transactions, seed: seed.wrapping_add(1_000), cards: CARDS, pause: PAUSE };
    let mut working = tokio::spawn(work(terminals, 1, shift, Arc::default()));
    let (mut cut, mut breaks) = (tokio::time::interval(BREAKS_EACH), 0);
    let seen = loop {
        tokio::select! {
            ended = &mut working => break ended.context("the terminals")?,
            _ = cut.tick(), if breaks < BREAKS => {
                stage.cards()?.network.ask("POST", "/cut").await?;
                breaks += 1;
            }
        }
    };
    ensure!(seen.gave_up.is_empty(), "terminals gave up: {:?}", seen.gave_up);
    let position = nothing_open(stage, SETTLES_WITHIN).await?;
    let reversed = stage.all(&format!("/v1/card-transactions?status=reversed&min_position={position}")).await?.len();
    let declined: u64 = seen.declined.values().sum();
    talk.phase(&format!(
        "3 cards at {TERMINALS} terminals of {SHOPS} shops: {} approved, {declined} declined or not answered in time, {} whose \
         answer no terminal heard; all links broken {breaks} times; {reversed} taken back; {} batches closed",
        seen.approved.values().sum::<u64>(),
        seen.unheard,
        seen.batches_balanced + seen.batches_unbalanced,
    ));
    compare(stage, &seen).await
}

/// What terminals count against what the platform counts, and against what cards paid.
async fn compare(stage: &Stage, seen: &Summary) -> Result<Vec<Check>> {
    let (balanced, batches) = (seen.batches_balanced, seen.batches_balanced + seen.batches_unbalanced);
    let seen = seen.debit - seen.credit;
    let books = stage.cards()?.network.books().await?;
    let of = |key: &str| books.get(key).and_then(Value::as_i64).unwrap_or_default();
    let paid = of("taken") - of("given");
    let check = |name: &str, holds, detail| Check { day: DAY.to_owned(), name: name.to_owned(), holds, detail };
    Ok(vec![
        check("card_batches_balanced", balanced == batches && batches > 0, format!("{balanced} of {batches} batches")),
        check(
            "cards_as_terminals_saw",
            seen == paid && paid > 0,
            format!("terminals saw {seen} paid, cards paid {paid} ({} transactions reversed there)", of("reversed")),
        ),
    ])
}

/// On the next working day: the network's file of the day is taken.
pub(super) async fn clear(stage: &Stage, statement: &mut Statement, talk: &mut Talk) -> Result<Check> {
    let file = stage.cards()?.network.ask("GET", &format!("/file/{MEMBER}")).await?;
    let taken = stage.done("/v1/card-clearing", "card-clearing-1", json!({ "file": file })).await?;
    let lines = taken.get("lines").and_then(Value::as_i64).unwrap_or_default();
    let parts = taken.get("parts").and_then(Value::as_array).context("an answer without 'parts'")?;
    let sum = |key: &str| parts.iter().filter_map(|part| part.get(key)?.as_i64()).sum::<i64>();
    let (matched, different, net) = (sum("matched"), sum("different"), sum("net"));
    // Its session is UnionPay's: one line of the statement with that of the payments.
    statement.moved("unionpay", &text(&taken, "date")?, net);
    talk.phase(&format!("  matched the card network's file of {DAY}: {matched} of {lines} lines, net {net}"));
    let detail = format!("{matched} of {lines} lines matched, {different} different");
    let holds = lines > 0 && matched == lines && different == 0;
    Ok(Check { day: DAY.to_owned(), name: "clearing_cards".to_owned(), holds, detail })
}
