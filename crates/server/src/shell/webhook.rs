//! The task that tells webhooks: a follower of the store, which follows the journal. Nothing waits for it.
//!
//! ```text
//!  checkpointer ─ `written` ─► admit new rows ─► lanes ─ turn ─► look at rows ─► a task a delivery ─► receiver
//!  HTTP ─ Replay, Changed ────►  ▲ next                                              │ ended
//!                                └────── record tries, all that ended at once ◄──────┘
//! ```
//! Whose turn it is says `node::webhook`, what is outstanding says the store; here are the clock, the threads for the tables and
//! the tasks for the network. A start looks at the store and goes on; a stop waits a moment for what is under way, so that what
//! a receiver took is written down as a rule. What was not is told again, under the same id.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::{MerchantId, WebhookId};
use domain::webhook::{Webhook, WebhookStatus};
use node::webhook::{Turn, WebhookLanes};
use store::webhook_delivery::{self as deliveries, Attempt, Delivery, DeliveryId, Next, Tried};
use store::{Database, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use super::clock::wall_ms;
use super::{Platform, Unavailable};
use crate::config::WebhooksConfig;
use crate::config::webhook::DAY_MS;

mod receiver;

pub(crate) use receiver::{Receivers, is_public, literal};

/// Rows that are admitted, given up or forgotten in one transaction.
const ROWS: u32 = 500;
/// The longest pause without a look: whether the platform runs.
const LOOK: Duration = Duration::from_secs(1);
/// After a table or the platform gave no answer.
const PAUSE: Duration = Duration::from_secs(1);
/// A webhook whose rows do not read is looked at again after this.
const DAMAGED_MS: i64 = 60_000;
/// How often what is outstanding is counted, and what is old forgotten.
const COUNT: Duration = Duration::from_secs(10);
const FORGET: Duration = Duration::from_secs(3_600);
/// How long a stop waits for what is under way.
const DRAIN: Duration = Duration::from_secs(3);

/// What the task is asked.
enum Word {
    /// A webhook was changed.
    Changed(WebhookId, MerchantId),
    /// Tell this again.
    Replay(DeliveryId, oneshot::Sender<Result<Option<bool>, StoreError>>),
    /// Tell all of a webhook again since a time of the books.
    ReplaySince(WebhookId, i64, oneshot::Sender<Result<u64, StoreError>>),
    /// End.
    Stop(oneshot::Sender<()>),
}

/// The way to the task.
#[derive(Clone)]
pub(crate) struct WebhookDesk {
    words: mpsc::UnboundedSender<Word>,
    private: bool,
}

impl WebhookDesk {
    /// Whether addresses of one's own network are called.
    pub(crate) fn calls_private(&self) -> bool {
        self.private
    }

    /// Says that a webhook was changed. A task that has ended needs no telling.
    pub(crate) fn changed(&self, webhook: WebhookId, merchant: MerchantId) {
        self.words.send(Word::Changed(webhook, merchant)).ok();
    }

    /// Has a delivery told again: [`deliveries::replay`].
    pub(crate) async fn replay(&self, id: DeliveryId) -> Result<Result<Option<bool>, StoreError>, Unavailable> {
        let (sender, answer) = oneshot::channel();
        self.words.send(Word::Replay(id, sender)).map_err(|_| Unavailable::Stopped)?;
        answer.await.map_err(|_| Unavailable::Stopped)
    }

    /// Has everything since a time told again: [`deliveries::replay_since`].
    pub(crate) async fn replay_since(
        &self,
        webhook: WebhookId,
        since: i64,
    ) -> Result<Result<u64, StoreError>, Unavailable> {
        let (sender, answer) = oneshot::channel();
        self.words.send(Word::ReplaySince(webhook, since, sender)).map_err(|_| Unavailable::Stopped)?;
        answer.await.map_err(|_| Unavailable::Stopped)
    }

    /// Has it end, and waits until it has.
    pub(crate) async fn stop(&self) {
        let (sender, ended) = oneshot::channel();
        if self.words.send(Word::Stop(sender)).is_ok() {
            // A task that ended by itself answers nobody.
            ended.await.ok();
        }
    }
}

/// A delivery that was under way.
struct Ended {
    id: DeliveryId,
    since: i64,
    /// `None` if it was not sent: this node leads no more.
    attempt: Option<Attempt>,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Platform(#[from] Unavailable),
    #[error("a thread beside the runtime ended: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// The task.
pub(crate) struct Webhooks {
    platform: Platform,
    store: Arc<Database>,
    receivers: Arc<Receivers>,
    lanes: WebhookLanes,
    keep_ms: i64,
    written: watch::Receiver<u64>,
    words: mpsc::UnboundedReceiver<Word>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    /// What ended and is not written down yet.
    unwritten: Vec<Ended>,
    counted: Option<Instant>,
    forgot: Option<Instant>,
}

impl Webhooks {
    /// The task and the way to it; `written` is the position of the last checkpoint.
    ///
    /// # Errors
    /// Settings that cannot be.
    pub(crate) fn new(
        config: &WebhooksConfig,
        platform: Platform,
        store: Arc<Database>,
        receivers: Receivers,
        written: watch::Receiver<u64>,
    ) -> anyhow::Result<(Self, WebhookDesk)> {
        let (sender, words) = mpsc::unbounded_channel();
        let (lanes, keep_ms) = (WebhookLanes::new(config.terms()?), config.keep_days.saturating_mul(DAY_MS));
        let private = receivers.calls_private();
        let (receivers, ended, unwritten) = (Arc::new(receivers), mpsc::unbounded_channel(), Vec::new());
        let (counted, forgot) = (None, None);
        let task =
            Self { platform, store, receivers, lanes, keep_ms, written, words, ended, unwritten, counted, forgot };
        Ok((task, WebhookDesk { words: sender, private }))
    }

    /// Tells webhooks until it is stopped, or the platform is.
    pub(crate) async fn run(mut self) {
        let mut begun = false;
        let mut pause = Duration::ZERO;
        let stop = loop {
            tokio::select! {
                word = self.words.recv() => match word {
                    Some(Word::Stop(answer)) => break Some(answer),
                    Some(word) => self.obey(word).await,
                    None => break None,
                },
                Some(ended) = self.ended.1.recv() => self.unwritten.push(ended),
                changed = self.written.changed(), if begun => if changed.is_err() { break None },
                () = tokio::time::sleep(pause) => {}
            }
            if !self.platform.is_running() {
                break None;
            }
            pause = match self.step(&mut begun).await {
                Ok(()) => self.pause(),
                Err(trouble) => {
                    tracing::warn!(%trouble, "webhooks wait; nothing is lost, and they go on by themselves");
                    PAUSE
                }
            };
        };
        self.drain().await;
        // Who asked may be gone.
        if let Some(answer) = stop {
            answer.send(()).ok();
        }
    }

    /// Until the next turn, or the next look.
    fn pause(&self) -> Duration {
        let until = self.lanes.next_at().map_or(i64::MAX, |at| at.saturating_sub(wall_ms()).max(0));
        u64::try_from(until).map_or(LOOK, Duration::from_millis).min(LOOK)
    }

    async fn step(&mut self, begun: &mut bool) -> Result<(), Trouble> {
        if !*begun {
            for (webhook, merchant, at) in self.table(deliveries::lanes).await? {
                self.lanes.wake(webhook, merchant, at);
            }
            *begun = true;
        }
        self.admit().await?;
        self.record().await?;
        while let Some(turn) = self.lanes.turn(wall_ms()) {
            self.take(turn).await?;
        }
        metrics::gauge!("lintel_webhook_under_way").set(count(self.lanes.under_way() as u64));
        self.keep_up().await
    }

    /// Asks the tables, beside the runtime.
    async fn table<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || work(&store)).await??)
    }

    async fn admit(&mut self) -> Result<(), Trouble> {
        loop {
            let now = wall_ms();
            let admitted = self.table(move |store| deliveries::admit(store, now, ROWS)).await?;
            for (webhook, merchant) in &admitted {
                self.lanes.wake(*webhook, *merchant, now);
            }
            if admitted.len() < ROWS as usize {
                return Ok(());
            }
        }
    }

    /// Writes down what ended, all in one transaction.
    async fn record(&mut self) -> Result<(), Trouble> {
        while let Ok(ended) = self.ended.1.try_recv() {
            self.unwritten.push(ended);
        }
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let (now, terms) = (wall_ms(), *self.lanes.terms());
        let tried = self.unwritten.iter().filter_map(|Ended { id, since, attempt }| {
            let attempt = attempt.clone()?;
            let next = match attempt.error.is_empty() {
                true => Next::Accepted,
                false => terms.after_failure(now, *since, attempt.number),
            };
            Some(Tried { id: *id, attempt, next })
        });
        let tried: Vec<Tried> = tried.collect();
        let written = tried.clone();
        self.table(move |store| deliveries::record(store, &written)).await?;
        for Ended { id, .. } in self.unwritten.drain(..).filter(|ended| ended.attempt.is_none()) {
            self.lanes.ended(id, true, now, Some(now.saturating_add(1_000)));
        }
        let mut failed = BTreeSet::new();
        for Tried { id, attempt, next } in tried {
            let next_at = match next {
                Next::Accepted => now,
                Next::Again { at } => at,
                Next::GivenUp => {
                    tracing::warn!(delivery = %id, tries = attempt.number, error = attempt.error, "a webhook's delivery is given up");
                    metrics::counter!("lintel_webhook_given_up_total").increment(1);
                    now
                }
            };
            let taken = next == Next::Accepted;
            if !taken {
                failed.insert(id.webhook);
            }
            self.lanes.ended(id, taken, now, Some(next_at));
        }
        for webhook in failed {
            // Behind a receiver that fails more may be overdue than it is ever asked for.
            self.give_up(webhook, Some(now.saturating_sub(terms.give_up_ms)), 1).await?;
        }
        Ok(())
    }

    /// Looks at the rows of a webhook whose turn it is, and sends what is due.
    async fn take(&mut self, turn: Turn) -> Result<(), Trouble> {
        let Turn { webhook: id, places, under_way } = turn;
        let (webhook, _) = self.platform.read(move |state| state.webhook(id).ok().cloned()).await?;
        let Some(webhook) = webhook else {
            tracing::error!(webhook = %id, "deliveries name a webhook that the journal does not know");
            self.lanes.looked(id, None);
            return Ok(());
        };
        match webhook.status {
            WebhookStatus::Enabled => {}
            WebhookStatus::Disabled => {
                self.lanes.looked(id, None);
                return Ok(());
            }
            WebhookStatus::Removed => {
                self.give_up(id, None, u32::MAX).await?;
                self.lanes.looked(id, None);
                return Ok(());
            }
        }
        let limit = places + under_way.len() + 1;
        let rows = match self.table(move |store| deliveries::ready(store, id, limit)).await {
            Ok(rows) => rows,
            Err(Trouble::Store(error @ StoreError::Corrupt { .. })) => {
                tracing::error!(webhook = %id, %error, "a delivery's row does not read; its webhook waits");
                self.lanes.looked(id, Some(wall_ms().saturating_add(DAMAGED_MS)));
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        };
        let now = wall_ms();
        let mut waiting = rows.into_iter().filter(|row| !under_way.contains(&row.announcement.position)).peekable();
        let mut due = Vec::new();
        while due.len() < places
            && let Some(row) = waiting.next_if(|row| row.next_at <= now)
        {
            due.push(row);
        }
        let (webhook, next) = (Arc::new(webhook), waiting.peek().map(|row| row.next_at));
        due.into_iter().for_each(|delivery| self.send(&webhook, delivery, now));
        self.lanes.looked(id, next);
        Ok(())
    }

    fn send(&mut self, webhook: &Arc<Webhook>, delivery: Delivery, now: i64) {
        let (id, since) = (delivery.id(), delivery.since.unwrap_or(now));
        self.lanes.begin(id);
        let (platform, receivers, webhook) = (self.platform.clone(), self.receivers.clone(), webhook.clone());
        let ended = self.ended.0.clone();
        tokio::spawn(async move {
            let attempt = if platform.leads() { Some(receivers.tell(&webhook, &delivery).await) } else { None };
            // A task that has ended knows nothing of it, and the next one tells it again.
            ended.send(Ended { id, since, attempt }).ok();
        });
    }

    /// Gives up what is outstanding of a webhook, in so many steps at most.
    async fn give_up(&self, webhook: WebhookId, since: Option<i64>, steps: u32) -> Result<(), Trouble> {
        for _ in 0..steps {
            let now = wall_ms();
            let given_up = self.table(move |store| deliveries::give_up(store, webhook, since, now, ROWS)).await?;
            metrics::counter!("lintel_webhook_given_up_total").increment(given_up);
            if given_up > 0 {
                tracing::warn!(%webhook, deliveries = given_up, "deliveries of a webhook are given up");
            }
            if given_up < u64::from(ROWS) {
                break;
            }
        }
        Ok(())
    }

    /// Counts what is outstanding and forgets what is old, now and then.
    async fn keep_up(&mut self) -> Result<(), Trouble> {
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT) {
            let (outstanding, oldest) = self.table(deliveries::outstanding).await?;
            let age = oldest.map_or(0, |since| u64::try_from(wall_ms().saturating_sub(since)).unwrap_or_default());
            metrics::gauge!("lintel_webhook_outstanding").set(count(outstanding));
            metrics::gauge!("lintel_webhook_oldest_seconds").set(count(age / 1_000));
            self.counted = Some(Instant::now());
        }
        if self.forgot.is_none_or(|at| at.elapsed() >= FORGET) {
            let before = wall_ms().saturating_sub(self.keep_ms);
            let forgotten = self.table(move |store| deliveries::forget(store, before, ROWS)).await?;
            // With more to forget, the next step goes on.
            if forgotten < u64::from(ROWS) {
                self.forgot = Some(Instant::now());
            }
        }
        Ok(())
    }

    async fn obey(&mut self, word: Word) {
        match word {
            Word::Changed(webhook, merchant) => self.lanes.changed(webhook, merchant, wall_ms()),
            Word::Replay(id, answer) => {
                let replayed = self.table(move |store| deliveries::replay(store, id)).await;
                drop(replayed.map(|replayed| answer.send(Ok(replayed))).inspect_err(said));
            }
            Word::ReplaySince(webhook, since, answer) => {
                let replayed = self.table(move |store| deliveries::replay_since(store, webhook, since)).await;
                drop(replayed.map(|replayed| answer.send(Ok(replayed))).inspect_err(said));
            }
            Word::Stop(answer) => drop(answer),
        }
    }

    /// Waits a moment for what is under way, and writes down what it came to.
    async fn drain(&mut self) {
        let until = tokio::time::Instant::now() + DRAIN;
        let mut left = self.lanes.under_way().saturating_sub(self.unwritten.len());
        while left > 0
            && let Ok(Some(ended)) = tokio::time::timeout_at(until, self.ended.1.recv()).await
        {
            self.unwritten.push(ended);
            left -= 1;
        }
        if let Err(trouble) = self.record().await {
            tracing::warn!(%trouble, "what webhooks were told last is not written down: it is told again");
        }
    }
}

fn said(trouble: &Trouble) {
    tracing::error!(%trouble, "a webhook's deliveries could not be replayed");
}

fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
