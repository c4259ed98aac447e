//! What channels tell of themselves (回调): believed by the channel's signature, compared with what was asked, then a command.
//!
//! ```text
//!  bytes ─ Channel::notify ─ not signed, not understood ─► refused
//!            │ of an attempt of this channel, of its kind, amount and currency; else ─► refused, nothing is booked
//!            │ (a success may be of a part, where the channel may do one)
//!            ├─ success │ declined ─► AnswerAttempt ─ settled the same way before ─► taken: told twice
//!            │                                      └ settled another way ─► taken, alarmed: nothing is booked
//!            ├─ pending ─► taken: the executor asks
//!            └─ came back ─► ReturnPayout │ AdvanceCommand::Return
//! ```
//! It may come before the answer that it repeats, and the executor may ask meanwhile: whoever is first settles the attempt.

use channels::{Answer, ChannelError, Headers, Manifest, Notification, Notified, OperationKind};
use domain::attempt::{Attempt, AttemptStatus, Outcome, attempt_of_serial};
use domain::channel::ChannelName;
use domain::ids::AttemptId;
use domain::money::{Currency, Minor};
use domain::{Actor, Command, Origin, RefusalCode, State};
use engine::{Meta, Request};

use super::clearing::{self, FetchError, Returned};
use super::executor::Executor;
use super::{Unavailable, recall};

/// Why a notification is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    /// No channel of this name.
    #[error("no channel is configured for {0}; add one to [[channels]]")]
    NoChannel(ChannelName),
    /// It is not signed by the channel, or not understood.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// It is not about what was asked.
    #[error("{0}")]
    Mismatch(String),
    /// Later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl NotTaken {
    /// The name in metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::NoChannel(_) => "no_channel",
            Self::Channel(error) if error.of_keys().is_some() => "unavailable",
            Self::Channel(ChannelError::Signature { .. }) => "unsigned",
            Self::Channel(_) | Self::Mismatch(_) => "foreign",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// What came of one that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It settled its attempt, or booked its return.
    Settled,
    /// That was known.
    Repeated,
    /// It settles nothing: the operation is in progress.
    Pending,
    /// It says another thing than what was settled: a person must look.
    Contradicts,
}

impl Taken {
    /// The name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Repeated => "repeated",
            Self::Pending => "pending",
            Self::Contradicts => "contradicts",
        }
    }
}

/// Takes a notification of a channel.
///
/// # Errors
/// [`NotTaken`]; nothing was booked then.
pub(crate) async fn take(
    executor: &Executor,
    name: &ChannelName,
    headers: &Headers,
    raw: &[u8],
) -> Result<Taken, NotTaken> {
    let route = executor.routes.get(name).ok_or_else(|| NotTaken::NoChannel(name.clone()))?;
    let Notification { serial, event, .. } = route.channel.notify(headers, raw)?.into_inner();
    match event {
        Notified::Answered { answer, kind, amount, currency } => {
            let done = matches!(answer, Answer::Success { .. });
            let (asked, told, channel) =
                (serial, Told { by: name.clone(), kind, amount, currency, done }, route.channel.clone());
            let look = move |state: &State| find(state, &asked, &told, channel.manifest());
            let (found, _) = recall::see(&executor.platform, &executor.store, look).await?;
            let (id, status, taken) = found.map_err(NotTaken::Mismatch)?;
            let mut outcome = answer.outcome();
            if let Outcome::Success { part, .. } = &mut outcome {
                *part = taken;
            }
            match (&status, &outcome) {
                (_, Outcome::Unknown | Outcome::NotFound) => Ok(Taken::Pending),
                (AttemptStatus::Settled(before), _) if *before == outcome => Ok(Taken::Repeated),
                (
                    AttemptStatus::Requested
                    | AttemptStatus::Unknown
                    | AttemptStatus::Waiting
                    | AttemptStatus::Settled(_),
                    _,
                ) => settle(executor, id, outcome).await,
            }
        }
        Notified::Returned(back) => {
            let mut returned = Returned::default();
            let booked = clearing::book(executor, &meta(), name, back, &mut returned).await;
            match (booked, returned) {
                (Ok(()), Returned { refused, .. }) if !refused.is_empty() => {
                    Err(NotTaken::Mismatch(refused.into_iter().map(|(_, refusal)| refusal.to_string()).collect()))
                }
                (Ok(()), Returned { booked: 1, .. }) => Ok(Taken::Settled),
                (Ok(()), _) => Ok(Taken::Repeated),
                (Err(FetchError::Unavailable(unavailable)), _) => Err(unavailable.into()),
                (Err(error), _) => Err(NotTaken::Mismatch(error.to_string())),
            }
        }
    }
}

fn meta() -> Meta {
    Meta::unkeyed(Actor::Channel("notification".into()), Origin::Channel)
}

/// What a notification says of its operation.
#[derive(Debug, Clone)]
struct Told {
    by: ChannelName,
    kind: OperationKind,
    amount: Minor,
    currency: Currency,
    /// Whether it says that it was done.
    done: bool,
}

/// The attempt that it is about, if it is about one that was asked; and what of it was done, where that is a part and the channel may
/// do one.
fn find(
    state: &State,
    serial: &str,
    told: &Told,
    manifest: &Manifest,
) -> Result<(AttemptId, AttemptStatus, Option<Minor>), String> {
    let attempt = attempt_of_serial(serial).and_then(|id| state.attempts.get(id.0));
    let attempt = attempt.filter(|attempt| attempt.serial() == serial && attempt.channel_name() == told.by);
    let attempt = attempt.ok_or_else(|| format!("nothing was asked under serial {serial:.40} on {}", told.by))?;
    let Attempt { id, operation, status, .. } = attempt;
    let (kind, (amount, currency)) = (OperationKind::of(operation), operation.money());
    let known = match status {
        AttemptStatus::Settled(outcome) => outcome.part(),
        AttemptStatus::Requested | AttemptStatus::Unknown | AttemptStatus::Waiting => None,
    };
    let takes = |done: &Minor| told.done && known.is_none() && manifest.takes_part(kind, amount, *done);
    let part = if told.amount == amount { known } else { Some(told.amount).filter(takes) };
    if (kind, currency) != (told.kind, told.currency) || (amount != told.amount && part.is_none()) {
        return Err(format!(
            "it tells of a {} of {} {}; {id} is a {} of {amount} {}",
            told.kind.name(),
            told.amount,
            told.currency.code(),
            kind.name(),
            currency.code()
        ));
    }
    Ok((*id, status.clone(), part))
}

async fn settle(executor: &Executor, attempt: AttemptId, outcome: Outcome) -> Result<Taken, NotTaken> {
    let command = Command::AnswerAttempt { attempt, outcome: outcome.clone() };
    let seen = executor.platform.submit(Request { command, meta: meta() }).await?;
    match seen.result {
        Ok(_) => Ok(Taken::Settled),
        Err(refusal) if refusal.code == RefusalCode::AttemptState => {
            let look = move |state: &State| state.attempt(attempt).cloned();
            let (now, _) = recall::see(&executor.platform, &executor.store, look).await?;
            let same = now.is_ok_and(|now| now.status == AttemptStatus::Settled(outcome));
            Ok(if same { Taken::Repeated } else { Taken::Contradicts })
        }
        Err(refusal) => Err(NotTaken::Mismatch(refusal.to_string())),
    }
}
