//! A clock that stands still until told otherwise.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use quell_domain::Clock;

/// Time under a test's control. Wall time and ticks move together, by [`ManualClock::advance`].
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    ticks: Duration,
}

impl ManualClock {
    /// A clock that stands at `now`, with ticks at zero.
    pub fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { now, ticks: Duration::ZERO }) }
    }

    /// Moves wall time and ticks forward.
    ///
    /// # Panics
    /// If that leads past the year 9999.
    #[expect(clippy::expect_used, reason = "tests stay within the years a timestamp can hold")]
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock();
        let signed = SignedDuration::try_from(by).expect("the step fits a signed duration");
        state.now = state.now.checked_add(signed).expect("the time fits a timestamp");
        state.ticks += by;
    }

    /// Sets wall time without touching ticks, as a correction of the machine's clock does.
    pub fn jump_to(&self, now: Timestamp) {
        self.state.lock().now = now;
    }
}

impl Default for ManualClock {
    /// Stands at 2026-01-05T09:00:00Z, a Monday.
    fn default() -> Self {
        Self::at(Timestamp::constant(1_767_603_600, 0))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.state.lock().now
    }

    fn ticks(&self) -> Duration {
        self.state.lock().ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_when_told() {
        let clock = ManualClock::default();
        assert_eq!(clock.now().to_string(), "2026-01-05T09:00:00Z");
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().to_string(), "2026-01-05T09:00:01.5Z");
        assert_eq!(clock.ticks(), Duration::from_millis(1_500));
        clock.jump_to(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        assert_eq!(clock.ticks(), Duration::from_millis(1_500));
    }
}
