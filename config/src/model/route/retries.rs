//! `retries` of an HTTP rule. MeshConfig's default has the same fields.

use std::sync::Arc;
use std::time::Duration;

use crate::model::read;
use crate::problem::Diagnostics;
use crate::wire::virtual_service::HttpRetry;

/// `retries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first; 0 is off.
    pub attempts: u32,
    /// `perTryTimeout`.
    pub try_timeout: Option<Duration>,
    /// The named conditions of `retryOn`, in lower case.
    pub on: Vec<Arc<str>>,
    /// Numbers of `retryOn`.
    pub statuses: Vec<u16>,
    /// `backoff`; `None` is 25 ms.
    pub backoff: Option<Duration>,
    /// `retryIgnorePreviousHosts`: endpoints that were tried are avoided; default true.
    pub fresh_hosts: bool,
    /// `retryRemoteLocalities`: after every second try other priorities have their turn.
    pub other_priorities: bool,
}

/// The conditions of `retryOn` that Envoy has.
const CONDITIONS: [&str; 17] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "unknown",
];

/// Of these what never happens: why, and what to do.
const IDLE: [(&str, (&str, &str)); 2] = [
    (
        "retriable-headers",
        (
            "never a reason for a retry, as nothing of Istio's API says which headers are meant",
            "leave it out",
        ),
    ),
    (
        "http3-post-connect-failure",
        (
            "never a reason for a retry, as upstreams are not called with HTTP/3",
            "leave it out",
        ),
    ),
];

/// What is retried when `retryOn` is not written.
const DEFAULT: [&str; 5] = [
    "connect-failure",
    "refused-stream",
    "unavailable",
    "cancelled",
    "retriable-status-codes",
];

/// The condition that makes the numbers of `retryOn` count; it need not be written.
const BY_STATUS: &str = "retriable-status-codes";

/// Reads a retry policy.
pub(crate) fn parse(wire: &HttpRetry, diagnostics: &mut Diagnostics<'_>) -> Retries {
    let attempts = u32::try_from(wire.attempts).unwrap_or_else(|_| {
        diagnostics.error("attempts", wire.attempts, "must not be negative");
        0
    });
    let others = wire.per_try_timeout.is_some()
        || !wire.retry_on.is_empty()
        || wire.retry_remote_localities.is_some();
    if attempts == 0 && others {
        diagnostics.error(
            "attempts",
            attempts,
            (
                "0 turns retries off, so nothing else can be set",
                "leave out the rest, or set attempts",
            ),
        );
    }
    let mut on: Vec<Arc<str>> = Vec::new();
    let mut statuses = Vec::new();
    let known = |status: &u16| {
        let status = http::StatusCode::from_u16(*status);
        status.is_ok_and(|status| status.canonical_reason().is_some())
    };
    for condition in wire
        .retry_on
        .split(',')
        .map(str::trim)
        .filter(|condition| !condition.is_empty())
    {
        match condition.parse::<u16>() {
            Ok(status) if known(&status) => statuses.push(status),
            _ if CONDITIONS.contains(&condition) => {
                if let Some((_, message)) = IDLE.iter().find(|(idle, _)| *idle == condition) {
                    diagnostics.warn("retryOn", condition, *message);
                }
                on.push(condition.into());
            }
            _ => diagnostics.error(
                "retryOn",
                condition,
                format!("expected a status code or one of {}", CONDITIONS.join(", ")),
            ),
        }
    }
    if !statuses.is_empty() && on.iter().all(|condition| **condition != *BY_STATUS) {
        on.push(BY_STATUS.into());
    }
    if wire.retry_on.is_empty() {
        on = DEFAULT
            .iter()
            .map(|condition| Arc::from(*condition))
            .collect();
    }
    let try_timeout = read::time_limit(diagnostics, "perTryTimeout", wire.per_try_timeout.as_ref());
    let backoff = read::positive_duration(diagnostics, "backoff", wire.backoff.as_ref());
    Retries {
        attempts,
        try_timeout,
        on,
        statuses,
        backoff,
        fresh_hosts: wire.retry_ignore_previous_hosts.unwrap_or(true),
        other_priorities: wire.retry_remote_localities.unwrap_or_default(),
    }
}
