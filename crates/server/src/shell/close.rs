//! Closing a day from outside the writer: seal, look, compare with history, write the end of the day, say what was found.

use domain::business_day::{CheckResult, DayStatus};
use domain::calendar::Date;
use domain::{Command, Refusal};
use engine::{Meta, Request};
use node::projector::ProjectorError;

use super::books::Books;
use super::{Platform, Unavailable};

/// Why a day could not be closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloseError {
    /// The business said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Tables or files.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Where the day stands.
    pub(crate) status: DayStatus,
    /// Every check.
    pub(crate) checks: Vec<CheckResult>,
}

/// Closes a cut day: closed if every check holds.
pub(crate) async fn close(platform: &Platform, books: &Books, meta: &Meta, date: Date) -> Result<Closed, CloseError> {
    let request = |command| Request { command, meta: meta.clone() };
    let (sealed, _) = platform.read(move |state| state.days.get(date).is_some_and(|day| day.sealed.is_some())).await?;
    if !sealed {
        platform.submit(request(Command::SealDay(date))).await?.result?;
    }
    let (snapshot, position) = platform.read(move |state| node::close::snapshot(state, date)).await?;
    let snapshot = snapshot?;
    if !books.projector.projected(position).await {
        return Err(Unavailable::Stopped.into());
    }
    let (sealed, mut checks) = (snapshot.sealed, snapshot.checks.clone());
    checks.push(books.projector.close(snapshot).await.ok_or(Unavailable::Stopped)??);
    platform.submit(request(Command::CloseDay { date, position: sealed, checks: checks.clone() })).await?.result?;
    // The day's own row says which of them are waived.
    let look = move |state: &domain::State| state.days.get(date).map(|day| (day.status, day.checks.clone()));
    let (status, checks) = platform.read(look).await?.0.unwrap_or((DayStatus::Cutting, checks));
    Ok(Closed { status, checks })
}
