//! The moment at which a call is reported.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A moment by both clocks: facts know only the one that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For durations.
    pub instant: Instant,
    /// For dates.
    pub time: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self::at(Instant::now())
    }

    /// That moment, which was just now.
    pub fn at(instant: Instant) -> Self {
        Self {
            instant,
            time: SystemTime::now(),
        }
    }

    /// Since then.
    pub fn since(self, then: Instant) -> Duration {
        self.instant.saturating_duration_since(then)
    }

    /// The date of that moment.
    pub fn time_of(self, then: Instant) -> SystemTime {
        self.time - self.since(then)
    }
}
