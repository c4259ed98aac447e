//! One link: a connection that is made again whenever it breaks, and what is written on it.
//!
//! ```text
//!  DOWN ─► CONNECTING ─ no ─► DOWN, pause × 2
//!             │ yes: a reader and a writer begin
//!             ▼
//!          SIGNING_ON ─ 0830/00 ─► UP ◄─► RESTING (the network signed off)
//!             │ refused, silent     │ broken · two echoes unanswered · a stop: 0820/002, then the end
//!             └──────────► DOWN ◄───┘
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::Shared;
use super::door::{Door, Reading, Writing};
use super::incoming::arrived;
use super::mux::{Key, Outcome};
use super::settings::{LinkConfig, NetworkConfig};
use super::wire::{self, Broken};
use super::zone::ZoneKey;
use crate::pos::network::Fields;

/// Frames that wait for one link's writer, at most.
const WRITER_BOUND: usize = 256;
/// Echoes in a row without an answer after which a link is broken.
const ECHOES_LOST: u32 = 2;
/// Network management (F70).
pub(super) mod code {
    pub(in crate::pos::link) const SIGN_ON: &str = "001";
    pub(in crate::pos::link) const SIGN_OFF: &str = "002";
    pub(in crate::pos::link) const KEY_RESET: &str = "101";
    pub(in crate::pos::link) const ECHO: &str = "301";
}
/// What asks for them.
const MANAGEMENT: [u8; 4] = *b"0820";

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Down,
    Connecting,
    SigningOn,
    Up,
    /// The network signed off and takes nothing new.
    Resting,
    Stopped,
}

impl LinkState {
    /// The name in API and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Connecting => "connecting",
            Self::SigningOn => "signing_on",
            Self::Up => "up",
            Self::Resting => "resting",
            Self::Stopped => "stopped",
        }
    }
}

/// A frame for the writer.
pub(super) struct Handed {
    /// What it is expected under; none of an answer.
    pub(super) key: Option<Key>,
    pub(super) frame: Zeroizing<Vec<u8>>,
}

/// How patient a link is.
#[derive(Debug, Clone, Copy)]
struct Patience {
    connect: Duration,
    write: Duration,
    answer: Duration,
    echo: Duration,
    pause: Duration,
    longest_pause: Duration,
}

/// What is counted of a link since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) connects: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) came: AtomicU64,
}

/// One link.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) address: String,
    door: Door,
    weight: u32,
    patience: Patience,
    now: Mutex<Now>,
    pub(super) counts: Counts,
}

/// What changes of a link.
struct Now {
    state: LinkState,
    since: Instant,
    heard: Option<Instant>,
    writer: Option<mpsc::Sender<Handed>>,
}

impl Line {
    pub(super) fn new(link: &LinkConfig, config: &NetworkConfig, door: Door) -> Self {
        let ms = Duration::from_millis;
        let patience = Patience {
            connect: ms(config.connect_timeout_ms),
            write: ms(config.write_timeout_ms),
            answer: ms(config.answer_timeout_ms),
            echo: ms(config.echo_ms),
            pause: ms(config.reconnect_ms),
            longest_pause: ms(config.reconnect_max_ms.max(config.reconnect_ms)),
        };
        let (name, address) = (link.name.clone(), link.address.clone());
        let now = Now { state: LinkState::Down, since: Instant::now(), heard: None, writer: None };
        Self { name, address, door, weight: link.weight, patience, now: Mutex::new(now), counts: Counts::default() }
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its weight in the settings.
    pub(super) const fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether it takes requests.
    pub(super) fn is_up(&self) -> bool {
        self.now().state == LinkState::Up
    }

    /// State, how long so, and when something was last heard.
    pub(super) fn standing(&self) -> (LinkState, Duration, Option<Duration>) {
        let now = self.now();
        (now.state, now.since.elapsed(), now.heard.map(|heard| heard.elapsed()))
    }

    pub(super) fn becomes(&self, state: LinkState) {
        let mut now = self.now();
        if now.state != state {
            tracing::info!(link = self.name, from = now.state.name(), to = state.name(), "a link to the card network");
            now.state = state;
            now.since = Instant::now();
        }
        let up = if state == LinkState::Up { 1.0 } else { 0.0 };
        metrics::gauge!("lintel_pos_network_link_up", "link" => self.name.clone()).set(up);
    }

    /// Gives the writer a frame; false if there is no connection, or too much waits for it.
    pub(super) fn hand(&self, handed: Handed) -> bool {
        let writer = self.now().writer.clone();
        writer.is_some_and(|writer| writer.try_send(handed).is_ok())
    }

    /// Something came.
    pub(super) fn heard(&self) {
        self.now().heard = Some(Instant::now());
        self.counts.came.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the link until a stop.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
        let mut pause = self.patience.pause;
        while !*stop.borrow() {
            self.becomes(LinkState::Connecting);
            match timeout(self.patience.connect, self.door.connect()).await {
                Ok(Ok(halves)) => {
                    let signed_on = self.serve(&shared, halves, &mut stop).await;
                    if signed_on {
                        pause = self.patience.pause;
                    }
                }
                Ok(Err(error)) => tracing::debug!(link = self.name, %error, "the card network is not reached"),
                Err(_) => tracing::debug!(link = self.name, "the card network is not reached in time"),
            }
            self.becomes(LinkState::Down);
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(self.patience.longest_pause);
        }
        self.becomes(LinkState::Stopped);
    }

    /// One connection, from sign-on to its end; whether the network took the sign-on.
    async fn serve(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        (reading, writing): (Reading, Writing),
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        self.counts.connects.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("lintel_pos_network_connects_total", "link" => self.name.clone()).increment(1);
        let (hand, handed) = mpsc::channel(WRITER_BOUND);
        {
            let mut now = self.now();
            now.writer = Some(hand);
            now.heard = Some(Instant::now());
        }
        self.becomes(LinkState::SigningOn);
        let mut reader = tokio::spawn(Arc::clone(self).read(Arc::clone(shared), reading));
        let broken = Arc::new(AtomicBool::new(false));
        let writes = Arc::clone(self).write(Arc::clone(shared), writing, handed, Arc::clone(&broken));
        let mut writer = tokio::spawn(writes);
        let life = self.live(shared, stop);
        let signed_on = tokio::select! {
            signed_on = life => signed_on,
            _ = &mut reader => self.was_up(),
            _ = &mut writer => self.was_up(),
        };
        broken.store(true, Ordering::Relaxed);
        self.now().writer = None;
        self.becomes(LinkState::Down);
        reader.abort();
        // Without a sender it ends by itself once its queue is empty; what the break left there goes back.
        ended(writer, self.patience.write).await;
        signed_on
    }

    fn was_up(&self) -> bool {
        matches!(self.now().state, LinkState::Up | LinkState::Resting)
    }

    /// Signs on, asks for keys that are missing, sends echoes, and signs off at a stop; ends where the link is broken.
    async fn live(&self, shared: &Arc<Shared>, stop: &mut watch::Receiver<bool>) -> bool {
        match self.ask(shared, code::SIGN_ON, None).await {
            Some(told) if told.text(39) == Some("00") => self.becomes(LinkState::Up),
            Some(told) => {
                tracing::warn!(link = self.name, code = told.text(39), "the card network refuses the sign-on");
                return false;
            }
            None => return false,
        }
        let mut lost = 0;
        loop {
            self.want_keys(shared).await;
            let silent = self.now().heard.map_or(Duration::ZERO, |heard| heard.elapsed());
            tokio::select! {
                biased;
                () = stopped(stop) => {
                    self.becomes(LinkState::Resting);
                    self.ask(shared, code::SIGN_OFF, None).await;
                    return true;
                }
                () = sleep(self.patience.echo.saturating_sub(silent)) => {}
            }
            if self.now().heard.is_some_and(|heard| heard.elapsed() < self.patience.echo) {
                lost = 0;
                continue;
            }
            lost = if self.ask(shared, code::ECHO, None).await.is_some() { 0 } else { lost + 1 };
            if lost >= ECHOES_LOST {
                tracing::warn!(link = self.name, "the card network answers no echo");
                return true;
            }
        }
    }

    /// Asks for the keys that are missing: all of them at first, and again as long as custodians have not formed the master key.
    async fn want_keys(&self, shared: &Arc<Shared>) {
        for key in [ZoneKey::Mac, ZoneKey::Pin] {
            if !shared.zone.has(key).await {
                self.ask(shared, code::KEY_RESET, Some(key)).await;
            }
        }
    }

    /// Asks the network something about the link itself, on this link; nothing if no answer comes.
    pub(super) async fn ask(&self, shared: &Arc<Shared>, what: &str, key: Option<ZoneKey>) -> Option<Fields> {
        let mut fields = shared.named();
        fields.set(70, what);
        if let Some(key) = key {
            fields.set(53, format!("{}600000000000000", key.digit()));
        }
        let message = shared.wire.message(MANAGEMENT, &fields, false).ok()?;
        let frame = shared.wire.frame(&message.plain()).ok()?;
        let key = Key::of_request(MANAGEMENT, &fields);
        let told = shared.mux.expect(&key, &fields)?;
        let handed = self.hand(Handed { key: Some(key.clone()), frame });
        let answer = if handed { timeout(self.patience.answer, told).await.ok() } else { None };
        shared.mux.withdraw(&key);
        match answer {
            Some(Ok(Outcome::Answer(fields))) => Some(fields),
            Some(Ok(Outcome::Unsent) | Err(_)) | None => None,
        }
    }

    /// Reads until the connection is of no use any more.
    async fn read(self: Arc<Self>, shared: Arc<Shared>, reading: Reading) {
        let mut reading = BufReader::with_capacity(16 * 1024, reading);
        let broken = loop {
            let frame = match wire::next(&mut reading).await {
                Ok(frame) => frame,
                Err(broken) => break broken,
            };
            self.heard();
            match shared.wire.read(&frame) {
                Ok(Some(message)) => arrived(&shared, &self, message).await,
                Ok(None) => dropped("unreadable"),
                Err(broken) => break broken,
            }
        };
        if !matches!(broken, Broken::Ended) {
            tracing::warn!(link = self.name, %broken, "a link to the card network broke");
        }
    }

    /// Writes what is handed to it; at a break, what it did not begin goes back unsent.
    async fn write(
        self: Arc<Self>,
        shared: Arc<Shared>,
        mut writing: Writing,
        mut handed: mpsc::Receiver<Handed>,
        broken: Arc<AtomicBool>,
    ) {
        while let Some(Handed { key, frame }) = handed.recv().await {
            if broken.load(Ordering::Relaxed) {
                key.iter().for_each(|key| shared.mux.unsent(key));
                continue;
            }
            if key.as_ref().is_some_and(|key| !shared.mux.begin(key)) {
                continue;
            }
            let written = async {
                writing.write_all(&frame).await?;
                writing.flush().await
            };
            match timeout(self.patience.write, written).await {
                Ok(Ok(())) => drop(self.counts.sent.fetch_add(1, Ordering::Relaxed)),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        handed.close();
        while let Some(Handed { key, .. }) = handed.recv().await {
            key.iter().for_each(|key| shared.mux.unsent(key));
        }
    }
}

/// Ends at a stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Waits for a writer that has no sender left, at most so long.
async fn ended(writer: JoinHandle<()>, within: Duration) {
    let abort = writer.abort_handle();
    // One that was seen to end may not be asked again.
    if writer.is_finished() {
        return;
    }
    if timeout(within, writer).await.is_err() {
        abort.abort();
    }
}

/// Counts a message that nothing is done with.
pub(super) fn dropped(why: &'static str) {
    metrics::counter!("lintel_pos_network_dropped_total", "why" => why).increment(1);
}
