//! The circuit breaker in front of an upstream: closed, open, half-open with a single trial.
//!
//! It knows nothing about HTTP: the caller says what was a success and what a failure, and
//! passes the time in.

use std::time::Duration;

use parking_lot::Mutex;

/// Failures in a row that open a breaker, unless the upstream says otherwise.
pub const DEFAULT_FAILURES: u32 = 5;
/// How long it stays open before one trial, unless the upstream says otherwise.
pub const DEFAULT_RECOVERY: Duration = Duration::from_mins(5);

/// A circuit breaker. Ticks are [`quell_domain::Clock::ticks`].
#[derive(Debug)]
pub struct Breaker {
    failures_max: u32,
    recovery: Duration,
    gate: Mutex<Gate>,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// Requests are refused until the recovery time is over.
    Open,
    /// One trial request is out, or the next request is the trial; others are refused.
    HalfOpen,
}

/// The answer to "may I send?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Send.
    Pass,
    /// Send: this request is the trial that closes or reopens the breaker.
    Trial,
    /// Do not send.
    Refused {
        /// When asking again makes sense.
        retry_after: Duration,
    },
}

#[derive(Debug, Clone, Copy)]
enum Gate {
    Closed { failures: u32 },
    Open { since: Duration },
    Trial { since: Duration },
}

// === impl Breaker ===

impl Breaker {
    /// A closed breaker that opens after `failures_max` failures in a row, for `recovery`.
    pub const fn new(failures_max: u32, recovery: Duration) -> Self {
        let failures_max = if failures_max == 0 { 1 } else { failures_max };
        Self { failures_max, recovery, gate: Mutex::new(Gate::Closed { failures: 0 }) }
    }

    /// Whether a request may be sent at `now`. Each `Pass` or `Trial` is answered by one
    /// [`Breaker::success`] or [`Breaker::failure`]; a trial nobody answers for is given up
    /// after another recovery time.
    pub fn permit(&self, now: Duration) -> Permit {
        let mut gate = self.gate.lock();
        match *gate {
            Gate::Closed { .. } => Permit::Pass,
            Gate::Open { since } | Gate::Trial { since } => {
                let passed = now.saturating_sub(since);
                if passed < self.recovery {
                    return Permit::Refused { retry_after: self.recovery.saturating_sub(passed) };
                }
                *gate = Gate::Trial { since: now };
                Permit::Trial
            }
        }
    }

    /// A request went through.
    pub fn success(&self, _now: Duration) {
        let mut gate = self.gate.lock();
        match *gate {
            Gate::Closed { .. } | Gate::Trial { .. } => *gate = Gate::Closed { failures: 0 },
            // An answer to a request sent before the breaker opened proves nothing about now.
            Gate::Open { .. } => {}
        }
    }

    /// A request failed.
    pub fn failure(&self, now: Duration) {
        let mut gate = self.gate.lock();
        match *gate {
            Gate::Closed { failures } if failures.saturating_add(1) < self.failures_max => {
                *gate = Gate::Closed { failures: failures + 1 };
            }
            Gate::Closed { .. } | Gate::Trial { .. } => *gate = Gate::Open { since: now },
            Gate::Open { .. } => {}
        }
    }

    /// The trial was never sent (its client left first): the next request is the trial.
    pub fn abandon(&self, now: Duration) {
        let mut gate = self.gate.lock();
        if matches!(*gate, Gate::Trial { .. }) {
            *gate = Gate::Open { since: now.saturating_sub(self.recovery) };
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Duration) -> BreakerState {
        match *self.gate.lock() {
            Gate::Closed { .. } => BreakerState::Closed,
            Gate::Open { since } if now.saturating_sub(since) < self.recovery => BreakerState::Open,
            Gate::Open { .. } | Gate::Trial { .. } => BreakerState::HalfOpen,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(DEFAULT_FAILURES, DEFAULT_RECOVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn five_failures_in_a_row_open_it_for_five_minutes() {
        let breaker = Breaker::default();
        for second in 0..4 {
            breaker.failure(at(second));
        }
        breaker.success(at(4));
        for second in 5..9 {
            breaker.failure(at(second));
            assert_eq!(breaker.permit(at(second)), Permit::Pass);
        }
        breaker.failure(at(10));
        assert_eq!(breaker.state(at(10)), BreakerState::Open);
        assert_eq!(breaker.permit(at(11)), Permit::Refused { retry_after: at(299) });
        assert_eq!(breaker.state(at(310)), BreakerState::HalfOpen);
    }

    #[test]
    fn one_trial_decides() {
        let breaker = Breaker::new(1, at(10));
        breaker.failure(at(0));
        assert_eq!(breaker.permit(at(10)), Permit::Trial);
        assert_eq!(breaker.permit(at(10)), Permit::Refused { retry_after: at(10) });
        breaker.failure(at(11));
        assert_eq!(breaker.state(at(12)), BreakerState::Open);
        assert_eq!(breaker.permit(at(21)), Permit::Trial);
        breaker.success(at(22));
        assert_eq!(breaker.state(at(22)), BreakerState::Closed);
    }

    #[test]
    fn a_late_success_does_not_close_an_open_breaker() {
        let breaker = Breaker::new(1, at(10));
        breaker.failure(at(0));
        breaker.success(at(1));
        assert_eq!(breaker.state(at(1)), BreakerState::Open);
    }

    #[test]
    fn an_abandoned_trial_frees_the_next_request() {
        let breaker = Breaker::new(1, at(10));
        breaker.failure(at(0));
        assert_eq!(breaker.permit(at(10)), Permit::Trial);
        breaker.abandon(at(11));
        assert_eq!(breaker.permit(at(11)), Permit::Trial);
    }

    proptest! {
        #[test]
        fn there_is_never_more_than_one_trial_at_a_time(
            steps in proptest::collection::vec((0_u8..3, 0_u64..8), 1..200)
        ) {
            let breaker = Breaker::new(2, at(10));
            let mut now = 0;
            let mut trial_since: Option<u64> = None;
            for (what, pause) in steps {
                now += pause;
                match what {
                    0 => {
                        if breaker.permit(at(now)) == Permit::Trial {
                            prop_assert!(trial_since.is_none_or(|since| now - since >= 10));
                            trial_since = Some(now);
                        }
                    }
                    1 => { breaker.success(at(now)); trial_since = None; }
                    _ => { breaker.failure(at(now)); trial_since = None; }
                }
            }
        }
    }
}
