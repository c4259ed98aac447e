//! The sites of a channel on the network: a pool of connections each, with its time-outs and certificates; probes; and the
//! step machine of `node::site`, which says where a call goes.
//!
//! ```text
//!  flight ─ request ─► a place of the channel ─► pick ─► the site's own client ─ answer │ not written │ lost ─► how it ended
//!                                                 ▲
//!  watch: each site is asked for `probe` ─────────┘   every change is a line of the log, and metrics by site
//! ```
//! The machine's clock is the process's own, which nobody moves: a sandbox's time may stand while connections break.

mod connections;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use channels::{Request, Response};
use domain::channel::ChannelName;
use metrics::{Counter, Gauge, Histogram};
use node::executor::Call;
use node::site::circuit::CircuitState;
use node::site::{Change, Errand, Pick, SiteTerms, Sites, Standing, Sums};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::connections::Connections;
use super::Platform;
use crate::config::{ChannelConfig, ExecutorConfig, SiteConfig};

/// How often the machine looks at the time.
const EVERY: Duration = Duration::from_millis(100);
/// The most bytes that are read of an answer; one that goes on is none.
const ANSWER_MAX: usize = 1 << 20;
/// The most bytes that are read of a file.
pub(crate) const FILE_MAX: usize = 64 << 20;
/// From this status on an answer says that the other side has a fault of its own.
const FAULTY: u16 = 500;

/// The way to one site, and its figures.
struct Line {
    name: String,
    url: String,
    /// What calls go over, where the URL allows it.
    connections: Option<Connections>,
    /// What probes go over, and calls otherwise.
    http: reqwest::Client,
    picked: Counter,
    errors: Counter,
    seconds: Histogram,
    probe_failures: Counter,
    weight: Gauge,
    state: Gauge,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

/// The sites of one channel.
#[derive(Debug)]
pub(crate) struct ChannelSites {
    channel: String,
    probe: String,
    lines: Vec<Line>,
    machine: Mutex<Sites>,
    /// As many as calls may be under way at all sites together.
    places: Semaphore,
    began: Instant,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Called {
    /// For the flight.
    pub(crate) call: Call,
    /// The site that failed it: the next call of the same attempt goes around it.
    pub(crate) failed: Option<usize>,
    /// How long to wait at least before it is tried again.
    pub(crate) wait: Option<Duration>,
    /// Whether an answer came that was longer than any may be.
    pub(crate) too_long: bool,
}

/// Why the body of an answer is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// The connection ended within it, or it took too long.
    Off,
    /// It is longer than any may be.
    TooLong,
}

/// How the sites of a channel stand.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) sites: Vec<(Standing, String)>,
    pub(crate) circuit: CircuitState,
    pub(crate) sums: Sums,
    pub(crate) peak: u32,
}

impl ChannelSites {
    /// The sites of a channel's settings. Nothing is connected yet.
    ///
    /// # Errors
    /// Settings that cannot be, or certificates that do not read.
    pub(crate) fn new(name: &ChannelName, channel: &ChannelConfig, executor: &ExecutorConfig) -> Result<Self> {
        let sites = channel.sites(executor)?;
        let places = sites.iter().fold(0_usize, |sum, site| sum.saturating_add(site.connections as usize));
        let line = |site: &SiteConfig| Line::new(name, site).with_context(|| format!("site '{}'", site.name));
        let lines = sites.iter().map(line).collect::<Result<Vec<_>>>()?;
        let terms = sites.into_iter().map(|site| SiteTerms {
            name: site.name,
            weight: site.weight,
            capacity: site.capacity,
            connections: site.connections,
        });
        let machine = Sites::new(terms.collect(), channel.breaker(&executor.breaker));
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        let probe = format!("/{}", channel.probe.trim_start_matches('/'));
        let (channel, machine, began) = (name.to_string(), Mutex::new(machine), Instant::now());
        let sites = Self { channel, probe, lines, machine, places, began };
        sites.show();
        Ok(sites)
    }

    /// A place for a call; `None` if there will be none any more.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    /// Writes a request to a site, which is not `avoid` if there is another.
    pub(crate) async fn call(&self, errand: Errand, avoid: Option<usize>, request: &Request) -> Called {
        self.carry(errand, avoid, request, ANSWER_MAX).await
    }

    /// The same for a request that is answered with a file.
    pub(crate) async fn fetch(&self, avoid: Option<usize>, request: &Request) -> Called {
        self.carry(Errand::Query, avoid, request, FILE_MAX).await
    }

    async fn carry(&self, errand: Errand, avoid: Option<usize>, request: &Request, most: usize) -> Called {
        let site = match self.with(|sites, now| sites.pick(now, errand, avoid)) {
            Pick::Site(site) => site,
            Pick::Later { ms } => {
                let wait = Some(Duration::from_millis(ms));
                return Called { call: Call::NotWritten, failed: avoid, wait, too_long: false };
            }
        };
        let under_way = UnderWay { sites: self, site, ended: false };
        let line = &self.lines[site];
        line.picked.increment(1);
        let asked = Instant::now();
        let (call, too_long) = match line.call(request, most).await {
            Ok(call) => (call, false),
            Err(broken) => (Call::Lost, broken == Broken::TooLong),
        };
        line.seconds.record(asked.elapsed().as_secs_f64());
        let answered = matches!(&call, Call::Answered(response) if response.status < FAULTY);
        under_way.ended(answered);
        line.errors.increment(u64::from(!answered));
        // One that found no connection goes through another site at once, if there is one and it is the first to fail.
        let wait = match &call {
            Call::NotWritten if avoid.is_none() && self.lines.len() > 1 => Some(Duration::ZERO),
            Call::NotWritten | Call::Lost | Call::Answered(_) => None,
        };
        Called { call, failed: (!answered).then_some(site), wait, too_long }
    }

    /// Probes, and lets the machine's time pass, as long as the platform runs.
    pub(crate) async fn watch(self: Arc<Self>, platform: Platform) {
        let mut every = tokio::time::interval(EVERY);
        while platform.is_running() {
            every.tick().await;
            let due = self.with(|sites, now| {
                sites.tick(now);
                sites.probes(now)
            });
            for site in due {
                tokio::spawn(Arc::clone(&self).probe(site));
            }
        }
    }

    /// The name of the site that a payer's browser is to be sent to, if nobody has the page yet: one that is well.
    pub(crate) fn page_site(&self) -> Option<String> {
        let site = self.with(|sites, _| sites.page());
        self.lines.get(site).map(|line| line.name.clone())
    }

    /// Where a page that was handed out leads: to the site of this name, the same each time. One that was handed out before sites
    /// were chosen, or to a site that the settings have no more, leads to the first.
    pub(crate) fn page_url(&self, site: Option<&str>) -> &str {
        let named = self.lines.iter().find(|line| Some(line.name.as_str()) == site);
        named.or(self.lines.first()).map_or("", |line| &line.url)
    }

    /// Puts a version of the weights in force.
    pub(crate) fn set_weights(&self, version: u64, weights: &BTreeMap<String, u32>) {
        let channel = self.channel.as_str();
        for site in self.with(|sites, _| sites.set_weights(weights)) {
            tracing::warn!(channel, version, site, "weights name a site that the settings do not have");
        }
        tracing::warn!(channel, version, ?weights, "these weights are in force for the sites of a channel");
    }

    /// How they stand.
    pub(crate) fn seen(&self) -> Seen {
        self.with(|sites, now| {
            let standing = sites.standing(now).into_iter().zip(&self.lines);
            let all = standing.map(|(standing, line)| (standing, line.url.clone())).collect();
            let ((circuit, sums), peak) = (sites.circuit(now), sites.peak(now));
            Seen { sites: all, circuit, sums, peak }
        })
    }

    async fn probe(self: Arc<Self>, site: usize) {
        let line = &self.lines[site];
        let asked = line.http.get(format!("{}{}", line.url, self.probe)).send().await;
        let answered = asked.is_ok_and(|answer| answer.status().as_u16() < FAULTY);
        line.probe_failures.increment(u64::from(!answered));
        self.with(|sites, now| sites.probed(now, site, answered));
    }

    /// Has the machine take a step, and says what changed.
    fn with<T>(&self, step: impl FnOnce(&mut Sites, u64) -> T) -> T {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let found = step(&mut machine, now);
        let changes = machine.changes();
        drop(machine);
        if !changes.is_empty() {
            changes.iter().for_each(|change| self.say(change));
            self.show();
        }
        found
    }

    fn say(&self, change: &Change) {
        let channel = self.channel.as_str();
        let name = |site: &usize| self.lines.get(*site).map_or("?", |line| line.name.as_str());
        match change {
            Change::Drained { site, cause, hold_down_ms } => {
                let (site, cause) = (name(site), cause.name());
                tracing::error!(channel, site, cause, hold_down_ms, "a site is sick and gets nothing new");
            }
            Change::Kept { site, cause, peak } => {
                let (site, cause) = (name(site), cause.name());
                tracing::error!(
                    channel,
                    site,
                    cause,
                    peak,
                    "a site is sick, and the others cannot carry the peak: it is kept"
                );
            }
            Change::Ramped { site, percent } => {
                tracing::warn!(channel, site = name(site), percent, "a site comes back with a share of its weight");
            }
            Change::Up { site } => {
                tracing::warn!(channel, site = name(site), "a site is well and has all of its weight")
            }
            Change::Circuit(state @ CircuitState::Open) => {
                tracing::error!(channel, breaker = state.name(), "nothing gets through to a channel: sends wait");
            }
            Change::Circuit(state @ (CircuitState::HalfOpen | CircuitState::Closed)) => {
                tracing::warn!(channel, breaker = state.name(), "the breaker of a channel moved");
            }
            // Said with their version.
            Change::Weights => {}
        }
    }

    /// Puts what stands into the gauges.
    fn show(&self) {
        let seen = {
            let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
            (machine.standing(0), machine.circuit(0).0)
        };
        for (standing, line) in seen.0.iter().zip(&self.lines) {
            let share = f64::from(standing.weight) * f64::from(standing.health.percent()) / 100.0;
            line.weight.set(share);
            line.state.set(f64::from(standing.health.number()));
        }
        let open = match seen.1 {
            CircuitState::Closed => 0.0,
            CircuitState::HalfOpen => 1.0,
            CircuitState::Open => 2.0,
        };
        metrics::gauge!("lintel_channel_breaker", "channel" => self.channel.clone()).set(open);
    }
}

/// A call under way: however it ends, and if its caller goes away, the machine hears of it.
struct UnderWay<'a> {
    sites: &'a ChannelSites,
    site: usize,
    ended: bool,
}

impl UnderWay<'_> {
    fn ended(mut self, answered: bool) {
        self.ended = true;
        self.sites.with(|sites, now| sites.ended(now, self.site, answered));
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.sites.with(|sites, _| sites.abandoned(self.site));
        }
    }
}

impl Line {
    /// A pool of its own. It follows no redirect: that would write a payment twice, and elsewhere.
    fn new(channel: &ChannelName, site: &SiteConfig) -> Result<Self> {
        let times = (Duration::from_millis(site.timeout_ms), Duration::from_millis(site.connect_timeout_ms));
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let builder = builder.timeout(times.0).connect_timeout(times.1);
        let mut builder = builder.pool_max_idle_per_host(site.connections as usize);
        let tls = site.certificates()?.map(|files| files.client()).transpose()?;
        if let Some(tls) = &tls {
            builder = builder.tls_backend_preconfigured(tls.clone());
        }
        let connections = Connections::new(&site.url, tls, times, site.connections as usize)?;
        let http = builder.build().context("making an HTTP client")?;
        let labels = [("channel", channel.to_string()), ("site", site.name.clone())];
        Ok(Self {
            name: site.name.clone(),
            url: site.url.clone(),
            connections,
            http,
            picked: metrics::counter!("lintel_site_picked_total", &labels),
            errors: metrics::counter!("lintel_site_errors_total", &labels),
            seconds: metrics::histogram!("lintel_site_call_seconds", &labels),
            probe_failures: metrics::counter!("lintel_site_probe_failures_total", &labels),
            weight: metrics::gauge!("lintel_site_weight", &labels),
            state: metrics::gauge!("lintel_site_state", &labels),
        })
    }

    /// Sends a channel's request and reads the answer whole, of which the body has `most` bytes at most.
    async fn call(&self, request: &Request, most: usize) -> Result<Call, Broken> {
        let called = match &self.connections {
            Some(connections) => connections.call(request, most).await,
            None => self.call_by_client(request, most).await,
        };
        let site = self.name.as_str();
        called.inspect_err(|broken| match broken {
            Broken::TooLong => {
                tracing::error!(site, most, "an answer of a channel is longer than any may be; it is not read");
            }
            Broken::Off => tracing::warn!(site, "an answer of a channel broke off"),
        })
    }

    async fn call_by_client(&self, request: &Request, most: usize) -> Result<Call, Broken> {
        let Ok(method) = request.method.parse() else { return Ok(Call::NotWritten) };
        let mut builder = self.http.request(method, format!("{}{}", self.url, request.path));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        match builder.body(request.body().to_vec()).send().await {
            Err(error) if error.is_connect() || error.is_builder() => Ok(Call::NotWritten),
            Err(_) => Ok(Call::Lost),
            Ok(response) => {
                let status = response.status().as_u16();
                let headers = response.headers().iter();
                let headers = headers
                    .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
                    .collect();
                let body = body_of(response, most).await?;
                Ok(Call::Answered(Response { status, headers, body }))
            }
        }
    }
}

/// The body of an answer, whole.
async fn body_of(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, Broken> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Broken::TooLong);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(more)) if body.len().saturating_add(more.len()) > most => return Err(Broken::TooLong),
            Ok(Some(more)) => body.extend_from_slice(&more),
            Ok(None) => return Ok(body),
            Err(_) => return Err(Broken::Off),
        }
    }
}
