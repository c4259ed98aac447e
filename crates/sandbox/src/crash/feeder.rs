//! A feeder: bulk postings in a stream of its own, one after the other, until the platform is gone.
//!
//! A stream keeps its last answers only; what lies further back is `number_expired` and shows in the balances.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::model::Effect;
use super::posting::{Form, Posting};
use crate::api::{Answer, Api};
use crate::bench::numbers::Numbers;

/// How many answers of a stream the platform keeps.
const KEPT: usize = 16;
/// The longest pause between two postings, in milliseconds: journals of hundreds of rounds must stay handy.
const PAUSE_MS: u64 = 15;

/// A feeder between two kills, and what came of its postings.
#[derive(Debug)]
pub(super) struct Feeder {
    stream: String,
    form: Form,
    seed: u64,
    /// The most vouchers of a posting.
    most: u64,
    pauses: Numbers,
    /// The highest number acknowledged.
    mark: u64,
    last: VecDeque<(u64, Vec<u8>)>,
    /// Whether the number after the mark was sent without an answer.
    doubt: bool,
    /// What every acknowledged posting did, for the model.
    pub(super) effects: Vec<Effect>,
    /// Postings acknowledged since it was last asked.
    pub(super) acknowledged: u64,
    /// Their vouchers.
    pub(super) vouchers: u64,
}

impl Feeder {
    /// A feeder of a new stream.
    pub(super) fn new(stream: String, form: Form, seed: u64, most: u64) -> Self {
        Self {
            stream,
            form,
            seed,
            most,
            pauses: Numbers(seed),
            mark: 0,
            last: VecDeque::new(),
            doubt: false,
            effects: Vec::new(),
            acknowledged: 0,
            vouchers: 0,
        }
    }

    /// Sends postings until one gets no answer.
    ///
    /// # Errors
    /// An answer that a posting must not get.
    pub(super) async fn run(mut self, api: Api, accounts: Arc<[u64]>) -> Result<Self> {
        loop {
            let posting = self.posting(self.mark + 1, &accounts);
            let Ok(answer) = self.send(&api, &posting).await else {
                self.doubt = true;
                return Ok(self);
            };
            self.settle(&posting, answer)?;
            tokio::time::sleep(Duration::from_millis(self.pauses.below(PAUSE_MS))).await;
        }
    }

    /// Looks where the stream stands, and sends again what is in doubt; whether that had been done. `None` if nothing was in
    /// doubt.
    ///
    /// # Errors
    /// A stream that stands elsewhere than it can.
    pub(super) async fn resolve(&mut self, api: &Api, accounts: &[u64]) -> Result<Option<bool>> {
        let stream = &self.stream;
        let seen = api.get(&format!("/v1/postings/{stream}")).await?;
        let mark = seen.get("mark").and_then(Value::as_u64).context("a stream without 'mark'")?;
        let highest = self.mark + u64::from(self.doubt);
        ensure!(
            (self.mark..=highest).contains(&mark),
            "{stream} stands at {mark}; {} was acknowledged, {highest} sent",
            self.mark
        );
        if !std::mem::take(&mut self.doubt) {
            return Ok(None);
        }
        let posting = self.posting(self.mark + 1, accounts);
        let answer = self.send(api, &posting).await?;
        self.settle(&posting, answer)?;
        Ok(Some(mark == highest))
    }

    /// Sends the last postings again: each must get its first answer.
    ///
    /// # Errors
    /// Another answer.
    pub(super) async fn again(&self, api: &Api, accounts: &[u64]) -> Result<()> {
        for (number, first) in &self.last {
            let answer = self.send(api, &self.posting(*number, accounts)).await?;
            let stream = &self.stream;
            ensure!(
                answer.status == 200 && &answer.body == first,
                "posting {number} of {stream} was answered {} and is now {}: {}",
                String::from_utf8_lossy(first),
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        Ok(())
    }

    fn posting(&self, number: u64, accounts: &[u64]) -> Posting {
        Posting::of(&self.stream, number, self.seed, accounts, self.most)
    }

    async fn send(&self, api: &Api, posting: &Posting) -> Result<Answer> {
        let headers = [("content-type", self.form.content_type())];
        api.send("POST", "/v1/postings", &headers, posting.body(self.form)?).await
    }

    fn settle(&mut self, posting: &Posting, answer: Answer) -> Result<()> {
        let number = self.mark + 1;
        let words = || format!("posting {number} of {}: {}", self.stream, String::from_utf8_lossy(&answer.body));
        ensure!(answer.status == 200, words());
        posting.check(self.form, &answer.body)?;
        self.effects.extend(posting.effects());
        self.mark = number;
        self.acknowledged += 1;
        self.vouchers += posting.len();
        self.last.push_back((number, answer.body));
        if self.last.len() > KEPT {
            self.last.pop_front();
        }
        Ok(())
    }
}
