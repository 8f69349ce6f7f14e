//! When what happened of a call.

use egret_config::log_format::TimePoint;
use tokio::time::Instant;

/// The points in the course of a call that a format asks for. Its beginning and its end are known without them.
#[derive(Clone, Debug, Default)]
pub struct Times([Option<Instant>; TimePoint::NAMED.len()]);

impl Times {
    /// Notes that a point is reached.
    pub fn set(&mut self, point: TimePoint, at: Instant) {
        self.0[point as usize] = Some(at);
    }

    /// When it was reached.
    pub fn get(&self, point: TimePoint) -> Option<Instant> {
        self.0[point as usize]
    }
}
