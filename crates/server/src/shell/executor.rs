//! The executor's network: drives each attempt's flight over HTTP, so many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ark::Vault;
use channels::{Channel, Original, Request, Response};
use domain::attempt::{Attempt, Outcome, Rail};
use domain::{Actor, Command, Origin, RefusalCode, State};
use engine::Meta;
use node::executor::{Call, Flight, Patience, Step};
use store::Database;
use tokio::sync::{Semaphore, mpsc};

use super::{Clock, Platform, Unavailable, recall};

/// A channel and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) url: String,
}

/// The channels by rail.
pub(crate) type Routes = Arc<BTreeMap<Rail, Route>>;

/// An attempt, and the epoch whose executor it is for.
pub(crate) type InEpoch = (u64, Attempt);

/// What carries attempts out.
#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) platform: Platform,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) store: Arc<Database>,
    pub(crate) routes: Routes,
    pub(crate) http: reqwest::Client,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) patience: Patience,
}

impl Executor {
    /// Carries out what comes, until the platform stops. An epoch that ended takes its flights with it: the next one flies
    /// everything in its outbox again, as maybe sent.
    pub(crate) async fn run(self, mut attempts: mpsc::UnboundedReceiver<InEpoch>) {
        while let Some((epoch, attempt)) = attempts.recv().await {
            tokio::spawn(self.clone().fly(epoch, attempt));
        }
    }

    async fn fly(self, epoch: u64, attempt: Attempt) {
        let id = attempt.id;
        let Some(route) = self.routes.get(&attempt.rail).cloned() else {
            // It stays in the outbox: with the channel configured, a restart carries it out.
            tracing::error!(attempt = %id, rail = attempt.rail.name(), "no channel is configured for this rail");
            return;
        };
        let Some(original) = self.original(&attempt).await else { return };
        let (channel, vault) = (route.channel.clone(), self.vault.clone());
        let mut flight = Flight::new(attempt, original, channel, vault, epoch, self.patience);
        while self.platform.runs_in(epoch) {
            // The place comes first: between the look at `send_before` and the writing nothing may wait.
            let Ok(permit) = self.permits.acquire().await else { return };
            if !self.platform.runs_in(epoch) {
                return;
            }
            let step = flight.step(self.clock.now(), &ark_nonce());
            match step {
                Step::Send(request) => {
                    let call = self.call(&route.url, &request).await;
                    drop(permit);
                    let retry = matches!(call, Call::NotWritten);
                    flight.ended(call);
                    if retry {
                        tokio::time::sleep(Duration::from_millis(flight.retry_ms())).await;
                    }
                }
                Step::Report(outcome) => {
                    drop(permit);
                    if !self.report(id, &outcome).await {
                        return;
                    }
                    flight.reported(&outcome);
                }
                Step::Wait { ms } => {
                    drop(permit);
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
                Step::Done => return,
            }
        }
    }

    /// What the attempt refers to; nothing if the platform is gone.
    async fn original(&self, attempt: &Attempt) -> Option<Option<Original>> {
        if attempt.operation.original().is_none() {
            return Some(None);
        }
        loop {
            let operation = attempt.operation.clone();
            let look = move |state: &State| node::executor::original(state, &operation);
            match recall::see(&self.platform, &self.store, look).await {
                Ok((original, _)) => return Some(original),
                Err(Unavailable::Overloaded | Unavailable::Behind | Unavailable::Elsewhere) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Unavailable::Stopped | Unavailable::Recovering | Unavailable::Damaged | Unavailable::Unknown) => {
                    return None;
                }
            }
        }
    }

    /// False if the platform is gone: the next leader asks again.
    async fn report(&self, attempt: domain::ids::AttemptId, outcome: &Outcome) -> bool {
        let name = match outcome {
            Outcome::Success { .. } => "success",
            Outcome::Declined { .. } => "declined",
            Outcome::NotFound => "not_found",
            Outcome::Unknown => "unknown",
        };
        metrics::counter!("lintel_attempt_outcomes_total", "outcome" => name).increment(1);
        let command = Command::AnswerAttempt { attempt, outcome: outcome.clone() };
        let meta = Meta::unkeyed(Actor::Channel("executor".into()), Origin::Channel);
        loop {
            match self.platform.submit(engine::Request { command: command.clone(), meta: meta.clone() }).await {
                Ok(seen) => {
                    match seen.result {
                        Ok(_) => {}
                        // The channel's own notification, or its file, was faster.
                        Err(refusal) if refusal.code == RefusalCode::AttemptState => {
                            tracing::info!(%attempt, %refusal, "an answer came after the attempt was settled");
                        }
                        Err(refusal) => tracing::error!(%attempt, %refusal, "an answer was refused"),
                    }
                    return true;
                }
                Err(Unavailable::Overloaded | Unavailable::Behind | Unavailable::Elsewhere) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Unavailable::Stopped | Unavailable::Recovering | Unavailable::Damaged | Unavailable::Unknown) => {
                    return false;
                }
            }
        }
    }

    async fn call(&self, base: &str, request: &Request) -> Call {
        if !self.platform.leads() {
            return Call::NotWritten;
        }
        call(&self.http, base, request).await
    }
}

/// Sends a channel's request.
pub(crate) async fn call(http: &reqwest::Client, base: &str, request: &Request) -> Call {
    let Ok(method) = request.method.parse() else { return Call::NotWritten };
    let mut builder = http.request(method, format!("{base}{}", request.path));
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    match builder.body(request.body().to_vec()).send().await {
        Err(error) if error.is_connect() || error.is_builder() => Call::NotWritten,
        Err(_) => Call::Lost,
        Ok(response) => {
            let status = response.status().as_u16();
            let headers = response.headers().iter();
            let headers =
                headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
            match response.bytes().await {
                Ok(body) => Call::Answered(Response { status, headers, body: body.to_vec() }),
                Err(_) => Call::Lost,
            }
        }
    }
}

/// A nonce for a query: 32 hexadecimal digits.
pub(crate) fn ark_nonce() -> String {
    ark::signing::Stamp::random(0).map(|stamp| stamp.nonce().to_owned()).unwrap_or_default()
}
