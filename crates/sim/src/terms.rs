//! How a world's node is set up, and how often it is looked at: quick, and at every step, for the seeds; as the platform's
//! own settings have it for a day.

use node::executor::Patience;
use node::site::BreakerTerms;
use node::site::circuit::CircuitTerms;

/// Settings of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// When a call without an answer is given up, in milliseconds. What is written arrives within twice that or never: less
    /// than the settling delay on which "not found" rests.
    pub(crate) timeout_ms: i64,
    /// How long to wait between queries.
    pub(crate) patience: Patience,
    /// When a site is taken out, and how it comes back.
    pub(crate) breaker: BreakerTerms,
    /// What the two sites of a rail weigh.
    pub(crate) weights: [u32; 2],
    /// Calls a second that each can carry; 0: as many as come.
    pub(crate) capacity: u32,
    /// Calls that may be under way at a site at once.
    pub(crate) connections: u32,
    /// Whether what finds no connection goes through the other site at once, as in the server's shell.
    pub(crate) at_once: bool,
    /// The distance between looks at the clock, at least and at most, in milliseconds.
    pub(crate) tick_ms: (i64, i64),
    /// The distance between looks at whether a checkpoint is due.
    pub(crate) checkpoint_ms: (i64, i64),
    /// How many files of history become one.
    pub(crate) merged: usize,
    /// The laws that look at the whole state are asked once in so many steps.
    pub(crate) laws_every: u64,
    /// More steps than any run takes: one that goes on does not drain.
    pub(crate) steps_max: u64,
}

impl Terms {
    /// Of the seeds: their days last minutes.
    pub(crate) const SEEDS: Self = Self {
        timeout_ms: 3_000,
        patience: Patience { first_ms: 200, max_ms: 5_000 },
        breaker: BreakerTerms {
            probe_every_ms: 1_000,
            probe_failures: 3,
            probe_answers: 3,
            window_ms: 10_000,
            calls_min: 10,
            confirm_percent: 20,
            trip_percent: 50,
            hold_down_ms: 5_000,
            hold_down_max_ms: 20_000,
            ramp_step_ms: 5_000,
            peak: 0,
            circuit: CircuitTerms { percent: 90, open_ms: 2_000, trial_ms: 500, answers: 3 },
        },
        weights: [1, 1],
        capacity: 0,
        connections: 1_000,
        at_once: false,
        tick_ms: (100, 2_000),
        checkpoint_ms: (700, 6_000),
        // Few, so that short runs merge.
        merged: 3,
        laws_every: 1,
        steps_max: 60_000,
    };
}
