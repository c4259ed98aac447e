//! The fund's monthly batches, as the server's shell carries them.
//!
//! ```text
//!  a try waits ─► close the month ─► ask for the result ─ not there ─► hand the batch in: the same bytes every time ─► ask again
//!                                         ├ not paid yet ─────────────────────────────────────────────────────────────► ask again
//!                                         └ a file ─► taken ─ a row is missing ─► ask again
//!                                                        └ every row is answered ─► once more: what was refused may be paid late
//! ```

use channels::{Batch, BatchRow, Channel, Request, Response};
use domain::Command;
use domain::attempt::{Attempt, AttemptStatus, Operation, Rail};
use domain::fund_batch::{FundBatch, FundBatchCommand, FundRow, TakeFundResult};

use crate::check::{Checked, broken};
use crate::world::World;

/// The month of every lease.
pub(crate) const PERIOD: &str = "2026-03";

/// What the centre answers about a batch that it does not have, and about one that it has not paid yet.
const NOT_THERE: u16 = 404;
const NOT_PAID: u16 = 409;

/// Whether a batch carries an attempt, and no flight.
pub(crate) const fn is_batched(attempt: &Attempt) -> bool {
    matches!(attempt.operation, Operation::FundBatch { .. })
}

fn row(row: &FundRow) -> BatchRow<'_> {
    BatchRow { serial: &row.serial, contract: &row.contract, amount: row.applied }
}

impl World {
    /// The command that is next for the fund's batches; nothing, and the chore is done, if none is left, or if no answer came.
    pub(crate) fn batches(&mut self) -> Checked<Option<Command>> {
        let channel = self.network.channel(Rail::Fund);
        let centre = channel.as_ref().and_then(|channel| channel.fund_centre());
        let (Some(channel), Some(city)) = (&channel, centre.map(|centre| centre.city.clone())) else {
            self.operator.chores.pop_front();
            return Ok(None);
        };
        let state = self.follower.state();
        let waits = |attempt: &Attempt| is_batched(attempt) && attempt.status == AttemptStatus::Requested;
        if state.in_outbox().any(waits) {
            let period = PERIOD.to_owned();
            return Ok(Some(Command::FundBatch(FundBatchCommand::Close { city, period })));
        }
        let asked_again = &self.operator.asked_again;
        let left = |batch: &&FundBatch| batch.is_open() || !asked_again.contains(&batch.id);
        let Some(batch) = state.fund_batches.iter().map(|(_, batch)| batch).find(left).cloned() else {
            self.operator.chores.pop_front();
            return Ok(None);
        };
        self.carries_batch(channel.as_ref(), &batch)
    }

    fn carries_batch(&mut self, channel: &dyn Channel, batch: &FundBatch) -> Checked<Option<Command>> {
        let law = "a bank's file is believed";
        let nonce = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        let request = channel.build_batch_result(&batch.number, &nonce);
        let request = request.or_else(|error| broken(law, error.to_string()))?;
        let Some(response) = self.asks_centre(&request) else { return Ok(None) };
        match response.status {
            200 => {}
            NOT_THERE => {
                self.hands_in(channel, batch)?;
                return Ok(None);
            }
            NOT_PAID => return Ok(None),
            status => return broken(law, format!("the centre answers {status} about {}", batch.number)),
        }
        let result = channel.batch_result(&response.body).or_else(|error| broken(law, error.to_string()))?.into_inner();
        if !batch.is_open() {
            self.operator.asked_again.insert(batch.id);
        }
        let (number, rows) = (result.number, result.rows);
        self.say("operator", format_args!("gets a result of {number} with {} rows", rows.len()));
        let file = TakeFundResult { batch: batch.id, city: result.city, number, rows };
        Ok(Some(Command::FundBatch(FundBatchCommand::TakeResult(file))))
    }

    fn hands_in(&mut self, channel: &dyn Channel, batch: &FundBatch) -> Checked {
        let law = "a bank's file is believed";
        let rows: Vec<BatchRow<'_>> = batch.rows.iter().map(row).collect();
        let (number, city, period) = (&batch.number, &batch.city, &batch.period);
        let request = channel.build_batch(&Batch { number, city, period, date: batch.date, rows: &rows });
        let request = request.or_else(|error| broken(law, error.to_string()))?;
        self.network.hands_in(number, request.body())?;
        self.say("operator", format_args!("hands in {number} with {} rows", rows.len()));
        let copies = if self.random.chance(self.weather.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if let Some(response) = self.asks_centre(&request)
                && response.status != 200
            {
                return broken(law, format!("the centre answers {} to {number}", response.status));
            }
        }
        Ok(())
    }

    /// What the centre answers; nothing if the question or the answer is lost.
    fn asks_centre(&mut self, request: &Request) -> Option<Response> {
        if self.random.chance(self.weather.lost) {
            return None;
        }
        let response = self.network.exchange(request);
        (!self.random.chance(self.weather.lost)).then_some(response)
    }
}
