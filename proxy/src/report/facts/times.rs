//! When what happened of a call.

use egret_config::log_format::TimePoint;
use tokio::time::Instant;

/// The points in the course of a call that a format asks for. Its beginning and its end are known without them.
#[derive(Clone, Debug, Default)]
pub struct Times([Option<Instant>; TimePoint::NAMED.len()]);

impl Times {
    /// Notes that a point is reached. What happens more than once, as with each attempt, counts as it happened last.
    pub fn set(&mut self, point: TimePoint, at: Instant) {
        self.0[point as usize] = Some(at);
    }

    /// Forgets what a failed attempt had reached.
    pub fn forget_attempt(&mut self) {
        for point in [
            TimePoint::UpstreamConnectBegin,
            TimePoint::UpstreamConnectEnd,
            TimePoint::UpstreamHandshakeEnd,
            TimePoint::UpstreamSendBegin,
            TimePoint::UpstreamSendEnd,
            TimePoint::UpstreamReceiveBegin,
            TimePoint::UpstreamReceiveEnd,
        ] {
            self.0[point as usize] = None;
        }
    }

    /// When it was reached.
    pub fn get(&self, point: TimePoint) -> Option<Instant> {
        self.0[point as usize]
    }
}
