//! The run: opens accounts, posts, cuts and closes, a day at a time, from where the books stand to the plan's end.
//!
//! ```text
//!  for each posting after the mark:  cut and close up to its date ─► open its new accounts ─► post
//!  at the end:                       cut and close the last date
//! ```
//! Each step may be broken off before or after it took effect, and done again: an account is opened under a key of its own,
//! a posting has its number, a day that is cut is cut, one that is closed is closed.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use ark::sm3;
use domain::calendar::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::file::{Rejected, Row};
use super::format::{Days, Format};
use super::plan::Plan;
use super::standing::{Standing, is_credited};
use crate::cli::client::{Client, target};

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether there was nothing left to do.
    pub(crate) was_done: bool,
    /// Whether it was asked to stop before the end.
    pub(crate) stopped: bool,
    /// Rows posted by this run.
    pub(crate) posted: usize,
    /// Accounts opened by this run, or asked for again.
    pub(crate) opened: usize,
    /// Days closed by this run.
    pub(crate) closed: usize,
    /// Rows that the books refused, in this run or an earlier one.
    pub(crate) refused: Vec<Rejected>,
}

/// Carries a plan out from where the books stand. `standing` is kept up as it goes.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    pub(crate) format: &'a Format,
    pub(crate) plan: &'a Plan,
    /// Stops at the first row that the books refuse.
    pub(crate) strict: bool,
    /// Set when it shall stop at the next step.
    pub(crate) stop: &'a AtomicBool,
    pub(crate) standing: &'a mut Standing,
    pub(crate) outcome: Outcome,
}

#[derive(Serialize)]
struct Posting<'a> {
    stream: &'a str,
    number: usize,
    atomic: bool,
    date: String,
    vouchers: Vec<Voucher<'a>>,
}

#[derive(Serialize)]
struct Voucher<'a> {
    event: &'static str,
    entries: [Entry<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<Dimensions<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    account: &'a str,
    side: &'static str,
    amount: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct Dimensions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<u32>,
}

#[derive(Deserialize)]
struct Posted {
    vouchers: usize,
    first_voucher: Option<String>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    index: usize,
    code: String,
    message: String,
}

impl Run<'_> {
    /// Runs to the end, or until it is asked to stop; `progress` hears how many rows are posted.
    ///
    /// # Errors
    /// What the platform refuses, a day whose checks do not hold; with `strict` also a refused row.
    pub(crate) fn run(&mut self, mut progress: impl FnMut(usize)) -> Result<()> {
        let Some(last) = self.plan.last_date() else { return Ok(()) };
        self.refused_before();
        progress(self.rows_before(self.standing.mark));
        if self.standing.is_done(self.plan) {
            self.outcome.was_done = true;
            return Ok(());
        }
        for date in std::mem::take(&mut self.standing.cutting) {
            self.close(date)?;
        }
        for place in self.standing.mark..self.plan.postings.len() {
            let posting = self.plan.postings.get(place).context("the range is theirs")?;
            let date = self.plan.date_of(posting).context("a posting has rows")?;
            if !self.advance(date)? {
                return Ok(());
            }
            self.post(place, date)?;
            progress(self.rows_before(place + 1));
        }
        self.advance(last.plus_days(1)).map(drop)
    }

    fn rows_before(&self, place: usize) -> usize {
        place.checked_sub(1).and_then(|last| self.plan.postings.get(last)).map_or(0, |posting| posting.end)
    }

    /// Rows of answered postings that have no voucher.
    fn refused_before(&mut self) {
        for (number, posting) in (1..=self.standing.mark).zip(&self.plan.postings) {
            for (index, place) in posting.clone().enumerate() {
                let row = self.plan.rows.get(place).filter(|_| self.standing.vouchers.get(place) == Some(&0));
                self.outcome.refused.extend(row.map(|row| Rejected {
                    line: row.line,
                    reason: format!(
                        "the books refused it in an earlier run, as voucher {index} of posting {number} of the stream {}",
                        self.format.stream
                    ),
                }));
            }
        }
    }

    /// Cuts and closes days until `date` is the open one; false if it was asked to stop.
    fn advance(&mut self, date: Date) -> Result<bool> {
        while self.standing.current < date {
            if self.stop.load(Ordering::Acquire) {
                self.outcome.stopped = true;
                return Ok(false);
            }
            let open = self.standing.current;
            // Days before the first are not the import's.
            let next = match self.format.days {
                _ if open < self.format.first_day => self.format.first_day,
                Days::Calendar => open.plus_days(1),
                Days::Rows => date,
            };
            let body = json!({ "next": next.to_string() }).to_string().into_bytes();
            self.client.post_keyed("/v1/days/cut", &self.key(&format!("cut/{next}")), body)?;
            self.standing.current = next;
            self.close(open)?;
        }
        if self.stop.load(Ordering::Acquire) {
            self.outcome.stopped = true;
        }
        Ok(!self.outcome.stopped)
    }

    fn close(&mut self, date: Date) -> Result<()> {
        let text = date.to_string();
        let key = self.key(&format!("close/{text}"));
        let day: Value = self.client.post_keyed(&target(&["v1", "days", &text, "close"], &[]), &key, b"{}".to_vec())?;
        if day["status"] != "closed" {
            let broken = day["checks"].as_array().into_iter().flatten().filter(|check| check["holds"] == false);
            let names: Vec<String> = broken.map(|check| format!("{}: {}", check["name"], check["detail"])).collect();
            bail!("{date} does not close, as checks do not hold: {}", names.join("; "));
        }
        self.outcome.closed += 1;
        self.standing.closed += 1;
        Ok(())
    }

    fn post(&mut self, place: usize, date: Date) -> Result<()> {
        let posting = self.plan.postings.get(place).context("the range is theirs")?.clone();
        for row in posting.clone() {
            let external = *self.plan.account_of.get(row).context("each row has its account")?;
            if self.standing.accounts.get(external).is_some_and(Option::is_none) {
                let opened = self.open(external)?;
                *self.standing.accounts.get_mut(external).context("each row has its account")? = Some(opened);
            }
        }
        if self.standing.contra.is_none() {
            self.standing.contra = Some(self.contra()?);
        }
        let number = place + 1;
        let vouchers = posting.clone().map(|row| self.voucher(row)).collect::<Result<_>>()?;
        let stream = self.format.stream.as_str();
        let body = Posting { stream, number, atomic: self.strict, date: date.to_string(), vouchers };
        let body = serde_json::to_vec(&body).context("writing the posting")?;
        let answer = self.client.post_keyed("/v1/postings", &self.key(&format!("posting/{number}")), body);
        let answer = answer.with_context(|| format!("posting {number} of {}", self.plan.postings.len()))?;
        let answer: Posted = serde_json::from_value(answer).context("the answer to a posting")?;
        if answer.vouchers != posting.len() {
            bail!("posting {number} had {} vouchers and was answered for {}", posting.len(), answer.vouchers);
        }
        self.standing.mark = number;
        self.take(&posting, &answer)
    }

    /// Notes which rows were posted, and as which vouchers.
    fn take(&mut self, posting: &std::ops::Range<usize>, answer: &Posted) -> Result<()> {
        let first = answer.first_voucher.as_deref().map(|id| {
            id.strip_prefix("vch_").and_then(|number| number.parse::<u64>().ok()).context("the id of the first voucher")
        });
        let mut next = first.transpose()?.unwrap_or_default();
        let mut refused = answer.refused.iter().peekable();
        for (index, place) in posting.clone().enumerate() {
            if let Some(refusal) = refused.next_if(|refusal| refusal.index == index) {
                let line = self.plan.rows.get(place).map_or(0, |row| row.line);
                let reason = format!("the books refuse it: {} ({})", refusal.message, refusal.code);
                self.outcome.refused.push(Rejected { line, reason });
            } else {
                *self.standing.vouchers.get_mut(place).context("each row has its voucher")? = next;
                next += 1;
                self.outcome.posted += 1;
            }
        }
        Ok(())
    }

    fn voucher(&self, place: usize) -> Result<Voucher<'_>> {
        let row: &Row = self.plan.rows.get(place).context("the range is theirs")?;
        let books = &self.format.books;
        let external = self.plan.account_of.get(place).context("each row has its account")?;
        let ours = self.standing.accounts.get(*external).and_then(Option::as_deref).context("opened above")?;
        let other = self.standing.contra.as_deref().context("looked up above")?;
        let (debit, credit) = if is_credited(self.format, row.way) { (other, ours) } else { (ours, other) };
        let entry = |account, side| Entry { account, side, amount: row.amount, currency: books.currency.code() };
        let (product, channel, region) = (row.product.as_deref(), row.channel.as_deref(), row.region);
        let is_counted = product.is_some() || channel.is_some() || region.is_some();
        Ok(Voucher {
            event: books.event.name(),
            entries: [entry(debit, "debit"), entry(credit, "credit")],
            dimensions: is_counted.then_some(Dimensions { product, channel, region }),
        })
    }

    /// Opens our account for one of the other system's, or finds the one that was opened for it before.
    fn open(&mut self, external: usize) -> Result<String> {
        let books = &self.format.books;
        let body = json!({
            "subject": books.subject.code(), "currency": books.currency.code(),
            "owner": crate::http::wire::owner_text(books.owner), "overdraft": books.overdraft,
        });
        let name = self.plan.accounts.get(external).context("each row has its account")?;
        let key = self.key(&format!("account/{}", hex::encode(sm3(name.as_bytes()))));
        let account = self.client.post_keyed("/v1/accounts", &key, body.to_string().into_bytes());
        let account = account.with_context(|| format!("opening an account for '{name}'"))?;
        self.outcome.opened += 1;
        account["id"].as_str().map(str::to_owned).context("the answer to an account has its id")
    }

    /// The institution's account on the other side.
    fn contra(&self) -> Result<String> {
        let books = &self.format.books;
        let (subject, currency) = (books.contra.code().to_string(), books.currency.code());
        let health = self.client.get("/health/ready")?;
        let position = health["position"].as_u64().unwrap_or_default().to_string();
        let query = [
            ("owner", Some("institution")),
            ("subject", Some(subject.as_str())),
            ("min_position", Some(position.as_str())),
        ];
        let list = self.client.get(&target(&["v1", "accounts"], &query))?;
        let of_currency = |account: &&Value| account["currency"] == currency;
        let account = list["data"].as_array().into_iter().flatten().find(of_currency);
        let id = account.and_then(|account| account["id"].as_str());
        id.map(str::to_owned).with_context(|| format!("the books have no account of {subject} in {currency}"))
    }

    fn key(&self, what: &str) -> String {
        format!("import/{}/{what}", self.format.stream)
    }
}
