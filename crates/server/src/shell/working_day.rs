//! The working day as a timer (T+1): cuts the accounting day, fetches clearing files and lists of returns, settles merchants, and has the
//! reserve told to pay advances back, at the times of `[working_day]`. What is due when is in [`node::working_day`].
//!
//! ```text
//!  every second, on the node that leads ─► cut ─► clearing ─► returns ─► settle ─► repay
//!    each: its latest moment ─► what the books say is not done ─ nothing ─► seen off
//!                                  └ do it, by the calls that people have too ─ in vain ─► again after `retry_minutes`
//! ```
//! Nothing is kept but until when a try in vain rests, which lists of returns this process has fetched, and of which moment it has looked
//! at advances: who leads next fetches those of the last dates once more, and looks once more; none of them comes back, or is paid back,
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::advance::{self, AdvanceCommand, RepayPage, Repayable};
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::clearing::Clearing;
use domain::envelope::Time;
use domain::ids::{AdvanceId, MerchantId};
use domain::recall::RowId;
use domain::{Actor, Command, Origin, Refusal, RefusalCode, Reply, State, settlement};
use engine::{Meta, Request};
use node::working_day::{self as rules, Due, File, Schedule, Step};

use super::clearing::{FetchError, Fetched, Returned, fetch, fetch_returns};
use super::executor::{Executor, Route};
use super::recall;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many merchants, orders and card transactions one look at what is due counts: the writer does nothing else meanwhile.
const LOOK_AT: usize = 10_000;
/// How many advances and orders of them one look counts: most of those orders left memory, and are read from the store.
const LOOK_AT_ADVANCES: usize = 1_000;

/// The channels that give clearing files.
pub(crate) fn channels_with_files(executor: &Executor) -> Vec<ChannelName> {
    let gives = |(_, route): &(&ChannelName, &Route)| route.channel.manifest().statement;
    executor.routes.iter().filter(gives).map(|(name, _)| name.clone()).collect()
}

/// Whether one of the channels by which payouts and advances leave lists what came back.
fn lists_returns(executor: &Executor) -> bool {
    executor.routes.values().any(|route| route.channel.manifest().lists_returns)
}

/// Takes the steps that have times, as long as the platform runs.
pub(crate) async fn run(executor: Executor, schedule: Schedule) {
    if schedule.is_off() {
        return;
    }
    let mut timer = Timer::new(&executor, schedule);
    while executor.platform.is_running() {
        tokio::time::sleep(LOOK_EVERY).await;
        if executor.platform.leads() {
            timer.look(&executor).await;
        }
    }
}

/// A step at its latest moment: none has come yet, or nothing is left to do, or something is.
type Looked = Result<Option<Stand>, FetchError>;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Nothing is left to do of this moment's.
    SeenOff(Time),
    /// Something is, later.
    Open,
}

/// What waits after a try in vain: the moment it was of, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    of: Time,
    until: Time,
}

impl Rest {
    fn holds(rest: Option<Self>, of: Time, now: Time) -> bool {
        rest.is_some_and(|rest| rest.of == of && now < rest.until)
    }
}

struct Timer {
    schedule: Schedule,
    channels: Vec<ChannelName>,
    lists_returns: bool,
    /// Until when a file is not asked for again.
    asked: BTreeMap<(ChannelName, Date), Time>,
    /// Files that were told to be late.
    late: BTreeSet<(ChannelName, Date)>,
    /// The latest moment whose lists of returns were all fetched.
    returned: Option<Time>,
    returns_rest: Option<Rest>,
    settle_rest: Option<Rest>,
    /// The latest moment whose advances were all looked at.
    repaid: Option<Time>,
    repay_rest: Option<Rest>,
    /// Orders of advances that cannot be read; each is told once.
    damaged: BTreeSet<RowId>,
    /// Steps whose last look failed.
    failing: BTreeSet<Step>,
}

impl Timer {
    fn new(executor: &Executor, schedule: Schedule) -> Self {
        Self {
            schedule,
            channels: channels_with_files(executor),
            lists_returns: lists_returns(executor),
            asked: BTreeMap::new(),
            late: BTreeSet::new(),
            returned: None,
            returns_rest: None,
            settle_rest: None,
            repaid: None,
            repay_rest: None,
            damaged: BTreeSet::new(),
            failing: BTreeSet::new(),
        }
    }

    async fn look(&mut self, executor: &Executor) {
        self.cut_in_time(executor).await;
        let clearing = self.clearing(executor).await;
        self.tell(Step::Clearing, &clearing);
        let returns = self.returns(executor).await;
        self.tell(Step::Returns, &returns);
        let settle = self.settle(executor).await;
        self.tell(Step::Settle, &settle);
        let repay = self.repay(executor).await;
        self.tell(Step::Repay, &repay);
    }

    /// A bank that does not answer takes its time, file by file; the cut is no later for that.
    async fn cut_in_time(&mut self, executor: &Executor) {
        let cut = self.cut(executor).await;
        self.tell(Step::Cut, &cut);
    }

    fn tell(&mut self, step: Step, looked: &Looked) {
        let name = step.name();
        match looked {
            Ok(Some(Stand::SeenOff(at))) => {
                self.failing.remove(&step);
                metrics::gauge!("lintel_working_day_last_seconds", "step" => name).set(seconds(*at));
            }
            // Not now, or not here any more: the next look, or the next leader's.
            Ok(Some(Stand::Open) | None) | Err(FetchError::Unavailable(_)) => {}
            Err(error) => {
                metrics::counter!("lintel_working_day_failures_total", "step" => name).increment(1);
                if self.failing.insert(step) {
                    tracing::error!(step = name, %error, "a step of the working day failed; it is tried again");
                }
            }
        }
    }

    async fn cut(&self, executor: &Executor) -> Looked {
        let Some(at) = self.schedule.cut else { return Ok(None) };
        let now = executor.clock.now();
        let look = move |state: &State| rules::cut(state, at, now);
        let Some(Due { at, what }) = executor.platform.read(look).await?.0? else { return Ok(None) };
        let Some(next) = what else { return Ok(Some(Stand::SeenOff(at))) };
        match submit(executor, Command::CutDay { next: Some(next) }).await? {
            Ok(_) => {
                tracing::info!(step = Step::Cut.name(), %next, "cut the day: the next one takes the postings");
                Ok(Some(Stand::SeenOff(at)))
            }
            // Somebody cut it by hand meanwhile; the next look sees where that leads.
            Err(refusal) if refusal.code == RefusalCode::DayState => Ok(Some(Stand::Open)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn clearing(&mut self, executor: &Executor) -> Looked {
        let Some(times) = self.schedule.clearing else { return Ok(None) };
        let (now, channels) = (executor.clock.now(), self.channels.clone());
        let look = move |state: &State| rules::files(state, times, &channels, now);
        let Some(Due { at, what: files }) = executor.platform.read(look).await?.0? else { return Ok(None) };
        self.tell_late(&files);
        self.asked.retain(|(of, on), _| files.iter().any(|File { channel, date, .. }| channel == of && date == on));
        let mut failed = None;
        for File { channel, date, .. } in &files {
            let (asked, date) = ((channel.clone(), *date), *date);
            if self.asked.get(&asked).is_some_and(|until| now < *until) {
                continue;
            }
            self.cut_in_time(executor).await;
            match fetch(executor, &meta(), channel, date).await {
                Ok(fetched) => {
                    tell_file(channel, date, &fetched);
                    // What it made due is settled by the next look.
                    self.settle_rest = None;
                }
                Err(error @ FetchError::Unavailable(_)) => return Err(error),
                Err(error) => {
                    self.asked.insert(asked, now.plus_ms(self.schedule.retry_ms));
                    if let FetchError::NotReady { .. } = error {
                        tracing::info!(step = Step::Clearing.name(), %channel, %date, "a file is not there yet");
                    } else {
                        failed = failed.or(Some(error));
                    }
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None if files.is_empty() => Ok(Some(Stand::SeenOff(at))),
            None => Ok(Some(Stand::Open)),
        }
    }

    /// Files that are late are an alarm, once each.
    fn tell_late(&mut self, files: &[File]) {
        let late = files.iter().filter(|file| file.late);
        let late: BTreeSet<_> = late.map(|file| (file.channel.clone(), file.date)).collect();
        for (channel, date) in late.difference(&self.late) {
            tracing::error!(%channel, %date, "a clearing file is not there at its deadline; merchants are settled without it");
        }
        for (channel, date) in self.late.difference(&late) {
            tracing::warn!(%channel, %date, "a clearing file that was late is not missing any more");
        }
        for channel in &self.channels {
            let count = late.iter().filter(|(of, _)| of == channel).count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            metrics::gauge!("lintel_working_day_files_late", "channel" => channel.to_string()).set(f64::from(count));
        }
        self.late = late;
    }

    async fn returns(&mut self, executor: &Executor) -> Looked {
        if !self.lists_returns || self.schedule.returns.is_empty() {
            return Ok(None);
        }
        let (now, times, fetched) = (executor.clock.now(), self.schedule.returns.clone(), self.returned);
        let look = move |state: &State| rules::returns(state, &times, fetched, now);
        let Some(Due { at, what: dates }) = executor.platform.read(look).await?.0? else { return Ok(None) };
        if self.returned == Some(at) || dates.is_empty() {
            return Ok(Some(Stand::SeenOff(at)));
        }
        if Rest::holds(self.returns_rest, at, now) {
            return Ok(Some(Stand::Open));
        }
        let (mut all, mut failed) = (Returned::default(), None);
        for date in dates.iter().copied() {
            self.cut_in_time(executor).await;
            match fetch_returns(executor, &meta(), date).await {
                Ok(Returned { listed, booked, already, refused, .. }) => {
                    all.listed += listed;
                    all.booked += booked;
                    all.already += already;
                    all.refused.extend(refused);
                }
                Err(error @ FetchError::Unavailable(_)) => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let (from, to) = (dates.first().copied().unwrap_or_default(), dates.last().copied().unwrap_or_default());
        let Returned { listed, booked, already, refused, .. } = all;
        let refused = refused.len();
        tracing::info!(
            step = Step::Returns.name(),
            %from,
            %to,
            listed,
            booked,
            already,
            refused,
            "fetched the lists of returns"
        );
        if let Some(error) = failed {
            self.returns_rest = Some(Rest { of: at, until: now.plus_ms(self.schedule.retry_ms) });
            return Err(error);
        }
        self.returned = Some(at);
        Ok(Some(Stand::SeenOff(at)))
    }

    async fn settle(&mut self, executor: &Executor) -> Looked {
        let (now, channels, schedule) = (executor.clock.now(), self.channels.clone(), self.schedule.clone());
        let look = move |state: &State| rules::settle(state, &schedule, &channels, now);
        let Some(Due { at, what }) = executor.platform.read(look).await?.0? else { return Ok(None) };
        // While a file may come in time, none of the day's is settled.
        let Some(day) = what else { return Ok(Some(Stand::Open)) };
        if Rest::holds(self.settle_rest, at, now) {
            return Ok(Some(Stand::Open));
        }
        let (mut due, mut settled, mut refused) = (0_usize, 0_usize, None);
        let mut next = Some(MerchantId(0));
        while let Some(from) = next {
            let look = move |state: &State| settlement::due_page(state, day, from, LOOK_AT);
            let page = executor.platform.read(look).await?.0;
            for merchant in page.merchants.iter().copied() {
                match settle_one(executor, merchant, day).await? {
                    Ok(()) => settled += 1,
                    Err(refusal) => {
                        tracing::error!(%merchant, %day, %refusal, "a merchant is not settled; the others are");
                        refused = refused.or(Some(refusal));
                    }
                }
            }
            due += page.merchants.len();
            next = page.next;
        }
        if due > 0 {
            tracing::info!(step = Step::Settle.name(), %day, due, settled, "settled the merchants to whom something is due");
        }
        // A merchant of very many orders has more due; only a look that settles nobody ends the step for a while.
        if settled == 0 {
            self.settle_rest = Some(Rest { of: at, until: now.plus_ms(self.schedule.retry_ms) });
        }
        match refused {
            Some(refusal) => Err(refusal.into()),
            None if due == 0 => Ok(Some(Stand::SeenOff(at))),
            None => Ok(Some(Stand::Open)),
        }
    }

    /// Once for each moment: what is not cleared by then waits for the next working day's.
    async fn repay(&mut self, executor: &Executor) -> Looked {
        let (now, channels, schedule) = (executor.clock.now(), self.channels.clone(), self.schedule.clone());
        let look = move |state: &State| rules::repay(state, &schedule, &channels, now);
        let Some(Due { at, what }) = executor.platform.read(look).await?.0? else { return Ok(None) };
        if self.repaid == Some(at) {
            return Ok(Some(Stand::SeenOff(at)));
        }
        // While a file may come in time, none of the day's is paid back.
        let Some(day) = what else { return Ok(Some(Stand::Open)) };
        if Rest::holds(self.repay_rest, at, now) {
            return Ok(Some(Stand::Open));
        }
        match self.repay_all(executor, day).await? {
            Ok(()) => {
                self.repaid = Some(at);
                Ok(Some(Stand::SeenOff(at)))
            }
            Err(refusal) => {
                self.repay_rest = Some(Rest { of: at, until: now.plus_ms(self.schedule.retry_ms) });
                Err(refusal.into())
            }
        }
    }

    /// Has the reserve told to pay back every advance that is due by a day; the first refusal, if there was one.
    async fn repay_all(&mut self, executor: &Executor, day: Date) -> Result<Result<(), Refusal>, FetchError> {
        let (mut repaid, mut not_cleared, mut cancelled, mut refused) = (0_usize, 0_usize, 0_usize, None);
        let mut next = Some(AdvanceId(0));
        while let Some(from) = next {
            let look = move |state: &State| advance::repay_page(state, day, from, LOOK_AT_ADVANCES);
            let page = recall::see_around(&executor.platform, &executor.store, &mut self.damaged, look);
            let RepayPage { advances, next: following } = page.await?.0;
            for (advance, stands) in advances {
                match stands {
                    Repayable::NotCleared => not_cleared += 1,
                    Repayable::Cancelled => cancelled += 1,
                    Repayable::Due => match repay_one(executor, advance).await? {
                        Ok(instructed) => repaid += usize::from(instructed),
                        // It bars every other one too.
                        Err(refusal) if refusal.code == RefusalCode::ChecksFailed => return Ok(Err(refusal)),
                        Err(refusal) => {
                            tracing::error!(%advance, %day, %refusal, "an advance is not paid back; the others are");
                            refused = refused.or(Some(refusal));
                        }
                    },
                }
            }
            next = following;
        }
        if repaid + not_cleared + cancelled > 0 {
            tracing::info!(
                step = Step::Repay.name(),
                %day,
                repaid,
                not_cleared,
                cancelled,
                "had the reserve told to pay advances back"
            );
        }
        Ok(refused.map_or(Ok(()), Err))
    }
}

/// Has the reserve told to pay an advance back; whether it was told now.
async fn repay_one(executor: &Executor, advance: AdvanceId) -> Result<Result<bool, Refusal>, FetchError> {
    match submit(executor, Command::Advance(AdvanceCommand::Repay(advance))).await? {
        Ok(_) => Ok(Ok(true)),
        // Somebody did it by hand meanwhile, or it came back.
        Err(refusal) if refusal.code == RefusalCode::AdvanceState => Ok(Ok(false)),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Settles a merchant by a working day.
async fn settle_one(executor: &Executor, merchant: MerchantId, day: Date) -> Result<Result<(), Refusal>, FetchError> {
    match submit(executor, Command::Settle { merchant, today: day }).await? {
        Ok(_) => Ok(Ok(())),
        // Somebody did it by hand meanwhile.
        Err(refusal) if refusal.code == RefusalCode::NotCleared => Ok(Ok(())),
        Err(refusal) => Ok(Err(refusal)),
    }
}

async fn submit(executor: &Executor, command: Command) -> Result<Result<Reply, Refusal>, FetchError> {
    Ok(executor.platform.submit(Request { command, meta: meta() }).await?.result)
}

fn meta() -> Meta {
    Meta::unkeyed(Actor::Timer, Origin::Timer)
}

fn tell_file(channel: &ChannelName, date: Date, fetched: &Fetched) {
    let sum = |of: fn(&Clearing) -> u32| fetched.parts.iter().map(|part| u64::from(of(part))).sum::<u64>();
    let (lines, different) = (sum(|part| part.lines), sum(|part| part.different));
    tracing::info!(step = Step::Clearing.name(), %channel, %date, lines, different, "took a clearing file");
}

/// A time as Prometheus has it.
fn seconds(at: Time) -> f64 {
    f64::from(u32::try_from(at.0.div_euclid(1_000)).unwrap_or_default())
}
