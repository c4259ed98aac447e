//! What stays unanswered and what waits for a person, for who watches: gauges, and an error in the log, once for each.
//!
//! An attempt without a certain answer is asked about for ever, so its age is what tells a channel that hangs from a slow one. Nothing of
//! this is kept: a start says again what is overdue then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::State;
use domain::attempt::{Attempt, AttemptStatus, Operation, Rail};
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::envelope::Time;
use domain::ids::AttemptId;
use domain::rates::channel::{self, Direction, RateKey};
use domain::rates::{Rate, Rates};
use domain::recall::RowId;
use domain::reserve_line::{self, AwaitedLine, LineTarget};
use domain::task::{self, TaskOf};
use store::advance::AdvanceFilter;
use store::leg::LegFilter;
use store::payout::PayoutFilter;
use store::refund::RefundFilter;
use store::suspense::SuspenseFilter;
use store::{Database, StoreError};

use super::executor::Executor;
use super::{Clock, Platform, Unavailable, recall};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How many rows are read at once.
const PAGE: u32 = 500;

/// Looks until the platform stops.
pub(crate) async fn run(executor: Executor, alarm_after_ms: u64) {
    let mut watch = Watch::new(alarm_after_ms);
    let mut every = tokio::time::interval(LOOK_EVERY);
    // Their orders are not told by product; everything else is.
    let mut damaged = BTreeSet::new();
    loop {
        every.tick().await;
        let around = (&executor.platform, &executor.store, &executor.clock);
        if look(around, &mut watch, &mut damaged).await.is_err() {
            return;
        }
    }
}

/// One look. What the state says comes first: a store that is slow delays no word on attempts.
///
/// # Errors
/// The platform stopped.
async fn look(
    (platform, store, clock): (&Platform, &Arc<Database>, &Clock),
    watch: &mut Watch,
    damaged: &mut BTreeSet<RowId>,
) -> Result<(), Unavailable> {
    let now = clock.now();
    // The order of a refund may have left memory, and names the product.
    let unanswered = move |state: &State| Unanswered::of(state, now);
    if let Some(found) = unless_stopped(recall::see_around(platform, store, damaged, unanswered).await)? {
        watch.see(&found, now);
    }
    let reads = Arc::clone(store);
    let tasks = match tokio::task::spawn_blocking(move || waiting(&reads)).await {
        Ok(Ok(tasks)) => tasks,
        Ok(Err(error)) => {
            tracing::warn!(%error, "what waits for a person could not be read; tried again");
            return Ok(());
        }
        Err(_) => return Err(Unavailable::Stopped),
    };
    let now = clock.now();
    // The order of a leg may have left memory too, and says since when it waits.
    let since = move |state: &State| ages(state, &tasks);
    if let Some(tasks) = unless_stopped(recall::see_around(platform, store, damaged, since).await)? {
        watch.see_tasks(&tasks, now);
    }
    Ok(())
}

/// What was seen; none where the next look will see it.
fn unless_stopped<T>(seen: Result<(T, u64), Unavailable>) -> Result<Option<T>, Unavailable> {
    match seen {
        Ok((found, _)) => Ok(Some(found)),
        Err(Unavailable::Stopped) => Err(Unavailable::Stopped),
        Err(
            Unavailable::Overloaded
            | Unavailable::Behind
            | Unavailable::Damaged
            | Unavailable::Elsewhere
            | Unavailable::Recovering
            | Unavailable::Unknown,
        ) => Ok(None),
    }
}

/// By what tries are told apart, whatever the day.
type Key = (Direction, ChannelName, String, String);

/// What has no certain answer.
#[derive(Debug, Default)]
struct Unanswered {
    attempts: Vec<(AttemptId, Rail, Time)>,
    /// Tries of earlier days.
    channels: BTreeMap<Key, u64>,
    /// When each batch of a fund was closed of which its centre has not answered every row.
    batches: Vec<Time>,
    /// When each real-name check without an answer was asked for.
    checks: Vec<Time>,
    /// When the files were taken whose differences have not ended, a time a difference.
    differences: BTreeMap<ChannelName, Vec<Time>>,
    /// Lines of the reserve account's statement that have not come.
    awaited: Vec<AwaitedLine>,
    rates: Rates,
}

impl Unanswered {
    fn of(state: &State, now: Time) -> Self {
        let (today, mut channels) = (Date::in_shanghai(now), BTreeMap::new());
        for RateKey { date: _, direction, channel, product, bank } in channel::unknown(state, today) {
            *channels.entry((direction, channel, product, bank)).or_default() += 1;
        }
        let open = |attempt: &Attempt| Some((attempt.id, attempt.rail, since(attempt, now)?));
        let attempts = state.in_outbox().filter_map(open).collect();
        let batches = state.open_fund_batches().map(|batch| batch.closed_at).collect();
        let checks = state.open_real_name_checks().map(|check| check.requested_at).collect();
        let mut differences: BTreeMap<ChannelName, Vec<Time>> = BTreeMap::new();
        for (id, ()) in state.open_differences.iter() {
            if let Some(file) = state.clearings.get(id.clearing.0) {
                differences.entry(file.channel_name()).or_default().push(file.taken_at);
            }
        }
        let (awaited, rates) = (reserve_line::awaited(state), Rates::of(state, today));
        Self { attempts, channels, batches, checks, differences, awaited, rates }
    }
}

/// Since when an attempt has had no answer, if it has none and should.
fn since(attempt: &Attempt, now: Time) -> Option<Time> {
    let since = match attempt.operation {
        // Its answer is the batch's file.
        Operation::FundBatch { .. } => return None,
        // Until its page ends its payer is not late.
        Operation::Redirect { expires_at, .. } => expires_at,
        Operation::Debit { .. }
        | Operation::FundHold { .. }
        | Operation::FundCapture { .. }
        | Operation::FundRelease { .. }
        | Operation::Refund { .. }
        | Operation::Pay { .. } => attempt.requested_at,
    };
    let open = match attempt.status {
        AttemptStatus::Unknown => true,
        // It is being sent; later nothing carries it: its channel is not configured.
        AttemptStatus::Requested => now >= attempt.send_before,
        // What waits is for two people, who are told of the stop.
        AttemptStatus::Waiting | AttemptStatus::Settled(_) => false,
    };
    (open && since <= now).then_some(since)
}

/// What waits for a person, as the store has it.
fn waiting(store: &Database) -> Result<BTreeSet<TaskOf>, StoreError> {
    let mut tasks = BTreeSet::new();
    let legs = LegFilter { needs_person: Some(true), ..LegFilter::default() };
    each(store, &legs, |leg| {
        tasks.insert(TaskOf::Leg(leg.id));
    })?;
    let refunds = RefundFilter { needs_person: Some(true), ..RefundFilter::default() };
    each(store, &refunds, |refund| {
        tasks.insert(TaskOf::Refund(refund.id));
    })?;
    let payouts = PayoutFilter { needs_person: Some(true), ..PayoutFilter::default() };
    each(store, &payouts, |payout| {
        tasks.insert(TaskOf::Payout(payout.id));
    })?;
    let suspense = SuspenseFilter { needs_person: Some(true), ..SuspenseFilter::default() };
    each(store, &suspense, |item| {
        tasks.insert(TaskOf::Suspense(item.id));
    })?;
    let advances = AdvanceFilter { needs_person: Some(true), ..AdvanceFilter::default() };
    each(store, &advances, |advance| {
        tasks.insert(TaskOf::Advance(advance.id));
    })?;
    Ok(tasks)
}

/// What waits for a person, and since when, where that is known.
type Tasks = BTreeMap<TaskOf, Option<Time>>;

fn ages(state: &State, tasks: &BTreeSet<TaskOf>) -> Tasks {
    tasks.iter().map(|task| (*task, task::waits_since(state, *task))).collect()
}

fn each<F: store::Filter>(store: &Database, filter: &F, see: impl FnMut(&F::Of)) -> Result<(), StoreError> {
    let (mut cursor, mut see) = (None, see);
    loop {
        let page = store::list(store, filter, cursor, PAGE)?;
        page.data.iter().for_each(&mut see);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// What was seen at the last look.
#[derive(Debug, Default)]
struct Watch {
    alarm_after_ms: i64,
    overdue: BTreeSet<AttemptId>,
    rails: BTreeSet<Rail>,
    channels: BTreeSet<Key>,
    /// Channels whose files had differences.
    files: BTreeSet<ChannelName>,
    tasks: BTreeSet<TaskOf>,
}

/// What one rail leaves unanswered.
#[derive(Debug, Default, Clone, Copy)]
struct OfRail {
    unknown: u64,
    overdue: u64,
    oldest_ms: i64,
}

impl Watch {
    fn new(alarm_after_ms: u64) -> Self {
        Self { alarm_after_ms: i64::try_from(alarm_after_ms).unwrap_or(i64::MAX), ..Self::default() }
    }

    fn see(&mut self, found: &Unanswered, now: Time) {
        for (id, rail, ms) in self.newly_overdue(found, now) {
            let (rail, seconds) = (rail.name(), ms / 1_000);
            tracing::error!(attempt = %id, rail, seconds, "an attempt has had no certain answer for too long; it is asked about still");
        }
        self.show_channels(&found.channels);
        self.show_differences(&found.differences, now);
        show_batches(&found.batches, now);
        show_checks(&found.checks, now);
        show_awaited(&found.awaited, now);
        show_rate("effective", found.rates.effective);
        show_rate("first_try", found.rates.first_try);
    }

    /// Shows what each rail leaves unanswered; what is overdue and was not at the last look, with its age.
    fn newly_overdue(&mut self, found: &Unanswered, now: Time) -> Vec<(AttemptId, Rail, i64)> {
        self.rails.extend(found.attempts.iter().map(|(_, rail, _)| *rail));
        let mut rails: BTreeMap<Rail, OfRail> = self.rails.iter().map(|rail| (*rail, OfRail::default())).collect();
        let (mut overdue, mut new) = (BTreeSet::new(), Vec::new());
        for (id, rail, since) in &found.attempts {
            let (age_ms, of_rail) = (now.0.saturating_sub(since.0), rails.entry(*rail).or_default());
            of_rail.unknown += 1;
            of_rail.oldest_ms = of_rail.oldest_ms.max(age_ms);
            if age_ms >= self.alarm_after_ms {
                of_rail.overdue += 1;
                overdue.insert(*id);
                if !self.overdue.contains(id) {
                    new.push((*id, *rail, age_ms));
                }
            }
        }
        for id in self.overdue.difference(&overdue) {
            tracing::warn!(attempt = %id, "an attempt that was overdue is answered");
        }
        self.overdue = overdue;
        for (rail, of_rail) in rails {
            let labels = [("rail", rail.name())];
            metrics::gauge!("lintel_attempts_unknown", &labels).set(gauge(of_rail.unknown));
            metrics::gauge!("lintel_attempts_overdue", &labels).set(gauge(of_rail.overdue));
            let seconds = u64::try_from(of_rail.oldest_ms / 1_000).unwrap_or_default();
            metrics::gauge!("lintel_attempt_oldest_unknown_seconds", &labels).set(gauge(seconds));
        }
        new
    }

    fn show_channels(&mut self, found: &BTreeMap<Key, u64>) {
        self.channels.extend(found.keys().cloned());
        for key in &self.channels {
            let (direction, channel, product, bank) = key;
            let labels = [
                ("direction", direction.name().to_owned()),
                ("channel", channel.to_string()),
                ("product", product.clone()),
                ("bank", bank.clone()),
            ];
            let count = found.get(key).copied().unwrap_or_default();
            metrics::gauge!("lintel_channel_unknown", &labels).set(gauge(count));
        }
    }

    /// A file tells the log of its differences as it is taken.
    fn show_differences(&mut self, found: &BTreeMap<ChannelName, Vec<Time>>, now: Time) {
        self.files.extend(found.keys().cloned());
        for channel in &self.files {
            let since = found.get(channel).map_or(&[][..], Vec::as_slice);
            let labels = [("channel", channel.to_string())];
            metrics::gauge!("lintel_clearing_differences_open", &labels).set(gauge(since.len() as u64));
            metrics::gauge!("lintel_clearing_difference_oldest_seconds", &labels)
                .set(gauge(oldest_seconds(since, now)));
        }
    }

    fn see_tasks(&mut self, tasks: &Tasks, now: Time) {
        let seen: BTreeSet<TaskOf> = tasks.keys().copied().collect();
        for task in seen.difference(&self.tasks) {
            tracing::error!(%task, "only a person can move this on now: lintel task show {task}");
        }
        for task in self.tasks.difference(&seen) {
            tracing::info!(%task, "it waits for a person no more");
        }
        let mut kinds = ["legs", "refunds", "payouts", "suspense", "advances"].map(|kind| (kind, 0, Vec::new()));
        for (task, since) in tasks {
            let [legs, refunds, payouts, suspense, advances] = &mut kinds;
            let (_, count, times) = match task {
                TaskOf::Leg(_) => legs,
                TaskOf::Refund(_) => refunds,
                TaskOf::Payout(_) => payouts,
                TaskOf::Suspense(_) => suspense,
                TaskOf::Advance(_) => advances,
            };
            *count += 1;
            times.extend(*since);
        }
        for (kind, count, times) in kinds {
            metrics::gauge!("lintel_tasks", "kind" => kind).set(gauge(count));
            metrics::gauge!("lintel_task_oldest_seconds", "kind" => kind).set(gauge(oldest_seconds(&times, now)));
        }
        self.tasks = seen;
    }
}

/// A batch is answered by its file, and a real-name check is no attempt: their ages are told for themselves.
fn show_batches(closed: &[Time], now: Time) {
    metrics::gauge!("lintel_fund_batches_open").set(gauge(closed.len() as u64));
    metrics::gauge!("lintel_fund_batch_oldest_seconds").set(gauge(oldest_seconds(closed, now)));
}

fn show_checks(asked: &[Time], now: Time) {
    metrics::gauge!("lintel_real_name_checks_open").set(gauge(asked.len() as u64));
    metrics::gauge!("lintel_real_name_check_oldest_seconds").set(gauge(oldest_seconds(asked, now)));
}

fn show_awaited(awaited: &[AwaitedLine], now: Time) {
    let (mut sessions, mut transfers) = (0, 0);
    for line in awaited {
        match line.target {
            LineTarget::Clearing { .. } => sessions += 1,
            LineTarget::Transfer(_) => transfers += 1,
        }
    }
    for (target, count) in [("sessions", sessions), ("transfers", transfers)] {
        metrics::gauge!("lintel_reserve_lines_awaited", "target" => target).set(gauge(count));
    }
    let since: Vec<Time> = awaited.iter().map(|line| line.since).collect();
    metrics::gauge!("lintel_reserve_line_awaited_oldest_seconds").set(gauge(oldest_seconds(&since, now)));
}

fn oldest_seconds(since: &[Time], now: Time) -> u64 {
    let oldest_ms = since.iter().map(|since| now.0.saturating_sub(since.0)).max().unwrap_or_default();
    u64::try_from(oldest_ms / 1_000).unwrap_or_default()
}

fn show_rate(rate: &'static str, Rate { numerator, denominator }: Rate) {
    for (part, count) in [("numerator", numerator), ("denominator", denominator)] {
        metrics::gauge!("lintel_orders_rate", "rate" => rate, "part" => part).set(gauge(count));
    }
}

fn gauge(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use domain::attempt::Purpose;
    use domain::ids::{AdvanceId, LegId, OwnTransferId, PayoutId, RefundId, SuspenseId};
    use domain::money::Currency;
    use domain::reserve_line::LineDirection;
    use engine::{Engine, Keys};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::shell::Input;
    use crate::shell::lease::Leadership;

    const MINUTE: i64 = 60_000;

    fn attempt(operation: Operation, status: AttemptStatus) -> Attempt {
        let (requested_at, purpose) = (Time(0), Purpose::Leg(LegId(1)));
        let send_before = operation.send_before(requested_at);
        Attempt {
            id: AttemptId(1),
            rail: Rail::Epcc,
            operation,
            purpose,
            epoch: 1,
            requested_at,
            send_before,
            status,
            cleared: None,
            page_site: None,
            channel: None,
        }
    }

    #[test]
    fn an_attempt_is_late_from_its_request_on_and_a_page_from_its_end_on() {
        let refund = || Operation::Refund { original: String::new(), amount: 5, currency: Currency::Cny };
        let (expires_at, return_url) = (Time(20 * MINUTE), None);
        let page = Operation::Redirect { amount: 5, currency: Currency::Cny, expires_at, return_url };
        let unknown = AttemptStatus::Unknown;
        assert_eq!(since(&attempt(refund(), unknown.clone()), Time(1)), Some(Time(0)));
        assert_eq!(since(&attempt(refund(), AttemptStatus::Waiting), Time(MINUTE)), None);
        let sending = attempt(refund(), AttemptStatus::Requested);
        assert_eq!((since(&sending, Time(1)), since(&sending, Time(MINUTE))), (None, Some(Time(0))));
        let page = attempt(page, unknown);
        assert_eq!((since(&page, Time(19 * MINUTE)), since(&page, Time(21 * MINUTE))), (None, Some(expires_at)));
    }

    /// The only thread that may ask the store is taken.
    #[test]
    fn a_store_that_does_not_answer_delays_no_word_on_attempts() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Database::sqlite(&directory.path().join("store.sqlite")).unwrap());
        let (sender, inputs) = mpsc::channel();
        let (_entries, behind) = tokio::sync::watch::channel(0);
        let platform = Platform::new(sender, Leadership::new(None), 1, behind);
        let (mut engine, recorder) =
            (Engine::new(State::default(), Keys::default(), 1), PrometheusBuilder::new().build_recorder());
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let _inside = runtime.enter();
        let (_release, held) = mpsc::channel::<()>();
        let _busy = tokio::task::spawn_blocking(move || held.recv());

        let (clock, mut watch, mut damaged) = (Clock::manual(Time(0)), Watch::new(1), BTreeSet::new());
        let mut looking = Box::pin(look((&platform, &store, &clock), &mut watch, &mut damaged));
        let mut waits = || {
            let mut context = Context::from_waker(Waker::noop());
            metrics::with_local_recorder(&recorder, || looking.as_mut().poll(&mut context)).is_pending()
        };
        assert!(waits());
        let Ok(Input::Read(step)) = inputs.try_recv() else { panic!("the state is looked at first") };
        step(&mut engine)();
        assert!(waits(), "the store has not answered");
        let shown = recorder.handle().render();
        assert!(shown.contains("lintel_fund_batches_open 0\n"), "{shown}");
        assert!(!shown.contains("lintel_tasks"), "{shown}");
    }

    #[test]
    fn each_overdue_attempt_is_an_alarm_once() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut watch = Watch::new(600_000);
        let found = |attempts| Unanswered { attempts, ..Unanswered::default() };
        let (first, second) = ((AttemptId(1), Rail::Epcc, Time(0)), (AttemptId(2), Rail::Epcc, Time(MINUTE)));
        let mut look = |attempts, now| {
            let new = metrics::with_local_recorder(&recorder, || watch.newly_overdue(&found(attempts), Time(now)));
            new.into_iter().map(|(id, ..)| id.0).collect::<Vec<_>>()
        };
        let none: [u64; 0] = [];
        assert_eq!(look(vec![first, second], 10 * MINUTE - 1), none);
        assert_eq!(look(vec![first, second], 10 * MINUTE), [1]);
        assert_eq!(look(vec![first, second], 11 * MINUTE), [2]);
        assert_eq!(look(vec![first, second], 12 * MINUTE), none);
        let shown = recorder.handle().render();
        for line in [
            "lintel_attempts_unknown{rail=\"epcc\"} 2",
            "lintel_attempts_overdue{rail=\"epcc\"} 2",
            "lintel_attempt_oldest_unknown_seconds{rail=\"epcc\"} 720",
        ] {
            assert!(shown.contains(&format!("{line}\n")), "{line}: {shown}");
        }
        assert_eq!(look(Vec::new(), 13 * MINUTE), none);
        let shown = recorder.handle().render();
        for name in ["attempts_unknown", "attempts_overdue", "attempt_oldest_unknown_seconds"] {
            assert!(shown.contains(&format!("lintel_{name}{{rail=\"epcc\"}} 0\n")), "{name}: {shown}");
        }
    }

    fn awaited_since(since: Time) -> AwaitedLine {
        let (target, direction) = (LineTarget::Transfer(OwnTransferId(3)), LineDirection::Out);
        AwaitedLine { target, direction, amount: 5, currency: Currency::Cny, since, differences: Vec::new() }
    }

    #[test]
    fn what_is_unknown_of_a_channel_and_what_waits_is_shown_and_goes() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut watch = Watch::new(1);
        let key = (Direction::In, ChannelName::from(Rail::Epcc), String::from("rent"), String::from("102"));
        let rates = Rates { effective: Rate { numerator: 92, denominator: 100 }, first_try: Rate::default() };
        let (batches, checks) = (vec![Time(0), Time(-MINUTE)], vec![Time(-2 * MINUTE)]);
        let channels = BTreeMap::from([(key, 3)]);
        let differences = BTreeMap::from([(ChannelName::from(Rail::Fund), vec![Time(0), Time(-3 * MINUTE)])]);
        let awaited = vec![awaited_since(Time(-6 * MINUTE))];
        let found = Unanswered { attempts: Vec::new(), channels, batches, checks, differences, awaited, rates };
        let legs = [9, 10].map(|id| TaskOf::Leg(LegId(id)));
        let others = [TaskOf::Refund(RefundId(3)), TaskOf::Payout(PayoutId(4)), TaskOf::Suspense(SuspenseId(4))];
        let own = TaskOf::Advance(AdvanceId(4));
        // The leg that came last has waited the longest; since when the payout has is not known.
        let since = [Some(-MINUTE), Some(-5 * MINUTE), Some(-2 * MINUTE), None, Some(0), Some(-4 * MINUTE)];
        let tasks: Tasks =
            legs.into_iter().chain(others).chain([own]).zip(since.map(|since| since.map(Time))).collect();
        metrics::with_local_recorder(&recorder, || {
            watch.see(&found, Time(0));
            watch.see_tasks(&tasks, Time(0));
        });
        let shown = recorder.handle().render();
        let unknown = "lintel_channel_unknown{direction=\"in\",channel=\"epcc\",product=\"rent\",bank=\"102\"}";
        let three = format!("{unknown} 3");
        for line in [
            three.as_str(),
            "lintel_orders_rate{rate=\"effective\",part=\"numerator\"} 92",
            "lintel_orders_rate{rate=\"effective\",part=\"denominator\"} 100",
            "lintel_fund_batches_open 2",
            "lintel_fund_batch_oldest_seconds 60",
            "lintel_real_name_checks_open 1",
            "lintel_real_name_check_oldest_seconds 120",
            "lintel_clearing_differences_open{channel=\"fund\"} 2",
            "lintel_clearing_difference_oldest_seconds{channel=\"fund\"} 180",
            "lintel_reserve_lines_awaited{target=\"transfers\"} 1",
            "lintel_reserve_line_awaited_oldest_seconds 360",
            "lintel_tasks{kind=\"legs\"} 2",
            "lintel_tasks{kind=\"refunds\"} 1",
            "lintel_tasks{kind=\"payouts\"} 1",
            "lintel_tasks{kind=\"suspense\"} 1",
            "lintel_tasks{kind=\"advances\"} 1",
            "lintel_task_oldest_seconds{kind=\"legs\"} 300",
            "lintel_task_oldest_seconds{kind=\"refunds\"} 120",
            "lintel_task_oldest_seconds{kind=\"payouts\"} 0",
            "lintel_task_oldest_seconds{kind=\"suspense\"} 0",
            "lintel_task_oldest_seconds{kind=\"advances\"} 240",
        ] {
            assert!(shown.contains(&format!("{line}\n")), "{line}: {shown}");
        }
        metrics::with_local_recorder(&recorder, || {
            watch.see(&Unanswered::default(), Time(1));
            watch.see_tasks(&Tasks::new(), Time(1));
        });
        let shown = recorder.handle().render();
        assert!(shown.contains(&format!("{unknown} 0\n")), "{shown}");
        let oldest = ["legs", "advances"].map(|kind| format!("lintel_task_oldest_seconds{{kind=\"{kind}\"}}"));
        for gone in oldest.iter().map(String::as_str).chain(["lintel_tasks{kind=\"refunds\"}"]) {
            assert!(shown.contains(&format!("{gone} 0\n")), "{gone}: {shown}");
        }
        for name in ["differences_open", "difference_oldest_seconds"] {
            assert!(shown.contains(&format!("lintel_clearing_{name}{{channel=\"fund\"}} 0\n")), "{name}: {shown}");
        }
        let awaited = "reserve_line_awaited_oldest_seconds";
        for name in ["fund_batches_open", "fund_batch_oldest_seconds", "real_name_checks_open", awaited] {
            assert!(shown.contains(&format!("lintel_{name} 0\n")), "{name}: {shown}");
        }
    }
}
