//! Time, injected.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// The one source of time. Wall time orders events for people, ticks measure durations.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall-clock time, UTC, microsecond precision.
    fn now(&self) -> Timestamp;
    /// Monotonic time since an arbitrary origin in this process.
    fn ticks(&self) -> Duration;
}

/// A shared clock handle.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock. The only place in the tree that reads it.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose ticks start at zero now.
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock itself")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock itself")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    fn ticks(&self) -> Duration {
        self.origin.elapsed()
    }
}
