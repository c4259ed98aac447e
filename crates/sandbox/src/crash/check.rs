//! What must hold after every start, and once more, with the days closed, when a set of books is done.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::books::Books;
use super::draw::one_of;
use super::model::Expected;
use super::teller::Kept;
use crate::api::Api;
use crate::bench::numbers::Numbers;
use crate::play::stage::{DAY, each, text};

/// How many requests are under way at once.
const WIDTH: usize = 32;
/// Commands of earlier rounds that are asked for again after a round.
const OLD_SAMPLE: u64 = 300;
/// Accounts whose every line is read after a round.
const LINES_SAMPLE: u64 = 3;
/// How long attempts may be under way at the end.
const SETTLING: std::time::Duration = std::time::Duration::from_secs(60);

fn integer(value: &Value, key: &str) -> Result<i64> {
    value.get(key).and_then(Value::as_i64).with_context(|| format!("an answer without '{key}': {value}"))
}

/// Asks for commands again: each must get the answer it got.
///
/// # Errors
/// The first that does not.
pub(super) async fn again(api: &Api, commands: Vec<Kept>) -> Result<()> {
    each(commands, WIDTH, |_, command| command.again(api.clone())).await.map(drop)
}

/// Everything the model knows, as the started platform tells it.
///
/// # Errors
/// What does not hold.
pub(super) async fn after_a_round(books: &Books, numbers: &mut Numbers) -> Result<()> {
    let api = &books.stage.operator;
    let old = (0..OLD_SAMPLE).filter_map(|_| one_of(&books.kept, numbers)).cloned();
    again(api, old.collect()).await?;
    accounts(books).await?;
    let all: Vec<(u64, Expected)> = books.model.accounts().collect();
    for _ in 0..LINES_SAMPLE {
        if let Some((account, expected)) = one_of(&all, numbers) {
            lines(books, *account, expected).await?;
        }
    }
    for day in &books.days {
        let trial = api.get(&format!("/v1/days/{day}/trial-balance")).await?;
        ensure!(trial.get("balanced") == Some(&Value::Bool(true)), "the books of {day} do not balance: {trial}");
    }
    Ok(())
}

fn statement(books: &Books, account: u64) -> String {
    let today = books.days.last().map_or_else(|| DAY.to_owned(), ToString::to_string);
    format!("/v1/accounts/acc_{account}/statement?from={DAY}&to={today}")
}

/// Each account shows what was done to it, and its statement ends in its balance.
async fn accounts(books: &Books) -> Result<()> {
    let checks = books.model.accounts().map(|(account, expected)| (account, expected, statement(books, account)));
    each(checks.collect(), WIDTH, |_, (account, expected, statement)| {
        let api = books.stage.operator.clone();
        async move {
            let seen = api.get(&format!("/v1/accounts/acc_{account}")).await?;
            let entries = u64::try_from(integer(&seen, "entries")?).unwrap_or_default();
            let found = Expected { balance: integer(&seen, "balance")?, held: integer(&seen, "held")?, entries };
            ensure!(found == expected, "acc_{account} shows {found:?}; what was done to it comes to {expected:?}");
            let seen = api.get(&format!("{statement}&limit=1")).await?;
            let found = (integer(&seen, "opening")?, integer(&seen, "closing")?, integer(&seen, "count")?);
            let must = (0, expected.balance, i64::try_from(expected.entries).unwrap_or(i64::MAX));
            ensure!(
                found == must,
                "the statement of acc_{account} (opening, closing, lines) is {found:?}, not {must:?}"
            );
            Ok(())
        }
    })
    .await
    .map(drop)
}

/// Every line of an account's statement: numbered without a gap, each balance the one before it and the amount.
async fn lines(books: &Books, account: u64, expected: &Expected) -> Result<()> {
    let answer = books.stage.operator.read(&statement(books, account), "text/csv").await?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "the statement of acc_{account}: {text}");
    let mut rows = text.lines();
    let names: Vec<&str> = rows.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| {
        let at = names.iter().position(|own| *own == name);
        at.with_context(|| format!("a statement without the column '{name}'"))
    };
    let (kind, line, side) = (column("row")?, column("number")?, column("side")?);
    let (amount, after) = (column("amount_minor")?, column("balance_minor")?);
    let (mut count, mut balance) = (0_u64, 0_i64);
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let whole = |at: usize| cell(at).parse::<i64>().with_context(|| format!("acc_{account}: {row}"));
        if cell(kind) == "entry" {
            count += 1;
            ensure!(whole(line)? == i64::try_from(count)?, "acc_{account}: line {count} of the statement is {row}");
            balance += if cell(side) == "debit" { -whole(amount)? } else { whole(amount)? };
        }
        ensure!(whole(after)? == balance, "acc_{account}: the lines come to {balance}: {row}");
    }
    let found = (count, balance);
    ensure!(
        found == (expected.entries, expected.balance),
        "acc_{account}: the statement has {found:?}, not {expected:?}"
    );
    Ok(())
}

/// The end of a set of books: everything listed once, nothing sent twice, every order booked once, every day closed with all
/// checks, and the journal intact. The platform is stopped after this.
///
/// # Errors
/// What does not hold.
pub(super) async fn at_the_end(books: Books) -> Result<()> {
    let stage = &books.stage;
    stage.settle_down(SETTLING).await.context("waiting for attempts at the bank")?;
    orders(&books).await?;
    let listed = stage.all("/v1/accounts?owner=institution&subject=9201&min_position=1").await?;
    let found = listed.len() as u64;
    ensure!(found == books.opened, "{found} custody sub-accounts are listed; {} were opened", books.opened);
    let seen = stage.bank("GET", "/sandbox/stats", &Value::Null).await?;
    let again = integer(&seen, "sent_again")?;
    ensure!(again == 0, "the bank saw {again} serial numbers a second time");
    close(&books).await?;
    let (launch, _) = stage.power();
    books.stage.strike(false)?;
    Books::verify_journal(&launch)
}

/// Each order is there once; each merchant has the net of its orders that succeeded.
async fn orders(books: &Books) -> Result<()> {
    let listed = books.stage.all("/v1/orders?min_position=1").await?;
    let ids: std::collections::BTreeSet<String> = listed.iter().map(|row| text(row, "id")).collect::<Result<_>>()?;
    ensure!(
        listed.len() == ids.len() && ids == books.orders,
        "{} orders listed, {} placed",
        ids.len(),
        books.orders.len()
    );
    for seller in &books.sellers {
        let own = listed.iter().filter(|row| row.get("merchant").is_some_and(|id| *id == seller.id.as_str()));
        let paid = own.filter(|row| row.get("status").is_some_and(|status| status == "success"));
        let net: i64 = paid.map(|row| integer(row, "net")).sum::<Result<_>>()?;
        let account = books.stage.operator.get(&format!("/v1/accounts/{}", seller.pending)).await?;
        let balance = integer(&account, "balance")?;
        ensure!(balance == net, "{} has {balance} to be settled; its paid orders come to {net}", seller.id);
    }
    Ok(())
}

/// Cuts the open day and closes all before it; every check must hold.
async fn close(books: &Books) -> Result<()> {
    books.stage.done("/v1/days/cut", "cut-at-the-end", json!({})).await?;
    for day in &books.days {
        let path = format!("/v1/days/{day}/close");
        let seen = books.stage.done(&path, &format!("close-{day}"), Value::Null).await?;
        let broken = seen.get("checks").and_then(Value::as_array).context("a closed day has checks")?.iter();
        let broken: Vec<String> =
            broken.filter(|check| check.get("holds") != Some(&Value::Bool(true))).map(ToString::to_string).collect();
        ensure!(broken.is_empty(), "{day} does not close: {}", broken.join(", "));
        ensure!(seen.get("status").is_some_and(|status| status == "closed"), "{day} does not close: {seen}");
    }
    Ok(())
}
