//! What awaits a line of the statement, and since when. A line that never comes is told by nothing but its age.
//!
//! A session's age is that of a file: of the first of its latest ones that bring just what it awaits. Those before it
//! had their line. Where a line or suspense had only a part of a file, it is that of the session's first file.

use alloc::vec::Vec;
use core::ops::Bound;

use super::{LineDirection, LineTarget, MAX_NAMED, Session};
use crate::attempt::Rail;
use crate::calendar::Date;
use crate::channel::ChannelName;
use crate::clearing::Clearing;
use crate::clearing::difference::DifferenceId;
use crate::envelope::Time;
use crate::money::{Currency, Minor};
use crate::state::State;

/// A line of the statement that has not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedLine {
    /// What awaits it.
    pub target: LineTarget,
    /// In or out.
    pub direction: LineDirection,
    /// Minor units above zero.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// Since when: when the session's file was taken, or the transfer instructed.
    pub since: Time,
    /// The first open differences of the session's files, whose settlement changes what it awaits.
    pub differences: Vec<DifferenceId>,
}

/// What awaits a line of the statement, the oldest first.
#[must_use]
pub fn awaited(state: &State) -> Vec<AwaitedLine> {
    let mut awaited: Vec<AwaitedLine> = state.awaited_lines.iter().map(|(key, ())| line(state, *key)).collect();
    awaited.sort_by_key(|line| (line.since, line.target));
    awaited
}

fn line(state: &State, (currency, brings, target): (Currency, Minor, LineTarget)) -> AwaitedLine {
    let (since, differences) = match target {
        LineTarget::Transfer(id) => (state.own_transfers.get(id.0).map(|transfer| transfer.instructed_at), Vec::new()),
        LineTarget::Clearing { rail, date } => {
            let parts = parts(state, Session { rail, date });
            let differences = parts.iter().flat_map(|part| open_of(state, part)).take(MAX_NAMED).collect();
            let files = parts.iter().map(|part| (part.taken_at, part.session_net()));
            (since(files.chain(card_parts(state, rail, date)).collect(), brings), differences)
        }
    };
    AwaitedLine {
        target,
        direction: if brings < 0 { LineDirection::Out } else { LineDirection::In },
        amount: brings.saturating_abs(),
        currency,
        // What awaits a line is there, and has an age.
        since: since.unwrap_or(state.now),
        differences,
    }
}

/// The parts of a session's files, of every channel of its rail.
fn parts(state: &State, Session { rail, date }: Session) -> Vec<&Clearing> {
    let (mut parts, mut channel) = (Vec::new(), Some(ChannelName::from(rail)));
    // From channel to channel: the files of other dates are passed over.
    while let Some(name) = channel {
        let of_date = (name.clone(), date, 0)..=(name.clone(), date, u32::MAX);
        parts.extend(state.clearing_files.range(of_date).filter_map(|(_, id)| state.clearings.get(id.0)));
        let behind = (Bound::Excluded((name, Date(i32::MAX), u32::MAX)), Bound::Unbounded);
        let next = state.clearing_files.range(behind).next().map(|((name, _, _), _)| name.clone());
        channel = next.filter(|name| name.rail == rail);
    }
    parts
}

/// When the parts of the card network's files of a session were taken, and what they bring.
fn card_parts(state: &State, rail: Rail, date: Date) -> impl Iterator<Item = (Time, Minor)> {
    let ids = state.card_files.range((date, 0)..=(date, u32::MAX)).map(|(_, id)| *id);
    let parts =
        ids.filter_map(move |id| state.card_clearings.get(id.0)).filter(move |part| part.session().rail == rail);
    parts.map(|part| (part.taken_at, part.net()))
}

fn open_of(state: &State, part: &Clearing) -> impl Iterator<Item = DifferenceId> {
    let of = |number| DifferenceId { clearing: part.id, number };
    state.open_differences.range(of(0)..=of(u32::MAX)).map(|(id, ())| *id)
}

/// Since when a session awaits an amount, by when its files were taken and what each brings.
fn since(mut files: Vec<(Time, Minor)>, awaited: Minor) -> Option<Time> {
    files.sort_by_key(|(taken_at, _)| *taken_at);
    let mut left = files.iter().fold(0, |sum: Minor, (_, brings)| sum.saturating_add(*brings));
    for (taken_at, brings) in &files {
        if left == awaited {
            return Some(*taken_at);
        }
        left = left.saturating_sub(*brings);
    }
    files.first().map(|(taken_at, _)| *taken_at)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_session_is_as_old_as_the_first_file_of_which_no_line_came() {
        let files = || vec![(Time(3), 700), (Time(1), 5_000), (Time(2), -300)];
        assert_eq!(since(files(), 5_400), Some(Time(1)), "no line came");
        assert_eq!(since(files(), 400), Some(Time(2)), "the line of the first came");
        assert_eq!(since(files(), 700), Some(Time(3)), "the line of the first two came");
        assert_eq!(since(files(), 1_000), Some(Time(1)), "no files bring just this");
        assert_eq!(since(Vec::new(), 1), None);
    }
}
