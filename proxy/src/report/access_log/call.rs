//! A call as a line tells it.

use std::time::{Duration, SystemTime};

use egret_config::log_format::TimePoint;
use tokio::time::Instant;

use crate::report::access_log::environment::Environment;
use crate::report::facts::Facts;
use crate::report::now::Now;

/// A call that ended, at the moment at which its line is made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// Its facts.
    pub facts: &'c Facts,
    /// The moment.
    pub now: Now,
    /// What is known of the proxy.
    pub environment: &'c Environment,
}

impl Call<'_> {
    /// Since it began.
    pub fn duration(&self) -> Duration {
        self.now.since(self.facts.began)
    }

    /// When it began.
    pub fn start(&self) -> SystemTime {
        self.now.time_of(self.facts.began)
    }

    /// When a point of its course was reached.
    pub fn time_of(&self, point: TimePoint) -> Option<Instant> {
        let facts = self.facts;
        match point {
            TimePoint::DownstreamReceiveBegin => Some(facts.began),
            TimePoint::DownstreamSendEnd => {
                (facts.is_request() && facts.response.code.is_some()).then_some(self.now.instant)
            }
            TimePoint::UpstreamConnectBegin
            | TimePoint::UpstreamConnectEnd
            | TimePoint::UpstreamHandshakeEnd => {
                let connection = facts.attempts.last()?.connection.as_ref()?;
                match point {
                    TimePoint::UpstreamConnectBegin => Some(connection.connect_begin),
                    TimePoint::UpstreamConnectEnd => Some(connection.connect_end),
                    _ => connection.handshake_end,
                }
            }
            point => facts.times.as_ref()?.get(point),
        }
    }

    /// From its beginning until a point of its course.
    pub fn until(&self, point: TimePoint) -> Option<Duration> {
        self.time_of(point)?
            .checked_duration_since(self.facts.began)
    }
}
