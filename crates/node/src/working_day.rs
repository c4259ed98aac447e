//! What closes one working day and begins the next (T+1), as the platform does it by itself: when, and what is left to do.
//!
//! ```text
//!  the clock ─► the latest working day on which the step's time is over ─► what do the books say is not done?
//!    cut       the accounting day that the cut opens, if an earlier one is open
//!    clearing  dates before that day of which a channel's file was not taken to its last part
//!    returns   dates since those that were fetched, and since the working day before, for which the lists of returns are asked
//!    settle    that day, once no file is missing but one that is late; merchants to whom something is due by it
//!    repay     that day, in the same way; advances whose orders are all due by it, and which nothing pays back yet
//! ```
//! Nothing is kept of it: what was done stands in the books, so whoever leads next, or starts again, goes on where they stand. A step whose
//! time was missed is made up by the next look.

use std::fmt;
use std::str::FromStr;

use domain::State;
use domain::calendar::{Calendar, Date};
use domain::channel::ChannelName;
use domain::envelope::Time;
use domain::refusal::Refusal;

const MINUTE_MS: i64 = 60_000;
const NOON: i64 = 720;
/// No rest between two working days is longer, in days.
const LONGEST_REST: i32 = 31;
/// How many dates back a clearing file is looked for, and by who has just begun a list of returns.
pub const LOOK_BACK: i32 = 14;

/// A time of day in Asia/Shanghai, in minutes since midnight. Text form `02:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(i64);

/// A text that is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time of day; they look like 02:30")]
pub struct TimeOfDayError(String);

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let number = |text: &str, most: i64| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|number| digits && *number <= most)
        };
        let read = || {
            let (hour, minute) = text.split_once(':')?;
            Some(Self(number(hour, 23)?.saturating_mul(60).saturating_add(number(minute, 59)?)))
        };
        read().ok_or_else(|| TimeOfDayError(format!("{text:.32}")))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.div_euclid(60), self.0.rem_euclid(60))
    }
}

impl TimeOfDay {
    /// This time on a date.
    #[must_use]
    pub fn on(self, date: Date) -> Time {
        date.starts_at().plus_ms(self.0.saturating_mul(MINUTE_MS))
    }

    /// Whether it is before noon: a cut then opens the day that has begun, a later one the next working day.
    #[must_use]
    pub const fn is_morning(self) -> bool {
        self.0 < NOON
    }

    /// The latest working day on which it is over at `now`; none if the calendar begins after it.
    ///
    /// # Errors
    /// `calendar_unknown` if this year's is not known.
    pub fn latest(self, calendar: &Calendar, now: Time) -> Result<Option<Date>, Refusal> {
        let today = Date::in_shanghai(now);
        let is_today = calendar.is_working_day(today)? && self.on(today) <= now;
        Ok(if is_today { Some(today) } else { working_day_before(calendar, today) })
    }

    /// The next moment after `now`, on a working day.
    ///
    /// # Errors
    /// `calendar_unknown` if a year until then is not known.
    pub fn next(self, calendar: &Calendar, now: Time) -> Result<Time, Refusal> {
        let today = Date::in_shanghai(now);
        if self.on(today) > now && calendar.is_working_day(today)? {
            return Ok(self.on(today));
        }
        calendar.plus_working_days(today, 1).map(|day| self.on(day))
    }

    /// The accounting day that a cut at this time of a working day opens.
    ///
    /// # Errors
    /// `calendar_unknown` if the next working day's year is not known.
    pub fn opens(self, calendar: &Calendar, day: Date) -> Result<Date, Refusal> {
        if self.is_morning() { Ok(day) } else { calendar.plus_working_days(day, 1) }
    }
}

/// The working day before a date; none if the calendar begins after it.
fn working_day_before(calendar: &Calendar, date: Date) -> Option<Date> {
    let mut before = (1..=LONGEST_REST).map(|days| date.plus_days(-days));
    before.find(|day| matches!(calendar.is_working_day(*day), Ok(true)))
}

/// A step of the working day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The accounting day is cut (日切).
    Cut,
    /// Clearing files are fetched.
    Clearing,
    /// Lists of returns are fetched.
    Returns,
    /// Merchants are settled.
    Settle,
    /// The reserve is told to pay advances (垫付) back.
    Repay,
}

impl Step {
    /// The name in API, metrics and log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Clearing => "clearing",
            Self::Returns => "returns",
            Self::Settle => "settle",
            Self::Repay => "repay",
        }
    }
}

/// When clearing files are fetched, and from when on one that is not there is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClearingTimes {
    /// From here on they are asked for.
    pub at: TimeOfDay,
    /// Later than `at`.
    pub deadline: TimeOfDay,
}

/// The times of the steps; one that has none is left to whoever runs the platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// When the accounting day is cut.
    pub cut: Option<TimeOfDay>,
    /// When clearing files are fetched.
    pub clearing: Option<ClearingTimes>,
    /// When lists of returns are fetched, once or several times a day.
    pub returns: Vec<TimeOfDay>,
    /// From when on merchants are settled.
    pub settle: Option<TimeOfDay>,
    /// From when on advances are paid back.
    pub repay: Option<TimeOfDay>,
    /// How long after a try in vain the next comes, in milliseconds.
    pub retry_ms: i64,
}

impl Schedule {
    /// True where every step is left to whoever runs the platform.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.steps().is_empty()
    }

    /// Each step that has times, in their order in a day's work, with its times.
    #[must_use]
    pub fn steps(&self) -> Vec<(Step, Vec<TimeOfDay>)> {
        let steps: [(Step, Vec<TimeOfDay>); 5] = [
            (Step::Cut, self.cut.into_iter().collect()),
            (Step::Clearing, self.clearing.iter().map(|times| times.at).collect()),
            (Step::Returns, self.returns.clone()),
            (Step::Settle, self.settle.into_iter().collect()),
            (Step::Repay, self.repay.into_iter().collect()),
        ];
        steps.into_iter().filter(|(_, times)| !times.is_empty()).collect()
    }
}

/// What a step has to do since its latest moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<T> {
    /// The moment.
    pub at: Time,
    /// What is not done.
    pub what: T,
}

/// A clearing file that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Whose.
    pub channel: ChannelName,
    /// The network's clearing date.
    pub date: Date,
    /// Whether its deadline, on the first working day after its date, is over.
    pub late: bool,
}

/// The accounting day that is to be opened; nothing before the first moment of the calendar.
///
/// # Errors
/// `calendar_unknown`.
pub fn cut(state: &State, at: TimeOfDay, now: Time) -> Result<Option<Due<Option<Date>>>, Refusal> {
    let Some(day) = at.latest(&state.calendar, now)? else { return Ok(None) };
    let next = at.opens(&state.calendar, day)?;
    let is_earlier = state.days.current().is_some_and(|open| open < next);
    Ok(Some(Due { at: at.on(day), what: is_earlier.then_some(next) }))
}

/// The clearing files that are to be fetched, oldest first within a channel.
///
/// # Errors
/// `calendar_unknown`.
pub fn files(
    state: &State,
    times: ClearingTimes,
    channels: &[ChannelName],
    now: Time,
) -> Result<Option<Due<Vec<File>>>, Refusal> {
    let Some(day) = times.at.latest(&state.calendar, now)? else { return Ok(None) };
    Ok(Some(Due { at: times.at.on(day), what: files_before(state, times, channels, (day, now)) }))
}

/// Files of dates before a working day, of [`LOOK_BACK`] dates at most and none before the books began.
fn files_before(state: &State, times: ClearingTimes, channels: &[ChannelName], (day, now): (Date, Time)) -> Vec<File> {
    let Some(genesis) = &state.genesis else { return Vec::new() };
    let mut files = Vec::new();
    for channel in channels {
        let dates = (1..=LOOK_BACK).rev().map(|days| day.plus_days(-days));
        for date in dates.filter(|date| *date >= genesis.first_day && !is_whole(state, channel, *date)) {
            // Where the calendar has forgotten that year, its working day is long over.
            let due = state.calendar.plus_working_days(date, 1).ok();
            let late = due.is_none_or(|due| times.deadline.on(due) <= now);
            files.push(File { channel: channel.clone(), date, late });
        }
    }
    files
}

/// Whether a file was taken to its last part.
fn is_whole(state: &State, channel: &ChannelName, date: Date) -> bool {
    let mut parts = state.clearing_files.range((channel.clone(), date, 0)..=(channel.clone(), date, u32::MAX));
    parts.any(|(_, id)| state.clearings.get(id.0).is_some_and(|part| part.last))
}

/// The dates whose lists of returns are to be fetched: since the working day before, that day among them, for its evening is in no list
/// that was fetched; and since the latest moment whose lists were all `fetched`, of [`LOOK_BACK`] dates where nobody knows of one, that
/// no list is left out over days on which none could be fetched.
///
/// # Errors
/// `calendar_unknown`.
pub fn returns(
    state: &State,
    times: &[TimeOfDay],
    fetched: Option<Time>,
    now: Time,
) -> Result<Option<Due<Vec<Date>>>, Refusal> {
    let mut latest: Option<(Time, Date)> = None;
    for time in times {
        let day = time.latest(&state.calendar, now)?;
        latest = latest.max(day.map(|day| (time.on(day), day)));
    }
    let Some((at, day)) = latest else { return Ok(None) };
    let since = fetched.map_or(day.plus_days(-LOOK_BACK), Date::in_shanghai);
    let first = working_day_before(&state.calendar, day).unwrap_or(day).min(since);
    let first = first.max(day.plus_days(1 - LONGEST_REST));
    let first = state.genesis.as_ref().map_or(first, |genesis| first.max(genesis.first_day));
    let days = (0..LONGEST_REST).map(|days| first.plus_days(days));
    Ok(Some(Due { at, what: days.take_while(|date| *date <= day).collect() }))
}

/// The working day whose merchants are to be settled; nothing of it while a file is missing that may come in time.
///
/// # Errors
/// `calendar_unknown`.
pub fn settle(
    state: &State,
    schedule: &Schedule,
    channels: &[ChannelName],
    now: Time,
) -> Result<Option<Due<Option<Date>>>, Refusal> {
    after_files(state, schedule, channels, (schedule.settle, now))
}

/// The working day by which advances are to be paid back; nothing of it while a file is missing that may come in time.
///
/// # Errors
/// `calendar_unknown`.
pub fn repay(
    state: &State,
    schedule: &Schedule,
    channels: &[ChannelName],
    now: Time,
) -> Result<Option<Due<Option<Date>>>, Refusal> {
    after_files(state, schedule, channels, (schedule.repay, now))
}

/// The latest working day of a step that goes by what files brought, once none is missing but one that is late.
fn after_files(
    state: &State,
    schedule: &Schedule,
    channels: &[ChannelName],
    (at, now): (Option<TimeOfDay>, Time),
) -> Result<Option<Due<Option<Date>>>, Refusal> {
    let Some(at) = at else { return Ok(None) };
    let Some(day) = at.latest(&state.calendar, now)? else { return Ok(None) };
    let missing = match schedule.clearing {
        Some(times) => files_before(state, times, channels, (day, now)),
        None => Vec::new(),
    };
    let waits = missing.iter().any(|file| !file.late);
    Ok(Some(Due { at: at.on(day), what: (!waits).then_some(day) }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::calendar::Year;
    use domain::clearing::Clearing;
    use domain::ids::ClearingId;
    use domain::initialise::Genesis;

    use super::*;

    /// 2026 with the first week of October off, and the Saturday after it worked.
    fn calendar() -> Calendar {
        let day = |month, day| Date::new(2026, month, day).unwrap();
        let holidays = (1..=7).map(|number| day(10, number)).collect();
        let year = Year { holidays, make_up_days: vec![day(10, 10)], ..Year::default() };
        Calendar { years: BTreeMap::from([(2026, year)]) }
    }

    /// Books that began on a date.
    fn books(first_day: &str) -> State {
        let (first_day, calendar) = (first_day.parse().unwrap(), calendar());
        let genesis = Genesis { institution: "i".into(), first_day, calendar: calendar.clone(), sandbox: true };
        State { genesis: Some(genesis), calendar, ..State::default() }
    }

    fn at(text: &str) -> TimeOfDay {
        text.parse().unwrap()
    }

    fn time(text: &str) -> Time {
        let (date, of_day) = text.split_once(' ').unwrap();
        at(of_day).on(date.parse().unwrap())
    }

    fn dates(texts: &[&str]) -> Vec<Date> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn named(channel: &str) -> ChannelName {
        ChannelName::parse(channel).unwrap()
    }

    fn take(state: &mut State, channel: &str, date: &str, part: u32, last: bool) {
        let (id, date, channel) = (ClearingId(state.clearings.next_id()), date.parse().unwrap(), named(channel));
        let clearing = Clearing {
            id,
            rail: channel.rail,
            date,
            part,
            last,
            lines: 0,
            matched: 0,
            debited: 0,
            refunded: 0,
            paid: 0,
            different: 0,
            differences: Vec::new(),
            voucher: None,
            taken_at: Time(0),
            returned: 0,
            channel: channel.word.clone(),
        };
        state.clearings.insert(id.0, clearing);
        state.clearing_files.insert((channel, date, part), id);
    }

    const TIMES: [&str; 2] = ["02:00", "09:00"];

    fn times() -> ClearingTimes {
        ClearingTimes { at: at(TIMES[0]), deadline: at(TIMES[1]) }
    }

    #[test]
    fn what_is_no_time_of_day_is_refused_with_what_would_be() {
        for text in ["00:00", "02:30", "23:59"] {
            assert_eq!(at(text).to_string(), text);
        }
        for text in ["", "2:30", "24:00", "02:60", "0230", "+2:30", "02:3", "02:30:00", "noon"] {
            let told = text.parse::<TimeOfDay>().unwrap_err().to_string();
            assert!(told.contains(text) && told.contains("02:30"), "{told}");
        }
    }

    #[test]
    fn the_latest_and_the_next_moment_are_on_working_days() {
        let latest = |now: &str| at("02:00").latest(&calendar(), time(now)).map(|day| day.map(|day| day.to_string()));
        let is = |day: &str| Ok(Some(day.to_owned()));
        assert_eq!(latest("2026-03-05 02:00"), is("2026-03-05"));
        assert_eq!(latest("2026-03-05 01:59"), is("2026-03-04"));
        // A Sunday; the end of a week off; a Saturday that is worked.
        assert_eq!(latest("2026-03-08 12:00"), is("2026-03-06"));
        assert_eq!(latest("2026-10-08 01:59"), is("2026-09-30"));
        assert_eq!(latest("2026-10-10 02:00"), is("2026-10-10"));
        assert_eq!(latest("2026-01-01 01:00"), Ok(None), "2025 is not known");
        assert!(latest("2027-03-05 02:00").is_err());
        let next = |now: &str| at("02:00").next(&calendar(), time(now));
        assert_eq!(next("2026-03-05 01:59"), Ok(time("2026-03-05 02:00")));
        assert_eq!(next("2026-03-06 02:00"), Ok(time("2026-03-09 02:00")));
        assert!(next("2026-12-31 02:00").is_err());
    }

    #[test]
    fn a_cut_opens_the_next_working_day_and_in_the_morning_its_own() {
        let opens = |text: &str, day: &str| {
            at(text).opens(&calendar(), day.parse().unwrap()).map(|day| day.to_string()).map_err(|_| "unknown")
        };
        assert_eq!(opens("23:30", "2026-03-05"), Ok("2026-03-06".into()));
        assert_eq!(opens("23:30", "2026-03-06"), Ok("2026-03-09".into()));
        assert_eq!(opens("12:00", "2026-09-30"), Ok("2026-10-08".into()));
        assert_eq!(opens("00:10", "2026-03-09"), Ok("2026-03-09".into()));
        assert_eq!(opens("23:30", "2026-12-31"), Err("unknown"));
    }

    #[test]
    fn a_file_is_due_until_its_last_part_is_taken_and_late_from_its_deadline_on() {
        let mut state = books("2026-03-05");
        let due = |state: &State, now: &str| {
            let due = files(state, times(), &["epcc", "fund"].map(named), time(now)).unwrap().unwrap();
            assert_eq!(due.at, time(&format!("{} 02:00", Date::in_shanghai(due.at))));
            due.what.iter().map(|file| (file.channel.to_string(), file.date.to_string(), file.late)).collect::<Vec<_>>()
        };
        let file = |channel: &str, date: &str, late| (channel.to_owned(), date.to_owned(), late);
        assert_eq!(due(&state, "2026-03-05 02:00"), [], "the books have no day before");
        assert_eq!(due(&state, "2026-03-06 01:59"), []);
        let both = [file("epcc", "2026-03-05", false), file("fund", "2026-03-05", false)];
        assert_eq!(due(&state, "2026-03-06 02:00"), both);
        take(&mut state, "epcc", "2026-03-05", 1, false);
        assert_eq!(due(&state, "2026-03-06 08:59"), both, "a part is not the file");
        take(&mut state, "epcc", "2026-03-05", 2, true);
        assert_eq!(due(&state, "2026-03-06 08:59"), both[1..]);
        assert_eq!(due(&state, "2026-03-06 09:00"), [file("fund", "2026-03-05", true)]);
        // On Monday those of the weekend too, while the late one stays late.
        take(&mut state, "epcc", "2026-03-06", 1, true);
        let monday = due(&state, "2026-03-09 02:00");
        assert_eq!(monday[..2], [file("epcc", "2026-03-07", false), file("epcc", "2026-03-08", false)]);
        assert_eq!(monday[2..4], [file("fund", "2026-03-05", true), file("fund", "2026-03-06", false)]);
        assert_eq!(monday.len(), 6);
        assert_eq!(due(&state, "2026-04-30 02:00").len(), 2 * usize::try_from(LOOK_BACK).unwrap());
    }

    #[test]
    fn channels_of_one_rail_give_files_of_their_own() {
        let mut state = books("2026-03-05");
        take(&mut state, "epcc", "2026-03-05", 1, true);
        let channels = ["epcc", "epcc_b"].map(named);
        let due = files(&state, times(), &channels, time("2026-03-06 02:00")).unwrap().unwrap();
        let missing: Vec<_> = due.what.iter().map(|file| file.channel.to_string()).collect();
        assert_eq!(missing, ["epcc_b"]);
    }

    #[test]
    fn lists_of_returns_are_asked_for_since_the_working_day_before() {
        let state = books("2026-03-05");
        let times = [at("02:30"), at("18:00")];
        let due = |fetched: Option<&str>, now: &str| {
            let due = returns(&state, &times, fetched.map(time), time(now)).unwrap();
            due.map(|due| (due.at, due.what))
        };
        assert_eq!(due(None, "2026-03-05 12:00"), Some((time("2026-03-05 02:30"), dates(&["2026-03-05"]))));
        let friday = dates(&["2026-03-05", "2026-03-06"]);
        let evening = Some("2026-03-05 18:00");
        assert_eq!(due(evening, "2026-03-06 17:59"), Some((time("2026-03-06 02:30"), friday.clone())));
        assert_eq!(due(Some("2026-03-06 02:30"), "2026-03-08 03:00"), Some((time("2026-03-06 18:00"), friday)));
        let monday = dates(&["2026-03-06", "2026-03-07", "2026-03-08", "2026-03-09"]);
        assert_eq!(due(Some("2026-03-06 18:00"), "2026-03-09 02:30"), Some((time("2026-03-09 02:30"), monday)));
        assert_eq!(returns(&state, &[], None, time("2026-03-09 02:30")), Ok(None));
    }

    #[test]
    fn no_list_of_returns_is_left_out_over_days_on_which_none_could_be_fetched() {
        let state = books("2026-03-05");
        let first_and_count = |fetched: Option<&str>, now: &str| {
            let due = returns(&state, &[at("02:30")], fetched.map(time), time(now)).unwrap().unwrap();
            assert_eq!(due.what.last(), Some(&Date::in_shanghai(due.at)));
            (due.what[0].to_string(), due.what.len())
        };
        // The bank was away from Tuesday to Thursday.
        assert_eq!(first_and_count(Some("2026-03-09 02:30"), "2026-03-13 02:30"), ("2026-03-09".into(), 5));
        // Another node leads, or the platform starts: it knows of no list.
        assert_eq!(first_and_count(None, "2026-03-13 02:30"), ("2026-03-05".into(), 9), "the books have no day before");
        assert_eq!(first_and_count(None, "2026-04-30 02:30"), ("2026-04-16".into(), 15));
        assert_eq!(first_and_count(Some("2026-03-09 02:30"), "2026-04-30 02:30"), ("2026-03-31".into(), 31));
    }

    #[test]
    fn settling_waits_for_files_that_may_come_in_time() {
        let mut state = books("2026-03-05");
        let channels = ["epcc"].map(named);
        let schedule = Schedule { clearing: Some(times()), settle: Some(at("03:00")), ..Schedule::default() };
        let due = |state: &State, schedule: &Schedule, now: &str| {
            settle(state, schedule, &channels, time(now)).unwrap().and_then(|due| due.what).map(|day| day.to_string())
        };
        assert_eq!(due(&state, &schedule, "2026-03-06 02:59"), Some("2026-03-05".into()), "of the day before");
        assert_eq!(due(&state, &schedule, "2026-03-06 03:00"), None);
        assert_eq!(
            due(&state, &schedule, "2026-03-06 09:00"),
            Some("2026-03-06".into()),
            "what is late is not waited for"
        );
        take(&mut state, "epcc", "2026-03-05", 1, true);
        assert_eq!(due(&state, &schedule, "2026-03-06 03:00"), Some("2026-03-06".into()));
        let by_hand = Schedule { clearing: None, ..schedule };
        assert_eq!(due(&state, &by_hand, "2026-03-09 03:00"), Some("2026-03-09".into()), "files are somebody else's");
        assert_eq!(settle(&state, &Schedule::default(), &channels, time("2026-03-09 03:00")), Ok(None));
    }

    #[test]
    fn paying_back_waits_for_files_that_may_come_in_time() {
        let mut state = books("2026-03-05");
        let channels = ["epcc"].map(named);
        let schedule = Schedule { clearing: Some(times()), repay: Some(at("04:00")), ..Schedule::default() };
        assert!(!schedule.is_off());
        let due = |state: &State, now: &str| {
            let due = repay(state, &schedule, &channels, time(now)).unwrap().unwrap();
            (due.at, due.what.map(|day| day.to_string()))
        };
        let (yesterday, today) = (time("2026-03-05 04:00"), time("2026-03-06 04:00"));
        assert_eq!(due(&state, "2026-03-06 03:59"), (yesterday, Some("2026-03-05".into())));
        assert_eq!(due(&state, "2026-03-06 04:00"), (today, None));
        assert_eq!(
            due(&state, "2026-03-06 09:00"),
            (today, Some("2026-03-06".into())),
            "what is late is not waited for"
        );
        take(&mut state, "epcc", "2026-03-05", 1, true);
        assert_eq!(due(&state, "2026-03-06 04:00"), (today, Some("2026-03-06".into())));
        assert_eq!(repay(&state, &Schedule::default(), &channels, time("2026-03-06 04:00")), Ok(None), "by hand");
    }
}
