//! The breaker of a whole channel (熔断): while nothing gets through, nothing new is sent.
//!
//! ```text
//!  CLOSED ─ the error ratio over all sites ─► OPEN: sends wait, queries go on
//!    ▲                                         │ open_ms
//!    └─ so many answers in a row ─ HALF-OPEN ◄─┘   one send each trial_ms; a call fails ─► OPEN
//! ```
//! What waits was not written, so it may be given up for certain once it is too late; what is sent into a channel that is
//! down would be unknown, and the order with it.

use super::traffic::{Sums, Window};

/// When the breaker of a channel opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitTerms {
    /// The share of failures over all sites at which it opens, in percent.
    pub percent: u32,
    /// How long it stays open, in milliseconds.
    pub open_ms: u64,
    /// The distance between sends while it is half open, in milliseconds.
    pub trial_ms: u64,
    /// So many answers in a row close it.
    pub answers: u32,
}

/// Where a channel's breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Everything goes.
    Closed,
    /// Sends wait.
    Open,
    /// A send now and then.
    HalfOpen,
}

impl CircuitState {
    /// The name in API and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open { until_ms: u64 },
    HalfOpen { next_ms: u64, answers: u32 },
}

/// A channel's breaker.
#[derive(Debug, Clone)]
pub(super) struct Circuit {
    terms: CircuitTerms,
    calls_min: u32,
    window: Window,
    phase: Phase,
}

impl Circuit {
    pub(super) fn new(terms: CircuitTerms, calls_min: u32, window_ms: u64) -> Self {
        Self { terms, calls_min, window: Window::new(window_ms), phase: Phase::Closed }
    }

    pub(super) fn state(&self) -> CircuitState {
        match self.phase {
            Phase::Closed => CircuitState::Closed,
            Phase::Open { .. } => CircuitState::Open,
            Phase::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// How calls over the channel ended of late.
    pub(super) fn sums(&mut self, now_ms: u64) -> Sums {
        self.window.sums(now_ms)
    }

    /// Lets a send go, or says in how many milliseconds to ask again.
    pub(super) fn admit(&mut self, now_ms: u64) -> Result<(), u64> {
        self.pass(now_ms);
        match &mut self.phase {
            Phase::Closed => Ok(()),
            Phase::Open { until_ms } => Err(until_ms.saturating_sub(now_ms).max(1)),
            Phase::HalfOpen { next_ms, .. } if now_ms >= *next_ms => {
                *next_ms = now_ms.saturating_add(self.terms.trial_ms);
                Ok(())
            }
            Phase::HalfOpen { next_ms, .. } => Err(next_ms.saturating_sub(now_ms).max(1)),
        }
    }

    /// A call over the channel ended.
    pub(super) fn ended(&mut self, now_ms: u64, failed: bool) {
        self.pass(now_ms);
        self.window.add(now_ms, failed);
        match &mut self.phase {
            Phase::Closed if failed && self.window.sums(now_ms).fail(self.calls_min, self.terms.percent) => {
                self.open(now_ms);
            }
            Phase::HalfOpen { .. } if failed => self.open(now_ms),
            Phase::HalfOpen { answers, .. } => {
                *answers = answers.saturating_add(1);
                if *answers >= self.terms.answers {
                    self.window.clear();
                    self.phase = Phase::Closed;
                }
            }
            Phase::Closed | Phase::Open { .. } => {}
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now_ms: u64) {
        if let Phase::Open { until_ms } = self.phase
            && now_ms >= until_ms
        {
            self.phase = Phase::HalfOpen { next_ms: now_ms, answers: 0 };
        }
    }

    fn open(&mut self, now_ms: u64) {
        self.phase = Phase::Open { until_ms: now_ms.saturating_add(self.terms.open_ms) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: CircuitTerms = CircuitTerms { percent: 90, open_ms: 5_000, trial_ms: 1_000, answers: 2 };

    fn opened() -> Circuit {
        let mut circuit = Circuit::new(TERMS, 10, 30_000);
        (0..10).for_each(|call| circuit.ended(call, true));
        assert_eq!(circuit.state(), CircuitState::Open);
        circuit
    }

    #[test]
    fn it_opens_by_the_ratio_and_not_by_single_failures() {
        let mut circuit = Circuit::new(TERMS, 10, 30_000);
        for call in 0..100 {
            circuit.ended(call, call % 5 != 0);
            assert_eq!(circuit.admit(call), Ok(()), "80 % are not enough");
        }
        assert_eq!(opened().admit(10), Err(4_999));
    }

    #[test]
    fn half_open_it_lets_a_send_go_now_and_then_and_answers_close_it() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(5_009), Ok(()));
        assert_eq!((circuit.state(), circuit.admit(5_010)), (CircuitState::HalfOpen, Err(999)));
        assert_eq!(circuit.admit(6_009), Ok(()));
        circuit.ended(6_100, false);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        circuit.ended(6_200, false);
        assert_eq!((circuit.state(), circuit.admit(6_201)), (CircuitState::Closed, Ok(())));
        circuit.ended(6_300, true);
        assert_eq!(circuit.state(), CircuitState::Closed, "old failures are forgotten");
    }

    #[test]
    fn a_failure_while_half_open_opens_it_again() {
        let mut circuit = opened();
        assert_eq!(circuit.admit(5_009), Ok(()));
        circuit.ended(5_500, false);
        circuit.ended(5_600, true);
        assert_eq!(circuit.admit(5_601), Err(4_999));
    }
}
