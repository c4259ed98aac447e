//! What happened, counted: `GET /sandbox/stats`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;
use serde::Serialize;

use super::names::Verb;
use super::plan::Fault;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        pub(crate) struct VerbCounters { $(pub(crate) $name: AtomicU64,)* }

        /// Counts of one verb.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        pub struct VerbReport { $($(#[$doc])* pub $name: u64,)* }

        impl VerbCounters {
            fn report(&self) -> VerbReport {
                VerbReport { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Serial numbers that arrived, or were lost on the way, for the first time.
    received,
    /// Carried out.
    done,
    /// Refused for good.
    declined,
    /// A serial number that was posted before was posted again.
    sent_again,
    /// No answer, nothing done.
    lost_before,
    /// No answer, carried out.
    lost_after,
    /// Answered late.
    late,
    /// Answered "in progress".
    in_progress,
    /// Answered with garbage, nothing done.
    garbage_before,
    /// Answered with garbage, carried out.
    garbage_after,
    /// Told twice more.
    twice,
}

impl VerbCounters {
    pub(crate) fn fault(&self, fault: Fault) {
        let counter = match fault {
            Fault::None => return,
            Fault::LostBefore => &self.lost_before,
            Fault::LostAfter => &self.lost_after,
            Fault::Late => &self.late,
            Fault::InProgress => &self.in_progress,
            Fault::GarbageBefore => &self.garbage_before,
            Fault::GarbageAfter => &self.garbage_after,
            Fault::Twice => &self.twice,
        };
        count(counter);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    verbs: [VerbCounters; 7],
    pub(crate) queries: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) unsigned: AtomicU64,
    pub(crate) returned: AtomicU64,
}

/// Everything that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The clearing date now.
    pub clearing_date: String,
    /// By verb.
    pub verbs: BTreeMap<&'static str, VerbReport>,
    /// The sum of `sent_again` over all verbs: 0 says that nothing was sent twice.
    pub sent_again: u64,
    /// Queries answered.
    pub queries: u64,
    /// Requests refused for their form.
    pub malformed: u64,
    /// Requests refused for their signature.
    pub unsigned: u64,
    /// Payments that came back.
    pub returned: u64,
}

impl Stats {
    pub(crate) fn verb(&self, verb: Verb) -> &VerbCounters {
        let index = match verb {
            Verb::Debit => 0,
            Verb::Refund => 1,
            Verb::Pay => 2,
            Verb::Hold => 3,
            Verb::Capture => 4,
            Verb::Release => 5,
            Verb::Redirect => 6,
        };
        &self.verbs[index]
    }

    pub(crate) fn report(&self, clearing_date: Date) -> Report {
        let verbs: BTreeMap<_, _> = Verb::ALL.iter().map(|verb| (verb.name(), self.verb(*verb).report())).collect();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            clearing_date: clearing_date.to_string(),
            sent_again: verbs.values().map(|verb| verb.sent_again).sum(),
            verbs,
            queries: load(&self.queries),
            malformed: load(&self.malformed),
            unsigned: load(&self.unsigned),
            returned: load(&self.returned),
        }
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
