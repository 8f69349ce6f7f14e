//! A call as a line tells it.

use std::time::{Duration, SystemTime};

use egret_config::log_format::TimePoint;
use tokio::time::Instant;

use crate::report::access_log::environment::Environment;
use crate::report::facts::{Facts, Times, UpstreamConnectionFacts};
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

    /// Whether its response came to its end: an endpoint's may break off, and an upgraded connection has none.
    fn is_whole(&self) -> bool {
        let facts = self.facts;
        let is_answered = facts
            .attempts
            .last()
            .is_some_and(|last| last.answered.is_some());
        let times = facts.times.as_deref();
        let has_ended = |times: &Times| times.get(TimePoint::UpstreamReceiveEnd).is_some();
        !is_answered || times.is_none_or(has_ended)
    }

    /// When a point of its course was reached.
    pub fn time_of(&self, point: TimePoint) -> Option<Instant> {
        let facts = self.facts;
        match point {
            TimePoint::DownstreamReceiveBegin => Some(facts.began),
            TimePoint::DownstreamSendEnd => {
                (facts.is_request() && facts.response.code.is_some() && self.is_whole())
                    .then_some(self.now.instant)
            }
            TimePoint::UpstreamConnectBegin => Some(self.connection()?.connect_begin),
            TimePoint::UpstreamConnectEnd => Some(self.connection()?.connect_end),
            TimePoint::UpstreamHandshakeEnd => self.connection()?.handshake_end,
            TimePoint::UpstreamSendBegin => facts.attempts.last()?.sent,
            // It is sent as it comes.
            TimePoint::UpstreamSendEnd => {
                let sent = facts.attempts.last()?.sent?;
                Some(
                    facts
                        .times
                        .as_ref()?
                        .get(TimePoint::DownstreamReceiveEnd)?
                        .max(sent),
                )
            }
            TimePoint::UpstreamReceiveBegin => facts.attempts.last()?.answered,
            TimePoint::UpstreamReceiveEnd => {
                facts.attempts.last()?.answered?;
                facts.times.as_ref()?.get(point)
            }
            point => facts.times.as_ref()?.get(point),
        }
    }

    fn connection(&self) -> Option<&UpstreamConnectionFacts> {
        self.facts.attempts.last()?.connection.as_deref()
    }

    /// From its beginning until a point of its course.
    pub fn until(&self, point: TimePoint) -> Option<Duration> {
        self.time_of(point)?
            .checked_duration_since(self.facts.began)
    }
}
