//! The life of one version of a key. Pure: no clock, no file.
//!
//! ```text
//!  pre-active ──activate──► active ◄──suspend / resume──► suspended
//!      │                      │                               │
//!      │                      └───────── deactivate ──────────┴──► deactivated
//!      │                                                                │
//!      ├──── compromise, from each state but destroyed ──► compromised ─┤
//!      └──────────── schedule ──(waiting time; cancel)──► destroy ◄─────┘ ──► destroyed
//! ```
//!
//! Invariants: nothing leaves `destroyed`; what is compromised stays it until destroyed; an active or suspended version
//! is deactivated first; while destruction waits, the state allows what it allowed.

use std::fmt;

/// State of a version (NIST SP 800-57 part 1, section 7; GB/T 17901.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Made, not used yet.
    PreActive,
    /// In use.
    Active,
    /// In doubt: verifies only.
    Suspended,
    /// No longer protects; still opens and verifies what it protected.
    Deactivated,
    /// Known to others: opens and verifies only for who says that they know that.
    Compromised,
    /// Gone; its row is the tombstone.
    Destroyed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::PreActive, Self::Active, Self::Suspended, Self::Deactivated, Self::Compromised, Self::Destroyed];

    /// Its name, for ever.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a version in this state may do this.
    #[must_use]
    pub const fn allows(self, act: Use, compromised_too: bool) -> bool {
        match (self, act) {
            (Self::Active, Use::Protect | Use::Open | Use::Verify)
            | (Self::Suspended, Use::Verify)
            | (Self::Deactivated, Use::Open | Use::Verify) => true,
            (Self::Compromised, Use::Open | Use::Verify) => compromised_too,
            (Self::PreActive | Self::Destroyed, Use::Protect | Use::Open | Use::Verify)
            | (Self::Suspended, Use::Protect | Use::Open)
            | (Self::Deactivated | Self::Compromised, Use::Protect) => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What an operation does, as far as states care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Encrypt, sign, authenticate, wrap.
    Protect,
    /// Decrypt, unwrap.
    Open,
    /// Verify a signature or tag.
    Verify,
}

/// A step of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Pre-active → active.
    Activate,
    /// Active → suspended.
    Suspend,
    /// Suspended → active.
    Resume,
    /// Active or suspended → deactivated.
    Deactivate,
    /// Any but destroyed → compromised.
    Compromise,
    /// Destruction after the waiting time.
    Schedule,
    /// No destruction after all.
    Cancel,
    /// The waiting time is over.
    Destroy,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::Activate,
        Self::Suspend,
        Self::Resume,
        Self::Deactivate,
        Self::Compromise,
        Self::Schedule,
        Self::Cancel,
        Self::Destroy,
    ];

    /// Its name, for interfaces and the audit trail.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Deactivate => "deactivate",
            Self::Compromise => "compromise",
            Self::Schedule => "schedule-destruction",
            Self::Cancel => "cancel-destruction",
            Self::Destroy => "destroy",
        }
    }

    /// The step of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// State, and when destruction is due if it waits (milliseconds since 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The state.
    pub state: State,
    /// When it is destroyed, if that is scheduled.
    pub destroy_at: Option<i64>,
}

impl Life {
    /// The life after a step, or `None` where it cannot be taken. `now` and `wait` in milliseconds.
    #[must_use]
    pub fn after(self, step: Step, now: i64, wait: i64) -> Option<Self> {
        use State::{Active, Compromised, Deactivated, Destroyed, PreActive, Suspended};

        let to = |state| Some(Self { state, destroy_at: None });
        match (step, self.state) {
            (Step::Activate, PreActive) if self.destroy_at.is_none() => to(Active),
            (Step::Suspend, Active) => to(Suspended),
            (Step::Resume, Suspended) => to(Active),
            (Step::Deactivate, Active | Suspended) => to(Deactivated),
            (Step::Compromise, PreActive | Active | Suspended | Deactivated) => {
                Some(Self { state: Compromised, destroy_at: self.destroy_at })
            }
            (Step::Schedule, PreActive | Deactivated | Compromised) if self.destroy_at.is_none() => {
                Some(Self { state: self.state, destroy_at: Some(now.saturating_add(wait)) })
            }
            (Step::Cancel, PreActive | Deactivated | Compromised) if self.destroy_at.is_some() => to(self.state),
            (Step::Destroy, PreActive | Deactivated | Compromised) if self.destroy_at.is_some_and(|at| at <= now) => {
                to(Destroyed)
            }
            (
                Step::Activate
                | Step::Suspend
                | Step::Resume
                | Step::Deactivate
                | Step::Compromise
                | Step::Schedule
                | Step::Cancel
                | Step::Destroy,
                PreActive | Active | Suspended | Deactivated | Compromised | Destroyed,
            ) => None,
        }
    }
}

/// When the active version gives way to a new one; `None` never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Age in milliseconds.
    pub age: Option<i64>,
    /// Number of uses.
    pub uses: Option<u64>,
}

impl Rotation {
    /// Whether a version made at `created` and used so often is due.
    #[must_use]
    pub fn due(self, created: i64, uses: u64, now: i64) -> bool {
        self.age.is_some_and(|age| now.saturating_sub(created) >= age) || self.uses.is_some_and(|limit| uses >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::{Life, Rotation, State, Step, Use};

    /// Rows: state; columns: activate, suspend, resume, deactivate, compromise, schedule, and the uses protect, open,
    /// verify (`?`: only for who takes compromised ones too).
    const TABLE: [(&str, [&str; 6], &str); 6] = [
        ("pre-active", ["active", "", "", "", "compromised", "pre-active"], "---"),
        ("active", ["", "suspended", "", "deactivated", "compromised", ""], "yyy"),
        ("suspended", ["", "", "active", "deactivated", "compromised", ""], "--y"),
        ("deactivated", ["", "", "", "", "compromised", "deactivated"], "-yy"),
        ("compromised", ["", "", "", "", "", "compromised"], "-??"),
        ("destroyed", ["", "", "", "", "", ""], "---"),
    ];

    #[test]
    fn every_step_from_every_state() {
        for (name, after, uses) in TABLE {
            let state = State::of(name).expect("a state");
            let life = Life { state, destroy_at: None };
            for (step, expected) in Step::ALL.into_iter().zip(after) {
                let found = life.after(step, 100, 10).map_or("", |life| life.state.name());
                assert_eq!(found, expected, "{name} {}", step.name());
            }
            for (act, letter) in [Use::Protect, Use::Open, Use::Verify].into_iter().zip(uses.chars()) {
                assert_eq!(state.allows(act, false), letter == 'y', "{name} {act:?}");
                assert_eq!(state.allows(act, true), letter != '-', "{name} {act:?}");
            }
        }
    }

    #[test]
    fn destruction_waits_and_can_be_cancelled() {
        for state in [State::PreActive, State::Deactivated, State::Compromised] {
            let life = Life { state, destroy_at: None };
            assert_eq!(life.after(Step::Destroy, 1_000, 0), None);
            let waiting = life.after(Step::Schedule, 100, 10).expect("scheduled");
            assert_eq!(waiting.destroy_at, Some(110));
            assert_eq!(waiting.after(Step::Destroy, 109, 10), None);
            assert_eq!(waiting.after(Step::Cancel, 105, 10), Some(life));
            let gone = waiting.after(Step::Destroy, 110, 10).expect("destroyed");
            assert_eq!(gone, Life { state: State::Destroyed, destroy_at: None });
            assert!(Step::ALL.into_iter().all(|step| gone.after(step, 200, 0).is_none()));
        }
    }

    #[test]
    fn rotation_is_due_by_age_or_use() {
        let rotation = Rotation { age: Some(100), uses: Some(5) };
        for (now, uses, due) in [(1_099, 4, false), (1_100, 0, true), (1_000, 5, true), (0, 0, false)] {
            assert_eq!(rotation.due(1_000, uses, now), due, "{now} {uses}");
        }
        assert!(!Rotation::default().due(0, u64::MAX, i64::MAX));
    }
}
