//! Fetching from channels what they say was done: clearing files (清算文件) and payments that came back (退票).
//!
//! ```text
//!  part 1 … part n ─► one verified statement of that channel and date ─► TakeClearingFile, at most 5,000 lines each
//!  list of returns ─► each by its serial to its payout or advance ─► ReturnPayout │ AdvanceCommand::Return
//! ```
//! Both may be asked for again at any time, also after a fetch that broke off half-way: a part is taken once by (channel,
//! date, part), a payout or advance comes back once.

use std::time::Duration;

use channels::{ChannelError, OperationKind, Request as Asked, Response, Return, Statement};
use domain::advance::{AdvanceCommand, AdvanceStatus, ReturnAdvance};
use domain::attempt::{Purpose, Rail, attempt_of_serial};
use domain::calendar::Date;
use domain::channel::ChannelName;
use domain::clearing::{Clearing, ClearingLine, Difference, MAX_LINES, TakeClearingFile};
use domain::ids::{AdvanceId, PayoutId};
use domain::payout::PayoutStatus;
use domain::{Command, Refusal, RefusalCode, Reply, State};
use engine::{Meta, Request};
use node::executor::Call;

use super::executor::{Executor, Route, ark_nonce};
use super::site::FILE_MAX;
use super::{Unavailable, recall};

/// How often a request is sent before the channel counts as unavailable; asking changes nothing there.
const TRIES: u32 = 3;
/// What a channel answers while a day is not over.
const NOT_OVER: u16 = 409;

/// Why nothing, or not everything, could be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// No channel of the rail, or none that pays.
    #[error("no channel is configured for {0}; add one to [[channels]]")]
    NoChannel(&'static str),
    /// No channel of this name.
    #[error("no channel is configured for {0}; add one to [[channels]]")]
    NotCalled(ChannelName),
    /// The day is not over at the channel.
    #[error("{date} is not over at {channel}; ask again when it is")]
    NotReady {
        /// The channel's name.
        channel: &'static str,
        /// The date asked for.
        date: Date,
    },
    /// No answer.
    #[error("{channel} did not answer {TRIES} times")]
    NoAnswer {
        /// The channel's name.
        channel: &'static str,
    },
    /// An answer that goes on for longer than any file may.
    #[error("what {channel} answered is longer than the {FILE_MAX} bytes of a file")]
    TooLong {
        /// The channel's name.
        channel: &'static str,
    },
    /// An answer that proves nothing.
    #[error("{channel} answered {status} to a request for {date}")]
    Status {
        /// The channel's name.
        channel: &'static str,
        /// The HTTP status.
        status: u16,
        /// The date asked for.
        date: Date,
    },
    /// A file of another rail or date.
    #[error("the file is of {rail} for {date}, which was not asked for")]
    OtherFile {
        /// Its rail.
        rail: &'static str,
        /// Its date.
        date: Date,
    },
    /// A message that is not believed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The business said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A clearing file that is taken.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// Its parts as these books took them.
    pub(crate) parts: Vec<Clearing>,
    /// How many of them had been taken before.
    pub(crate) repeated: usize,
    /// The position of the state they were seen in.
    pub(crate) position: u64,
}

/// What a list of returns brought.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    /// How many were listed.
    pub(crate) listed: usize,
    /// How many were booked now.
    pub(crate) booked: usize,
    /// How many had been booked before.
    pub(crate) already: usize,
    /// What could not be booked, for a person to look at.
    pub(crate) refused: Vec<(String, Refusal)>,
    /// The position of the last state seen.
    pub(crate) position: u64,
}

impl Returned {
    /// What is not booked: of another amount, of no payout or advance, or of one that is not answered yet.
    fn refuse(&mut self, serial: String, refusal: Refusal) {
        let code = refusal.code.name();
        tracing::error!(serial, code, error = refusal.message, "a payment that came back is not booked");
        metrics::counter!("lintel_returns_refused_total", "code" => code).increment(1);
        self.refused.push((serial, refusal));
    }
}

/// Where the trouble with a file lies.
enum Trouble {
    /// In what the channel gave.
    File,
    /// On the way there, or in the channel: none came.
    Channel,
    /// In the platform, its settings or the hour.
    Here,
}

impl FetchError {
    fn trouble(&self) -> Trouble {
        match self {
            Self::Channel(error) if error.of_keys().is_some() => Trouble::Here,
            Self::Channel(_) | Self::OtherFile { .. } | Self::Refused(_) | Self::TooLong { .. } => Trouble::File,
            Self::NoAnswer { .. } | Self::Status { .. } => Trouble::Channel,
            Self::NoChannel(_) | Self::NotCalled(_) | Self::NotReady { .. } | Self::Unavailable(_) => Trouble::Here,
        }
    }
}

/// A file of a channel that is not believed, that the books refuse, or that does not come whole: an alarm, and nothing of it is
/// booked.
fn alarmed<T>(rail: &'static str, file: &'static str, taken: Result<T, FetchError>) -> Result<T, FetchError> {
    if let Err(error) = &taken {
        match error.trouble() {
            Trouble::File => file_refused(rail, file, &error.to_string()),
            Trouble::Channel => {
                tracing::error!(rail, file, %error, "a file does not come; nothing of it is booked");
                metrics::counter!("lintel_files_unavailable_total", "rail" => rail, "file" => file).increment(1);
            }
            Trouble::Here => {}
        }
    }
    taken
}

/// Tells of a file that was refused.
pub(crate) fn file_refused(rail: &'static str, file: &'static str, error: &str) {
    tracing::error!(rail, file, error, "a file is refused; nothing of it is booked");
    metrics::counter!("lintel_files_refused_total", "rail" => rail, "file" => file).increment(1);
}

/// Tells of what a file, or a part of one, and the books do not agree on.
pub(crate) fn differs(rail: &'static str, different: u64, differences: &[Difference]) {
    for difference in differences {
        let kind = difference.kind.name();
        metrics::counter!("lintel_clearing_differences_total", "rail" => rail, "kind" => kind).increment(1);
    }
    if different > 0 {
        tracing::error!(
            rail,
            different,
            "a clearing file and the books differ: somebody is to look at the differences"
        );
    }
}

/// Fetches the clearing file of a channel and date and takes what is not taken yet.
///
/// # Errors
/// [`FetchError`]; parts taken before an error stay taken.
pub(crate) async fn fetch(
    executor: &Executor,
    meta: &Meta,
    channel: &ChannelName,
    date: Date,
) -> Result<Fetched, FetchError> {
    alarmed(channel.rail.name(), "clearing", fetch_whole(executor, meta, channel, date).await)
}

async fn fetch_whole(
    executor: &Executor,
    meta: &Meta,
    channel: &ChannelName,
    date: Date,
) -> Result<Fetched, FetchError> {
    let route = executor.routes.get(channel).ok_or_else(|| FetchError::NotCalled(channel.clone()))?;
    let lines = statement(executor, route, channel.rail, date).await?.lines;
    let mut fetched = Fetched { parts: Vec::new(), repeated: 0, position: 0 };
    for file in parts(channel, date, &lines) {
        let (part, repeated, position) = take(executor, meta, file).await?;
        fetched.repeated += usize::from(repeated);
        fetched.parts.push(part);
        fetched.position = position;
    }
    Ok(fetched)
}

/// The whole file of the rail and date, every part verified.
async fn statement(executor: &Executor, route: &Route, rail: Rail, date: Date) -> Result<Statement, FetchError> {
    let channel = route.channel.as_ref();
    let name = channel.manifest().name;
    let mut parts = Vec::new();
    loop {
        let number = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
        let (_, response) = ask(executor, route, || channel.build_statement(date, number, &ark_nonce())).await?;
        match response.status {
            200 => {}
            NOT_OVER => return Err(FetchError::NotReady { channel: name, date }),
            status => return Err(FetchError::Status { channel: name, status, date }),
        }
        let part = channel.statement(&response.body)?;
        let last = part.part >= part.parts;
        parts.push(part);
        if last {
            break;
        }
    }
    let statement = Statement::assemble(parts)?.into_inner();
    if (statement.rail, statement.date) != (rail, date) {
        return Err(FetchError::OtherFile { rail: statement.rail.name(), date: statement.date });
    }
    Ok(statement)
}

/// The commands that take a file; also an empty file has a part.
fn parts(of: &ChannelName, date: Date, lines: &[channels::Line]) -> Vec<TakeClearingFile> {
    let file = |part, lines| {
        let (rail, channel) = (of.rail, of.word.clone());
        TakeClearingFile { rail, date, part, last: false, lines, channel }
    };
    let mut files: Vec<TakeClearingFile> = lines
        .chunks(MAX_LINES)
        .zip(1_u32..)
        .map(|(lines, part)| file(part, lines.iter().map(ClearingLine::from).collect()))
        .collect();
    if files.is_empty() {
        files.push(file(1, Vec::new()));
    }
    if let Some(file) = files.last_mut() {
        file.last = true;
    }
    files
}

/// Takes a part, or finds it as it was taken; true if so.
async fn take(executor: &Executor, meta: &Meta, file: TakeClearingFile) -> Result<(Clearing, bool, u64), FetchError> {
    let TakeClearingFile { rail, date, part, last, .. } = file;
    let (key, lines) = ((file.channel_name(), date, part), file.lines.len());
    let request = Request { command: Command::TakeClearingFile(file), meta: meta.clone() };
    let seen = executor.platform.submit_and_view(request, taken).await?;
    let refusal = match seen.result {
        Ok(Some(clearing)) => {
            differs(rail.name(), u64::from(clearing.different), &clearing.differences);
            return Ok((clearing, false, seen.position));
        }
        Ok(None) => return Err(Unavailable::Stopped.into()),
        Err(refusal) if refusal.code == RefusalCode::ClearingDuplicate => refusal,
        Err(refusal) => return Err(refusal.into()),
    };
    let look = move |state: &State| {
        let id = state.clearing_files.get(&key)?;
        state.clearings.get(id.0).cloned()
    };
    let (before, position) = executor.platform.read(look).await?;
    // What was taken by hand with other lines is not this part.
    let same = before.filter(|before| before.last == last && usize::try_from(before.lines) == Ok(lines));
    Ok((same.ok_or(refusal)?, true, position))
}

fn taken(state: &State, reply: &Reply) -> Option<Clearing> {
    let Reply::Clearing(id) = reply else { return None };
    state.clearings.get(id.0).cloned()
}

/// Fetches the payments that came back on a date and books what is not booked yet, of every channel that lists them.
///
/// # Errors
/// [`FetchError`], of the first channel whose list cannot be had or is not believed, once the others' lists are booked.
pub(crate) async fn fetch_returns(executor: &Executor, meta: &Meta, date: Date) -> Result<Returned, FetchError> {
    let pays = |route: &Route| route.channel.manifest().supported(OperationKind::Pay).is_some();
    let routes: Vec<(&ChannelName, &Route)> = executor.routes.iter().filter(|(_, route)| pays(route)).collect();
    if routes.is_empty() {
        return Err(FetchError::NoChannel("payouts"));
    }
    let (mut returned, mut without) = (Returned::default(), None);
    // What the others tell of came with their notifications.
    for (name, route) in routes.into_iter().filter(|(_, route)| route.channel.manifest().lists_returns) {
        match alarmed(name.rail.name(), "returns", list(executor, route, date).await) {
            Ok(listed) => {
                for back in listed {
                    returned.listed += 1;
                    book(executor, meta, name, back, &mut returned).await?;
                }
            }
            Err(error) => without = without.or(Some(error)),
        }
    }
    without.map_or(Ok(returned), Err)
}

async fn list(executor: &Executor, route: &Route, date: Date) -> Result<Vec<Return>, FetchError> {
    let channel = route.channel.as_ref();
    let (request, response) = ask(executor, route, || channel.build_returns(date, &ark_nonce())).await?;
    if response.status != 200 {
        return Err(FetchError::Status { channel: channel.manifest().name, status: response.status, date });
    }
    Ok(channel.returns(&request, &response)?.into_inner())
}

/// Books one payment that came back, as the channel says that paid it, and counts what became of it.
///
/// # Errors
/// [`FetchError::Unavailable`].
pub(crate) async fn book(
    executor: &Executor,
    meta: &Meta,
    by: &ChannelName,
    back: Return,
    returned: &mut Returned,
) -> Result<(), FetchError> {
    let Return { serial, amount, currency, return_date: date, reference, .. } = back;
    let platform = &executor.platform;
    let (asked, by) = (serial.clone(), by.clone());
    let look = move |state: &State| sent_under(state, (&by, asked.as_str()), (amount, currency));
    let (found, position) = recall::see(platform, &executor.store, look).await?;
    returned.position = position;
    let command = match found {
        Ok((_, true)) => {
            returned.already += 1;
            return Ok(());
        }
        Ok((Sent::Payout(payout), false)) => Command::ReturnPayout { payout, reference, date },
        Ok((Sent::Advance(advance), false)) => {
            Command::Advance(AdvanceCommand::Return(ReturnAdvance { advance, reference, date }))
        }
        Err(refusal) => {
            returned.refuse(serial, refusal);
            return Ok(());
        }
    };
    let seen = platform.submit(Request { command, meta: meta.clone() }).await?;
    returned.position = seen.position;
    match seen.result {
        Ok(_) => returned.booked += 1,
        Err(refusal) => returned.refuse(serial, refusal),
    }
    Ok(())
}

/// What was paid to a bank account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Payout(PayoutId),
    Advance(AdvanceId),
}

/// What a serial stands for at a channel, and whether the books have it that it came back. Own money is paid on another rail than
/// payouts, and no channel speaks for another's.
fn sent_under(
    state: &State,
    (by, serial): (&ChannelName, &str),
    money: (domain::money::Minor, domain::money::Currency),
) -> Result<(Sent, bool), Refusal> {
    let unknown = |message: String| Refusal::new(RefusalCode::PayoutUnknown, "serial", message);
    let attempt = attempt_of_serial(serial).and_then(|id| state.attempts.get(id.0));
    let sent = attempt.filter(|it| it.serial() == serial && it.channel_name() == *by);
    let Some(attempt) = sent else {
        return Err(unknown(format!("no payout was sent under serial {serial:.40} on {by}")));
    };
    let sent = match attempt.purpose {
        Purpose::Payout(id) => Sent::Payout(id),
        Purpose::Advance(id) => Sent::Advance(id),
        Purpose::Leg(_) | Purpose::Refund(_) | Purpose::TopUp(_) => {
            return Err(unknown(format!("{} is no payout and no advance", attempt.id)));
        }
    };
    if attempt.operation.money() != money {
        let (amount, currency) = (money.0, money.1.code());
        let message = format!("{amount} {currency} came back; {} is of {}", attempt.id, attempt.operation.money().0);
        return Err(Refusal::new(RefusalCode::ValueInvalid, "amount", message));
    }
    let came_back = match sent {
        Sent::Payout(id) => state.payout(id)?.status == PayoutStatus::Returned,
        Sent::Advance(id) => state.advance(id)?.status == AdvanceStatus::Returned,
    };
    Ok((sent, came_back))
}

/// Sends a request that changes nothing, or that is done once however often it comes, again through another site while no answer comes.
pub(super) async fn ask(
    executor: &Executor,
    route: &Route,
    build: impl Fn() -> Result<Asked, ChannelError>,
) -> Result<(Asked, Response), FetchError> {
    let mut avoid = None;
    for _ in 0..TRIES {
        let request = build()?;
        let called = {
            let Some(_place) = route.sites.place().await else { break };
            route.sites.fetch(avoid, &request).await
        };
        if called.too_long {
            return Err(FetchError::TooLong { channel: route.channel.manifest().name });
        }
        avoid = called.failed;
        match called.call {
            Call::Answered(response) => return Ok((request, response)),
            Call::NotWritten | Call::Lost => {
                tokio::time::sleep(Duration::from_millis(executor.patience.first_ms)).await;
            }
        }
    }
    Err(FetchError::NoAnswer { channel: route.channel.manifest().name })
}

#[cfg(test)]
mod tests {
    use domain::attempt::{Attempt, AttemptStatus, Operation};
    use domain::envelope::Time;
    use domain::ids::{AttemptId, LegId};
    use domain::money::Currency;

    use super::*;

    const DAY: Date = Date(20_517);

    fn file_line(number: usize, kind: channels::LineKind) -> channels::Line {
        let (serial, reference) = (format!("{number:031}"), String::from("reference"));
        channels::Line { serial, kind, amount: 5_000, currency: Currency::Cny, clearing_date: DAY, reference }
    }

    #[test]
    fn a_file_is_taken_in_parts_of_which_one_is_the_last() {
        let shape = |count: usize| -> Vec<(u32, usize, bool)> {
            let lines: Vec<_> = (0..count).map(|number| file_line(number, channels::LineKind::Debit)).collect();
            let files = parts(&Rail::Epcc.into(), DAY, &lines);
            files.iter().map(|file| (file.part, file.lines.len(), file.last)).collect()
        };
        assert_eq!(shape(0), [(1, 0, true)]);
        assert_eq!(shape(1), [(1, 1, true)]);
        assert_eq!(shape(MAX_LINES), [(1, MAX_LINES, true)]);
        assert_eq!(shape(2 * MAX_LINES + 1), [(1, MAX_LINES, false), (2, MAX_LINES, false), (3, 1, true)]);
    }

    #[test]
    fn every_kind_of_line_has_its_kind_here() {
        let kinds = channels::LineKind::ALL.map(|kind| (ClearingLine::from(&file_line(1, kind)).kind, kind.inbound()));
        use domain::clearing::LineKind::{Debit, Pay, Refund, Return};
        assert_eq!(kinds, [(Debit, true), (Refund, false), (Pay, false), (Return, true), (Debit, true)]);
    }

    #[test]
    fn a_line_keeps_its_reference_unless_the_books_do_not_take_it() {
        let kept = |reference: String| {
            let line = channels::Line { reference, ..file_line(1, channels::LineKind::Debit) };
            ClearingLine::from(&line).reference
        };
        assert_eq!(kept("B1-7".into()).as_deref(), Some("B1-7"));
        assert_eq!((kept(String::new()), kept("7".repeat(65)), kept("7".repeat(64)).is_some()), (None, None, true));
    }

    #[test]
    fn a_listed_return_must_be_of_a_payout_or_an_advance_and_whole() {
        let mut state = State::default();
        let attempt = Attempt {
            id: AttemptId(1),
            rail: Rail::Epcc,
            operation: Operation::Debit { agreement: "a".into(), amount: 5_000, currency: Currency::Cny },
            purpose: Purpose::Payout(PayoutId(8)),
            epoch: 1,
            requested_at: Time(1_772_676_000_000),
            send_before: Time(1_772_676_030_000),
            status: AttemptStatus::Unknown,
            cleared: None,
            page_site: None,
            channel: None,
        };
        let serial = attempt.serial();
        state.attempts.put(1, attempt.clone());
        let code = |state: &State, serial: &str, amount| {
            sent_under(state, (&Rail::Epcc.into(), serial), (amount, Currency::Cny)).map_err(|refusal| refusal.code)
        };
        assert_eq!(code(&state, "nonsense", 5_000), Err(RefusalCode::PayoutUnknown));
        assert_eq!(code(&state, &serial.replace("2026", "2025"), 5_000), Err(RefusalCode::PayoutUnknown));
        assert_eq!(code(&state, &serial, 4_999), Err(RefusalCode::ValueInvalid));
        assert_eq!(code(&state, &serial, 5_000), Err(RefusalCode::PayoutUnknown), "pay_8 is not there");
        state.attempts.put(1, Attempt { purpose: Purpose::Advance(AdvanceId(3)), ..attempt.clone() });
        assert_eq!(code(&state, &serial, 4_999), Err(RefusalCode::ValueInvalid));
        assert_eq!(code(&state, &serial, 5_000), Err(RefusalCode::AdvanceUnknown), "adv_3 is not there");
        let other = sent_under(&state, (&Rail::OwnBank.into(), serial.as_str()), (5_000, Currency::Cny)).unwrap_err();
        assert_eq!(other.code, RefusalCode::PayoutUnknown, "no channel speaks for another's: {other}");
        state.attempts.put(1, Attempt { purpose: Purpose::Leg(LegId(1)), ..attempt });
        assert_eq!(code(&state, &serial, 5_000), Err(RefusalCode::PayoutUnknown));
    }
}
