//! Still phase 5: the central bank's statement of the reserve account. Each clearing session whose net is not zero is a
//! line of it, and only its lines move 1101; its closing balances are declared before the days close, which compares
//! 1101 with them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::close::Check;
use super::stage::{DAY, NEXT_DAY, text};
use super::{Stage, Talk};

/// The statement, as the central bank would send it.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// What each session brings, by rail and clearing date; below zero if it takes out.
    sessions: BTreeMap<(&'static str, String), i64>,
    /// What the lines brought.
    balance: i64,
}

impl Statement {
    /// A network moved what a file of its says: of a rail and a date all files are one session.
    pub(super) fn moved(&mut self, rail: &'static str, date: &str, net: i64) {
        *self.sessions.entry((rail, date.to_owned())).or_default() += net;
    }

    /// Takes the line of each session under the next day, money in before money out: 1101 is never overdrawn.
    pub(super) async fn take_sessions(&mut self, stage: &Stage, talk: &mut Talk) -> Result<Check> {
        let mut sessions: Vec<_> =
            std::mem::take(&mut self.sessions).into_iter().filter(|(_, net)| *net != 0).collect();
        sessions.sort_by_key(|(_, net)| std::cmp::Reverse(*net));
        let (count, mut booked, before) = (sessions.len(), 0_usize, self.balance);
        for ((rail, date), net) in sessions {
            let line = json!({ "clearing": { "rail": rail, "date": date } });
            let taken = self.take(stage, &format!("SESSION-{rail}-{date}"), net, line).await?;
            booked += usize::from(taken.get("voucher").is_some_and(Value::is_string));
        }
        let detail = format!("{booked} of {count} lines booked, {} in sum", self.balance - before);
        talk.phase(&format!("  took the statement's line of each clearing session: {detail}"));
        let holds = booked == count && count > 0;
        Ok(Check { day: NEXT_DAY.to_owned(), name: "session_lines".to_owned(), holds, detail })
    }

    /// Takes a line that brings `amount`, or takes it out if below zero; what the platform made of it.
    pub(super) async fn take(&mut self, stage: &Stage, reference: &str, amount: i64, mut line: Value) -> Result<Value> {
        let body = line.as_object_mut().context("a line is an object")?;
        let direction = if amount > 0 { "in" } else { "out" };
        body.insert("reference".to_owned(), json!(reference));
        body.insert("date".to_owned(), json!(NEXT_DAY));
        body.insert("direction".to_owned(), json!(direction));
        body.insert("amount".to_owned(), json!(amount.saturating_abs()));
        body.insert("currency".to_owned(), json!("CNY"));
        let taken = stage.done("/v1/reserve-lines", &format!("line-{reference}"), line).await?;
        self.balance += amount;
        Ok(taken)
    }

    /// Declares the closing balances of both days. No line is of the first: its sessions came with the next morning.
    pub(super) async fn declare(&self, stage: &Stage) -> Result<()> {
        ensure!(self.sessions.is_empty(), "sessions without their line: {:?}", self.sessions);
        for (day, balance) in [(DAY, 0), (NEXT_DAY, self.balance)] {
            let body = json!({ "date": day, "balance": balance, "currency": "CNY" });
            stage.done("/v1/reserve-balances", &format!("balance-{day}"), body).await?;
        }
        Ok(())
    }

    /// Whether 1101 closed both days at what was declared: the close compares nothing where no balance was taken.
    pub(super) fn agrees(&self, trials: &[Value]) -> Result<Vec<Check>> {
        let of_trial = |trial: &Value| -> Result<Check> {
            let day = text(trial, "date")?;
            let declared = if day == NEXT_DAY { self.balance } else { 0 };
            let lines = trial.get("lines").and_then(Value::as_array).context("a trial balance without 'lines'")?;
            let is_ours = |line: &&Value| {
                let subject = line.get("subject").and_then(Value::as_u64);
                subject == Some(1101) && line.get("currency").and_then(Value::as_str) == Some("CNY")
            };
            // A subject that never moved is left out.
            let closing =
                lines.iter().find(is_ours).map_or(Some(0), |line| line.get("closing").and_then(Value::as_i64));
            let closing = closing.context("a line without 'closing'")?;
            let (name, holds) = ("1101_equals_declared".to_owned(), closing == declared);
            Ok(Check { day, name, holds, detail: format!("1101 closed at {closing}, the statement at {declared}") })
        };
        trials.iter().map(of_trial).collect()
    }
}
