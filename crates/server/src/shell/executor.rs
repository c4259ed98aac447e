//! The executor's network: drives each attempt's flight over HTTP, through the sites of its channel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ark::Vault;
use channels::{Channel, Doubt, Request};
use domain::attempt::{Attempt, AttemptStatus, Outcome, Purpose, Rail};
use domain::channel::ChannelName;
use domain::ids::AttemptId;
use domain::site_weight::SiteWeights;
use domain::{Actor, Command, Origin, Refusal, RefusalCode, State};
use engine::Meta;
use node::executor::{Call, Flight, Patience, Seen, Step};
use node::site::Errand;
use store::Database;
use tokio::sync::mpsc;

use super::flights::{Flights, UnderWay};
use super::site::{Called, ChannelSites};
use super::{Clock, Platform, Unavailable, recall};
use crate::http::site_weight::by_name;

/// A channel and its sites.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) sites: Arc<ChannelSites>,
}

/// The channels by name.
pub(crate) type Routes = Arc<BTreeMap<ChannelName, Route>>;

/// What the executor is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// Carry this attempt out, in this epoch.
    Fly(u64, Box<Attempt>),
    /// The engine knows this attempt's end.
    Settled(AttemptId),
    /// The order of this leg, or this top-up, is being closed.
    Closing(Purpose),
    /// These weights of a channel's sites are in force.
    Weights(Box<SiteWeights>),
}

/// What an executor is told of a state that was just recovered: the weights in force, and everything in the outbox.
pub(crate) fn told_of(state: &State, epoch: u64) -> Vec<Told> {
    let mut newest = BTreeMap::new();
    for (_, weights) in state.site_weights.iter() {
        newest.insert(weights.channel_name(), weights);
    }
    let weights = newest.into_values().map(|weights| Told::Weights(Box::new(weights.clone())));
    weights.chain(state.in_outbox().map(|attempt| Told::Fly(epoch, Box::new(attempt.clone())))).collect()
}

/// What carries attempts out.
#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) platform: Platform,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) store: Arc<Database>,
    pub(crate) routes: Routes,
    pub(crate) flights: Flights,
    pub(crate) patience: Patience,
}

impl Executor {
    /// The rail's first channel, where what names no other goes.
    pub(crate) fn first(&self, rail: Rail) -> Option<&Route> {
        self.routes.get(&ChannelName::from(rail))
    }

    /// Carries out what comes, until the platform stops. An epoch that ended takes its flights with it: the next one flies
    /// everything in its outbox again, as maybe sent.
    pub(crate) async fn run(self, mut told: mpsc::UnboundedReceiver<Told>) {
        for route in self.routes.values() {
            tokio::spawn(Arc::clone(&route.sites).watch(self.platform.clone()));
        }
        while let Some(told) = told.recv().await {
            match told {
                Told::Fly(epoch, attempt) => {
                    let under_way = self.flights.begin(&attempt);
                    tokio::spawn(self.clone().fly(epoch, *attempt, under_way));
                }
                Told::Settled(attempt) => self.flights.settle(attempt),
                Told::Closing(of) => self.flights.close(of),
                Told::Weights(weights) => {
                    if let Some(route) = self.routes.get(&weights.channel_name()) {
                        route.sites.set_weights(weights.version, &by_name(&weights.weights));
                    }
                }
            }
        }
    }

    async fn fly(self, epoch: u64, attempt: Attempt, under_way: UnderWay) {
        let (id, leg) = (attempt.id, attempt.purpose.leg());
        let channel = attempt.channel_name();
        let Some(route) = self.routes.get(&channel).cloned() else {
            // It stays in the outbox: with the channel configured, a restart carries it out. No other channel is asked in its place.
            tracing::error!(attempt = %id, %channel, "no channel of this name is configured");
            return;
        };
        let Some(seen) = self.seen(&attempt).await else { return };
        let (channel, vault) = (route.channel.clone(), self.vault.clone());
        let mut flight = Flight::new(attempt, seen, channel, vault, epoch, self.patience);
        let (mut avoid, mut told) = (None, None);
        while self.platform.runs_in(epoch) {
            // The place comes first: between the look at `send_before` and the writing nothing may wait.
            let Some(place) = route.sites.place().await else { return };
            if !self.look_again(&mut flight).await || !self.platform.runs_in(epoch) {
                return;
            }
            if under_way.is_settled() {
                flight.settled();
            }
            if under_way.is_closing() {
                flight.close();
            }
            let nonce = if flight.needs_nonce() { ark_nonce() } else { String::new() };
            match flight.step(self.clock.now(), &nonce) {
                Step::Send(request) => {
                    let errand = flight.errand().unwrap_or(Errand::Query);
                    let asked = Instant::now();
                    let called = self.call(&route, errand, avoid, &request).await;
                    self.platform.awaited().spend(leg, asked.elapsed());
                    drop(place);
                    let retry = matches!(called.call, Call::NotWritten);
                    flight.ended(called.call);
                    if let Some(doubt) = flight.doubt() {
                        disbelieved(flight.attempt(), doubt);
                    }
                    avoid = called.failed;
                    if retry {
                        let usual = Duration::from_millis(flight.retry_ms());
                        under_way.wait(called.wait.unwrap_or(usual)).await;
                    }
                }
                Step::Report(outcome) => {
                    drop(place);
                    match self.report(id, &outcome).await {
                        Reported::Taken => flight.reported(&outcome),
                        Reported::Refused(refusal) => {
                            refused(flight.attempt(), &refusal, &mut told);
                            flight.refused();
                        }
                        Reported::Gone => return,
                    }
                }
                Step::Wait { ms } => {
                    drop(place);
                    under_way.wait(Duration::from_millis(ms)).await;
                }
                Step::Done => return,
            }
        }
    }

    /// The look at the books right before money leaves: a stop that was answered before it is seen. False if the platform is gone.
    async fn look_again(&self, flight: &mut Flight) -> bool {
        if !flight.is_to_be_seen_again() {
            return true;
        }
        let Some(seen) = self.seen(flight.attempt()).await else { return false };
        if seen.stopped {
            held_back(flight.attempt());
        }
        flight.seen_again(&seen);
        true
    }

    /// What the books say of the attempt; nothing if the platform is gone.
    async fn seen(&self, attempt: &Attempt) -> Option<Seen> {
        if !node::executor::is_looked_up(attempt) {
            return Some(Seen { original: None, agreed: Ok(()), stopped: false, closing: false });
        }
        loop {
            let asked = attempt.clone();
            let look = move |state: &State| node::executor::see(state, &asked);
            match recall::see(&self.platform, &self.store, look).await {
                Ok((seen, _)) => {
                    if let (Err(what), AttemptStatus::Requested) = (seen.agreed, &attempt.status) {
                        let (id, rail) = (attempt.id, attempt.rail.name());
                        tracing::error!(attempt = %id, rail, what = what.name(), "stopped before money left: {what}");
                        metrics::counter!("lintel_outflow_disagreements_total", "what" => what.name()).increment(1);
                    }
                    return Some(seen);
                }
                Err(Unavailable::Overloaded | Unavailable::Behind | Unavailable::Elsewhere) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Unavailable::Stopped | Unavailable::Recovering | Unavailable::Damaged | Unavailable::Unknown) => {
                    return None;
                }
            }
        }
    }

    /// What the books made of an outcome. An end is told with its decision, and its journal is not waited for: all that its flight may have
    /// to do after it is to ask again, and what the journal loses is in the outbox of the next epoch. A doubt must be known before the
    /// channel is asked.
    async fn report(&self, attempt: AttemptId, outcome: &Outcome) -> Reported {
        let (name, is_end) = match outcome {
            Outcome::Success { .. } => ("success", true),
            Outcome::Declined { .. } => ("declined", true),
            Outcome::NotFound => ("not_found", true),
            Outcome::Unknown => ("unknown", false),
        };
        metrics::counter!("lintel_attempt_outcomes_total", "outcome" => name).increment(1);
        let command = Command::AnswerAttempt { attempt, outcome: outcome.clone() };
        let meta = Meta::unkeyed(Actor::Channel("executor".into()), Origin::Channel);
        loop {
            let request = engine::Request { command: command.clone(), meta: meta.clone() };
            let told = if is_end {
                self.platform.pass(request).await
            } else {
                self.platform.submit(request).await.map(|seen| seen.result)
            };
            match told {
                Ok(Ok(_)) => return Reported::Taken,
                // The channel's own notification, or its file, was faster.
                Ok(Err(refusal)) if refusal.code == RefusalCode::AttemptState => {
                    tracing::info!(%attempt, %refusal, "an answer came after the attempt was settled");
                    return Reported::Taken;
                }
                Ok(Err(refusal)) => return Reported::Refused(refusal),
                Err(Unavailable::Overloaded | Unavailable::Behind | Unavailable::Elsewhere) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Unavailable::Stopped | Unavailable::Recovering | Unavailable::Damaged | Unavailable::Unknown) => {
                    return Reported::Gone;
                }
            }
        }
    }

    /// Calls a channel through one of its sites, as long as this node leads.
    pub(super) async fn call(&self, route: &Route, errand: Errand, avoid: Option<usize>, request: &Request) -> Called {
        if !self.platform.leads() {
            return Called { call: Call::NotWritten, failed: avoid, wait: None, too_long: false };
        }
        route.sites.call(errand, avoid, request).await
    }
}

/// What became of a report.
enum Reported {
    /// The books have it, or had the attempt's end before.
    Taken,
    /// The books cannot take it.
    Refused(Refusal),
    /// The platform is gone: the next leader asks again.
    Gone,
}

/// An answer that the books refuse settles nothing, and is an alarm: counted each time that it comes, said once for each reason.
fn refused(attempt: &Attempt, refusal: &Refusal, told: &mut Option<RefusalCode>) {
    let (id, rail, code) = (attempt.id, attempt.rail.name(), refusal.code.name());
    if told.replace(refusal.code) != Some(refusal.code) {
        tracing::error!(attempt = %id, rail, %refusal, "the books refuse an answer; the channel is asked again");
    }
    metrics::counter!("lintel_answers_refused_total", "rail" => rail, "code" => code).increment(1);
}

/// What was asked for before somebody's stop and is not written: whoever stopped it learns what that reached.
fn held_back(attempt: &Attempt) {
    let (id, rail) = (attempt.id, attempt.rail.name());
    tracing::warn!(attempt = %id, rail, "not sent, and its money goes back: what leaves by its channel is stopped");
}

/// An answer that is not believed settles nothing, and is an alarm.
fn disbelieved(attempt: &Attempt, doubt: Doubt) {
    let (id, rail, why) = (attempt.id, attempt.rail.name(), doubt.name());
    tracing::error!(attempt = %id, rail, why, "an answer of a channel is not believed; its attempt stays unknown");
    metrics::counter!("lintel_answers_disbelieved_total", "rail" => rail, "why" => why).increment(1);
}

/// A nonce for a query: 32 hexadecimal digits.
pub(crate) fn ark_nonce() -> String {
    ark::signing::Stamp::random(0).map(|stamp| stamp.nonce().to_owned()).unwrap_or_default()
}
