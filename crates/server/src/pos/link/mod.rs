//! The host link: persistent connections to a card network, as one way to it.
//!
//! ```text
//!  exchange ─► message, MAC ─► expected (mux) ─► a link by weight ─► its writer ─► TCP
//!                                 ▲                                              │
//!  Answered ◄─ paired, MAC right ─┘◄──────────── reader of any link ◄────────────┘
//!                                                  ├ nobody waits for it ─► late ─► the books
//!                                                  └ the network's own: echo, key reset, sign-off ─► its answer
//!
//!  a link:  down ─ connects ─► signing on ─ 0830/00 ─► up ─┬─ broken, echoes unanswered ─► down, after a pause that doubles
//!                                                  ▲       ├─ the network signs off ─► resting ─ it signs on ─┐
//!                                                  └───────┼──────────────────────────────────────────────────┘
//!                                                          └─ a stop ─► what is under way ends, signs off
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`settings`] | `[pos.network]` |
//! | [`wire`] | frames and messages |
//! | [`mux`] | which answer belongs to which request |
//! | [`line`](mod@line) | one connection and its life |
//! | [`incoming`] | what becomes of a message that came |
//! | [`zone`] | the zone's keys |
//! | [`late`] | answers that nobody waits for |
//! | [`status`] | what is shown of it |
//!
//! Invariants: nothing is sent twice; an answer is believed only with its MAC; a request is told "not sent" only where not a
//! byte of it left; no content of a message reaches a log, a metric or a status.

mod door;
mod incoming;
mod late;
mod line;
mod mux;
pub(crate) mod settings;
pub(crate) mod status;
#[cfg(test)]
mod tests;
mod wire;
mod zone;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use ark::keys::FinancialUse;
use node::site::Wheel;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use self::door::Door;
pub(crate) use self::late::Late;
use self::line::{Handed, Line};
use self::mux::{Key, Mux, Outcome, Withdrawn};
use self::settings::NetworkConfig;
use self::wire::Wire;
use self::zone::{Zone, ZoneKey};
use crate::pos::network::{Answered, CardNetwork, Exchange, Fields, Outgoing, Traces, sent_at};
use crate::shell::Clock;

/// Late answers that may wait for the books.
const LATE_BOUND: usize = 1_000;

/// A card network and the links to it.
pub(crate) struct Network {
    shared: Arc<Shared>,
    lines: Vec<Arc<Line>>,
    wheel: Mutex<(Wheel, Vec<u32>)>,
    /// A place for each request that may be under way.
    places: Semaphore,
    config: NetworkConfig,
    pin_key: String,
    track_key: Option<String>,
    stop: watch::Sender<bool>,
    running: tokio::sync::Mutex<JoinSet<()>>,
}

/// What all links of a network share.
pub(super) struct Shared {
    wire: Wire,
    mux: Mux,
    zone: Arc<Zone>,
    clock: Clock,
    member: String,
    traces: Arc<Traces>,
    late: mpsc::Sender<Fields>,
    /// Wrong MACs since the last right one.
    wrong_macs: AtomicU64,
    /// Why keys were refused last: the same reason again is no news.
    refused_keys: Mutex<BTreeMap<&'static str, String>>,
}

impl Shared {
    /// F7, F11 and F33 of a message about the link itself.
    pub(super) fn named(&self) -> Fields {
        let mut fields = Fields::default();
        fields.set(7, sent_at(self.clock.now())).set(11, self.traces.next()).set(33, self.member.as_bytes());
        fields
    }
}

impl Network {
    /// Connects to the network of the settings and keeps connected; what comes late goes to `late`.
    ///
    /// # Errors
    /// Settings that no link can run with.
    pub(crate) fn start(
        config: &NetworkConfig,
        clock: &Clock,
        keys: Arc<dyn FinancialUse>,
    ) -> Result<(Arc<Self>, Late)> {
        config.check()?;
        let zone = Arc::new(Zone::new(keys, &config.name, config.mac()?));
        let (late, comes) = mpsc::channel(LATE_BOUND);
        let shared = Arc::new(Shared {
            wire: Wire::new(config.profile()?, &config.member, &config.centre),
            mux: Mux::default(),
            zone: Arc::clone(&zone),
            clock: clock.clone(),
            member: config.member.clone(),
            traces: Arc::new(Traces::new(clock.now())),
            late,
            wrong_macs: AtomicU64::new(0),
            refused_keys: Mutex::default(),
        });
        let tls = config.tls()?;
        let line = |link| Ok(Arc::new(Line::new(link, config, Door::of(link, tls.as_ref())?)));
        let lines = config.links.iter().map(line).collect::<Result<Vec<_>>>()?;
        let stop = watch::Sender::new(false);
        let mut running = JoinSet::new();
        for line in &lines {
            running.spawn(Arc::clone(line).run(Arc::clone(&shared), stop.subscribe()));
        }
        tracing::info!(network = config.name, links = lines.len(), "the card network's links are kept");
        let track_key = config.tracks_encrypted.then(|| zone.key(ZoneKey::Track));
        let network = Self {
            wheel: Mutex::new((Wheel::new(lines.len()), Vec::new())),
            places: Semaphore::new(config.queue),
            pin_key: zone.key(ZoneKey::Pin),
            track_key,
            config: config.clone(),
            running: tokio::sync::Mutex::new(running),
            shared,
            lines,
            stop,
        };
        Ok((Arc::new(network), Late { comes }))
    }

    /// What numbers messages that no transaction names, reversals too.
    pub(crate) fn traces(&self) -> Arc<Traces> {
        Arc::clone(&self.shared.traces)
    }

    /// Lets what is under way end, signs off and disconnects, at most as long as the settings say.
    pub(crate) async fn stop(&self) {
        let drain = Duration::from_millis(self.config.drain_ms);
        let all = u32::try_from(self.config.queue).unwrap_or(u32::MAX);
        let drained = timeout(drain, self.places.acquire_many(all)).await;
        if drained.is_err() {
            tracing::warn!(
                waiting = self.shared.mux.len(),
                "the card network owes answers; what is unanswered is reversed"
            );
        }
        self.places.close();
        self.stop.send_replace(true);
        let mut running = self.running.lock().await;
        let ended = async { while running.join_next().await.is_some() {} };
        if timeout(drain, ended).await.is_err() {
            running.abort_all();
        }
    }

    /// The next link by weight, among those that are up and not in `tried`.
    fn pick(&self, tried: &[bool]) -> Option<usize> {
        let weight = |(at, line): (usize, &Arc<Line>)| {
            if tried.get(at).copied().unwrap_or(false) || !line.is_up() { 0 } else { line.weight() }
        };
        let weights: Vec<u32> = self.lines.iter().enumerate().map(weight).collect();
        let mut wheel = self.wheel.lock().unwrap_or_else(PoisonError::into_inner);
        let (wheel, before) = &mut *wheel;
        if *before != weights {
            wheel.reset();
            before.clone_from(&weights);
        }
        wheel.next(&weights)
    }

    /// The frame of a request with its MAC; or why there is none.
    async fn made(&self, mti: [u8; 4], fields: &Fields) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let made = self.shared.wire.message(mti, fields, true).map_err(|error| {
            tracing::error!(%error, "a request does not fit the card network's messages");
            "format"
        })?;
        let mac = self.shared.zone.mac(made.covered()).await.map_err(|error| {
            tracing::warn!(%error, "no MAC for the card network");
            "key"
        })?;
        self.shared.wire.frame(&made.with(mac)).map_err(|_| "too_long")
    }

    async fn send(&self, request: Outgoing) -> Exchange {
        let deadline = Instant::now() + request.timeout;
        let not_sent = |reason| Exchange::NotSent { reason };
        let Ok(_place) = self.places.try_acquire() else { return not_sent("full") };
        let Outgoing { mti, identity, mut fields, .. } = request;
        fields.set(7, identity.sent_at).set(11, identity.trace).set(37, identity.reference);
        let member = self.config.member.as_bytes();
        fields.set(32, member).set(33, member);
        let key = Key::of_request(mti, &fields);
        let frame = match timeout_at(deadline, self.made(mti, &fields)).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(reason)) => return not_sent(reason),
            Err(_) => return not_sent("key"),
        };
        let mut tried = vec![false; self.lines.len()];
        loop {
            let Some(at) = self.pick(&tried) else { return not_sent("no_link") };
            tried[at] = true;
            let Some(told) = self.shared.mux.expect(&key, &fields) else { return not_sent("under_way") };
            let expected = Expected { mux: &self.shared.mux, key: &key };
            if !self.lines[at].hand(Handed { key: Some(key.clone()), frame: frame.clone() }) {
                continue;
            }
            match Self::told(expected, told, deadline).await {
                Some(exchange) => return exchange,
                None => metrics::counter!("lintel_pos_network_moved_total").increment(1),
            }
        }
    }

    /// What came of it; `None` if its link broke before the first byte.
    async fn told(
        expected: Expected<'_>,
        mut told: tokio::sync::oneshot::Receiver<Outcome>,
        deadline: Instant,
    ) -> Option<Exchange> {
        let outcome = match timeout_at(deadline, &mut told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => return Some(Exchange::Unanswered),
            Err(_) => match expected.mux.withdraw(expected.key) {
                Withdrawn::Unsent => return Some(Exchange::NotSent { reason: "link_slow" }),
                Withdrawn::Sent => return Some(Exchange::Unanswered),
                // It came in the same moment.
                Withdrawn::Told => match told.try_recv() {
                    Ok(outcome) => outcome,
                    Err(_) => return Some(Exchange::Unanswered),
                },
            },
        };
        match outcome {
            Outcome::Answer(fields) => Some(Exchange::Answered(Answered { fields })),
            Outcome::Unsent => None,
        }
    }
}

/// What is waited for, until whoever waits goes away.
struct Expected<'m> {
    mux: &'m Mux,
    key: &'m Key,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.mux.withdraw(self.key);
    }
}

impl CardNetwork for Arc<Network> {
    async fn exchange(&self, request: Outgoing) -> Exchange {
        let began = Instant::now();
        let exchange = self.send(request).await;
        let outcome = match &exchange {
            Exchange::Answered(_) => {
                metrics::histogram!("lintel_pos_network_seconds").record(began.elapsed().as_secs_f64());
                "answered"
            }
            Exchange::NotSent { reason } => {
                metrics::counter!("lintel_pos_network_not_sent_total", "reason" => *reason).increment(1);
                "not_sent"
            }
            Exchange::Unanswered => "unanswered",
        };
        metrics::counter!("lintel_pos_network_requests_total", "outcome" => outcome).increment(1);
        exchange
    }

    fn pin_key(&self) -> &str {
        &self.pin_key
    }

    fn track_key(&self) -> Option<&str> {
        self.track_key.as_deref()
    }

    fn member(&self) -> &str {
        &self.config.member
    }
}
