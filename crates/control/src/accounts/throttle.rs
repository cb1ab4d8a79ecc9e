//! Slows down guessing: per account name, after a few failures, every further attempt waits.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::refused::Refused;

/// Failures that cost nothing.
const FREE: u32 = 5;
/// Wait after the first failure that costs; doubles up to [`WAIT_MAX`].
const WAIT: Duration = Duration::from_secs(2);
///
/// Short, because whoever knows a name can make its owner wait this long.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Names remembered. Past it the oldest are forgotten.
const NAMES_MAX: usize = 10_000;

/// Failed sign-ins by account name.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, (u32, Duration)>>,
}

impl Throttle {
    /// Refuses an attempt that comes too early.
    pub(super) fn check(&self, name: &str, now: Duration) -> Result<(), Refused> {
        let failures = self.failures.lock();
        let Some((count, last)) = failures.get(name) else { return Ok(()) };
        let left = (*last + wait(*count)).saturating_sub(now);
        if left.is_zero() {
            return Ok(());
        }
        Err(Refused::TooMany { seconds: left.as_secs().max(1) })
    }

    /// Notes a failure.
    pub(super) fn failed(&self, name: &str, now: Duration) {
        let mut failures = self.failures.lock();
        if failures.len() >= NAMES_MAX && !failures.contains_key(name) {
            let oldest = failures.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                failures.remove(&oldest);
            }
        }
        let entry = failures.entry(name.to_owned()).or_insert((0, now));
        *entry = (entry.0.saturating_add(1), now);
    }

    /// Forgets failures after a success.
    pub(super) fn succeeded(&self, name: &str) {
        self.failures.lock().remove(name);
    }
}

fn wait(failures: u32) -> Duration {
    if failures < FREE {
        return Duration::ZERO;
    }
    WAIT.saturating_mul(1 << (failures - FREE).min(10)).min(WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slower_and_a_success_forgives() {
        let throttle = Throttle::default();
        let now = Duration::from_secs(100);
        for _ in 0..4 {
            throttle.failed("ada", now);
            assert!(throttle.check("ada", now).is_ok());
        }
        throttle.failed("ada", now);
        assert!(matches!(throttle.check("ada", now), Err(Refused::TooMany { seconds: 2 })));
        assert!(throttle.check("ada", now + Duration::from_secs(2)).is_ok());
        assert!(throttle.check("bob", now).is_ok());
        throttle.succeeded("ada");
        assert!(throttle.check("ada", now).is_ok());
    }
}
