//! Ejection: an endpoint that fails again and again is left out for a while. Pure: the time is passed in.
//!
//! The rules are Envoy's. A run of failures ejects at once; a sweep each `interval` ends
//! ejections after their time, and takes one ejection off the count of each endpoint that is not ejected.

use std::collections::HashMap;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::grpc::GrpcStatus;
use egret_config::header_names::GRPC_STATUS;
use egret_config::model::policy::OutlierDetection;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::Instant;

use crate::failure::{Cause, Failure};

/// Envoy's default for the longest ejection; a longer base time counts itself.
const EJECTION_MAX: Duration = Duration::from_secs(300);

/// The outcome of a call, for outlier detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It answered with this HTTP status.
    Answered(u16),
    /// It accepted a connection for bytes.
    Connected,
    /// It could not be reached, or it closed the connection before it answered.
    Failed,
    /// It did not answer in time.
    TimedOut,
}

impl CallOutcome {
    /// The outcome of a response. A response of gRPC without a body has its status among the headers.
    pub fn of_response(status: StatusCode, headers: &HeaderMap) -> Self {
        let grpc = headers.get(GRPC_STATUS).map(HeaderValue::as_bytes);
        Self::Answered(match grpc.and_then(GrpcStatus::of_header) {
            // Envoy's mapping.
            Some(GrpcStatus::Unavailable) => 503,
            Some(
                GrpcStatus::Cancelled
                | GrpcStatus::Unknown
                | GrpcStatus::Internal
                | GrpcStatus::DataLoss,
            ) => 500,
            Some(GrpcStatus::DeadlineExceeded) => 504,
            _ => status.as_u16(),
        })
    }

    /// The outcome of a failed attempt; `None` when the endpoint did not cause it, or when the failed connect was
    /// already reported.
    pub fn of_failure(failure: &Failure) -> Option<Self> {
        match failure.cause() {
            Cause::ResetBefore | Cause::ResetAfter => Some(Self::Failed),
            Cause::UpstreamProtocol => Some(Self::Answered(502)),
            Cause::Timeout | Cause::TryTimeout => Some(Self::TimedOut),
            _ => None,
        }
    }
}

/// A call, for the endpoint that it was made to.
#[derive(Clone, Copy, Debug)]
pub struct CallReport<'c> {
    /// The endpoint.
    pub at: &'c EndpointAddress,
    /// The outcome of the call.
    pub outcome: CallOutcome,
}

/// Why an endpoint was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `consecutive5xxErrors`.
    ServerErrors,
    /// `consecutiveGatewayErrors`.
    GatewayErrors,
    /// `consecutiveLocalOriginFailures`.
    Unreachable,
}

/// An ejection that just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Why.
    pub reason: Reason,
    /// For how long at least; the next sweep after it ends the ejection.
    pub time: Duration,
}

/// The endpoints of a cluster that failed lately.
#[derive(Debug, Default)]
pub struct Outlier {
    hosts: HashMap<EndpointAddress, Host>,
    sweep_at: Option<Instant>,
}

/// The state of one endpoint.
#[derive(Debug, Default)]
struct Host {
    server_errors: u32,
    gateway_errors: u32,
    failures: u32,
    /// Until when it is left out.
    ejected_until: Option<Instant>,
    /// The number of ejections, less one for each sweep without one.
    times: u32,
}

impl Outlier {
    /// Notes a call to one of `hosts` endpoints, which ended `now`.
    pub fn note(
        &mut self,
        policy: &OutlierDetection,
        hosts: usize,
        call: CallReport<'_>,
        now: Instant,
    ) -> Option<Ejection> {
        let CallReport { at, outcome } = call;
        self.sweep(policy, now);
        if !self.hosts.contains_key(at) && is_good(policy, outcome) {
            return None;
        }
        let reason = self
            .hosts
            .entry(at.clone())
            .or_default()
            .note(policy, outcome)?;
        // Calls that began before the ejection may still fail.
        if self.is_ejected(at) || !self.may_eject(policy, hosts) {
            return None;
        }
        let host = self.hosts.entry(at.clone()).or_default();
        host.times += 1;
        let max = EJECTION_MAX.max(policy.base_ejection_time);
        let time = policy
            .base_ejection_time
            .saturating_mul(host.times)
            .min(max);
        host.ejected_until = now.checked_add(time);
        Some(Ejection { reason, time })
    }

    /// Does what is due at this moment. Whether any endpoint came back.
    #[allow(
        clippy::iter_over_hash_type,
        reason = "each endpoint is looked at by itself"
    )]
    pub fn sweep(&mut self, policy: &OutlierDetection, now: Instant) -> bool {
        let interval = policy.interval.max(Duration::from_millis(1));
        let due = *self.sweep_at.get_or_insert(now + interval);
        let Some(late) = now.checked_duration_since(due) else {
            return false;
        };
        let sweeps = late.as_nanos() / interval.as_nanos() + 1;
        let sweeps = u32::try_from(sweeps).unwrap_or(u32::MAX);
        let last = due + interval.saturating_mul(sweeps - 1);
        self.sweep_at = Some(last + interval);
        let mut came_back = false;
        for host in self.hosts.values_mut() {
            match host.ejected_until {
                Some(until) if until <= last => {
                    host.ejected_until = None;
                    came_back = true;
                }
                Some(_) => {}
                None => host.times = host.times.saturating_sub(sweeps),
            }
        }
        self.hosts.retain(|_, host| !host.is_forgotten());
        came_back
    }

    /// Forgets endpoints that are no longer there.
    pub fn keep_only(&mut self, hosts: &[EndpointAddress]) {
        self.hosts.retain(|address, _| hosts.contains(address));
    }

    /// Whether an endpoint is left out, as of the last sweep.
    pub fn is_ejected(&self, at: &EndpointAddress) -> bool {
        self.hosts
            .get(at)
            .is_some_and(|host| host.ejected_until.is_some())
    }

    /// The endpoints that are left out, in order.
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn ejected(&self) -> Vec<EndpointAddress> {
        let ejected =
            |(at, host): (&EndpointAddress, &Host)| host.ejected_until.map(|_| at.clone());
        let mut all: Vec<_> = self.hosts.iter().filter_map(ejected).collect();
        all.sort_unstable();
        all
    }

    /// The share of ejected endpoints must be below the maximum. So the first endpoint may be ejected even where it alone
    /// exceeds the maximum.
    fn may_eject(&self, policy: &OutlierDetection, hosts: usize) -> bool {
        let ejected = self.ejected().len();
        ejected * 100 < policy.ejection_percent_max as usize * hosts.max(1)
    }
}

impl Host {
    /// Counts an outcome. A complete run of failures returns the reason for an ejection and resets the run.
    fn note(&mut self, policy: &OutlierDetection, outcome: CallOutcome) -> Option<Reason> {
        let split = policy.consecutive_local_failures;
        let status = match (outcome, split) {
            (CallOutcome::Answered(status), _) => {
                self.failures = 0;
                if policy.error_statuses.contains(&status) && status < 500 {
                    500
                } else {
                    status
                }
            }
            (CallOutcome::Connected, Some(_)) => {
                self.failures = 0;
                return None;
            }
            (CallOutcome::Failed | CallOutcome::TimedOut, Some(max)) => {
                return full(&mut self.failures, max).then_some(Reason::Unreachable);
            }
            (CallOutcome::Connected, None) => 200,
            (CallOutcome::Failed, None) => 503,
            (CallOutcome::TimedOut, None) => 504,
        };
        if status < 500 {
            (self.server_errors, self.gateway_errors) = (0, 0);
            return None;
        }
        let by_gateway = if matches!(status, 502..=504) {
            full(&mut self.gateway_errors, policy.consecutive_gateway_errors)
        } else {
            self.gateway_errors = 0;
            false
        };
        let by_server = full(&mut self.server_errors, policy.consecutive_5xx);
        match (by_gateway, by_server) {
            (true, _) => Some(Reason::GatewayErrors),
            (false, true) => Some(Reason::ServerErrors),
            (false, false) => None,
        }
    }

    fn is_forgotten(&self) -> bool {
        let errors = self.server_errors + self.gateway_errors + self.failures;
        errors == 0 && self.times == 0 && self.ejected_until.is_none()
    }
}

/// Counts one more; whether that is a full run, of `max`, which begins anew then. A `max` of 0 is off.
fn full(count: &mut u32, max: u32) -> bool {
    *count = count.saturating_add(1);
    let full = max > 0 && *count >= max;
    if full {
        *count = 0;
    }
    full
}

fn is_good(policy: &OutlierDetection, outcome: CallOutcome) -> bool {
    match outcome {
        CallOutcome::Connected => true,
        CallOutcome::Answered(status) => status < 500 && !policy.error_statuses.contains(&status),
        CallOutcome::Failed | CallOutcome::TimedOut => false,
    }
}

#[cfg(test)]
mod tests;
