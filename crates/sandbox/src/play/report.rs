//! What the day came to: trial balance by book and subject, cover, rates, what the bank saw, orders a second.

use anyhow::Result;
use serde_json::{Value, json};

use super::close::{Check, Verdict};
use super::orders::Day;
use super::{Stage, Talk};

/// Prints the report; true if everything holds.
pub(super) async fn report(stage: &Stage, day: &Day, verdict: Verdict, as_json: bool, talk: &mut Talk) -> Result<bool> {
    verdict.trials.iter().for_each(|trial| trial_balance(trial, talk));
    talk.line("\nChecks");
    for Check { day, name, holds, detail } in &verdict.checks {
        talk.line(&format!("  {} {day} {name:<26} {detail}", if *holds { "holds " } else { "BREAKS" }));
    }
    let rates = stage.operator.get("/v1/rates").await?;
    talk.line("\nRates");
    for (key, name) in [("effective", "effective success"), ("first_try", "first-try success")] {
        let of = |part: &str| rates.pointer(&format!("/{key}/{part}")).and_then(Value::as_u64).unwrap_or_default();
        talk.line(&format!("  {name:<18} {} / {}", of("numerator"), of("denominator")));
    }
    let bank = stage.bank("GET", "/sandbox/stats", &Value::Null).await?;
    let again = bank.get("sent_again").and_then(Value::as_u64).unwrap_or_default();
    let per_second = day.placed.len() as f64 / day.spent.as_secs_f64();
    talk.line(&format!("\nNothing sent twice: the bank saw {again} serial numbers a second time"));
    talk.line(&format!("{} orders placed and paid for, {per_second:.0} a second", day.placed.len()));
    let holds = verdict.holds() && again == 0;
    talk.line(if holds { "Every check holds." } else { "A CHECK DOES NOT HOLD." });
    if as_json {
        let object = json!({
            "orders": day.placed.len(), "orders_per_second": per_second, "checks": verdict.checks.len(),
            "holds": holds, "sent_again": again, "rates": rates,
        });
        talk.line(&object.to_string());
    }
    Ok(holds)
}

fn yuan(value: Option<&Value>) -> String {
    let fen = value.and_then(Value::as_i64).unwrap_or_default();
    let (sign, whole) = (if fen < 0 { "-" } else { "" }, fen.unsigned_abs());
    format!("{sign}{}.{:02}", whole / 100, whole % 100)
}

fn trial_balance(trial: &Value, talk: &mut Talk) {
    let date = trial.get("date").and_then(Value::as_str).unwrap_or_default();
    talk.line(&format!("\nTrial balance of {date} (试算平衡)"));
    talk.line(&format!(
        "  {:<8} {:>4}  {:<42} {:>18} {:>18} {:>18}",
        "book", "", "subject", "debit", "credit", "closing"
    ));
    for line in trial.get("lines").and_then(Value::as_array).into_iter().flatten() {
        let of = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        let code = line.get("subject").and_then(Value::as_u64).unwrap_or_default();
        talk.line(&format!(
            "  {:<8} {code:>4}  {:<42} {:>18} {:>18} {:>18}",
            of("book"),
            of("name"),
            yuan(line.get("debit")),
            yuan(line.get("credit")),
            yuan(line.get("closing")),
        ));
    }
    for cover in trial.get("cover").and_then(Value::as_array).into_iter().flatten() {
        talk.line(&format!(
            "  customers are owed {}; there is {} at the central bank and {} in clearing, of which {} is the institution's",
            yuan(cover.get("liabilities")),
            yuan(cover.get("central_bank")),
            yuan(cover.get("in_clearing")),
            yuan(cover.get("due_to_own")),
        ));
    }
}
