//! Attempts at channels as rows.

use domain::attempt::{Attempt, AttemptStatus, Outcome, Purpose, Rail};
use domain::ids::AttemptId;
use domain::recall::{Kind, Leaves};

use crate::db::Value;
use crate::list::{Filter, Term};
use crate::table::Stored;

impl Stored for Attempt {
    type Id = AttemptId;
    const TABLE: &'static str = "attempts";
    const COLUMNS: &'static [&'static str] = &["rail", "purpose", "status", "requested_at", "closed"];
    const KIND: Option<Kind> = Some(Kind::Attempt);

    fn id(&self) -> AttemptId {
        self.id
    }

    fn columns(&self) -> Vec<Value> {
        let Self { rail, purpose, status, requested_at, .. } = self;
        let stands = AttemptStands::from(status);
        let (purpose, closed) = (purpose_text(*purpose).into(), i64::from(self.is_closed()).into());
        vec![rail.name().into(), purpose, stands.name().into(), requested_at.0.into(), closed]
    }
}

fn purpose_text(purpose: Purpose) -> String {
    match purpose {
        Purpose::Leg(id) => id.to_string(),
        Purpose::Refund(id) => id.to_string(),
        Purpose::Payout(id) => id.to_string(),
        Purpose::TopUp(id) => id.to_string(),
        Purpose::Advance(id) => id.to_string(),
    }
}

/// Where an attempt stands, without what a channel said in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStands {
    /// To be sent, or being sent.
    Requested,
    /// Not to be sent while its channel's outflow is stopped.
    Waiting,
    /// To be queried.
    Unknown,
    /// Done.
    Succeeded,
    /// Refused for good.
    Declined,
    /// Never seen by the channel.
    NotFound,
}

impl AttemptStands {
    /// The name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::NotFound => "not_found",
        }
    }
}

impl From<&AttemptStatus> for AttemptStands {
    fn from(status: &AttemptStatus) -> Self {
        match status {
            AttemptStatus::Requested => Self::Requested,
            AttemptStatus::Waiting => Self::Waiting,
            AttemptStatus::Unknown | AttemptStatus::Settled(Outcome::Unknown) => Self::Unknown,
            AttemptStatus::Settled(Outcome::Success { .. }) => Self::Succeeded,
            AttemptStatus::Settled(Outcome::Declined { .. }) => Self::Declined,
            AttemptStatus::Settled(Outcome::NotFound) => Self::NotFound,
        }
    }
}

/// What lists of attempts may be narrowed by.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttemptFilter {
    /// By this way.
    pub rail: Option<Rail>,
    /// For this leg, refund, payout or top-up.
    pub purpose: Option<Purpose>,
    /// Standing so.
    pub status: Option<AttemptStands>,
}

impl Filter for AttemptFilter {
    type Of = Attempt;

    fn terms(&self) -> Vec<Option<Term>> {
        vec![
            self.rail.map(|rail| Term::equal("rail", rail.name())),
            self.purpose.map(|purpose| Term::equal("purpose", purpose_text(purpose))),
            self.status.map(|status| Term::equal("status", status.name())),
        ]
    }
}
