//! Whether another try is allowed, and when. Pure.

use std::cell::LazyCell;
use std::time::Duration;

use egret_config::grpc::GrpcStatus;
use egret_config::header_names::{GRPC_STATUS, RATE_LIMITED};
use egret_config::model::route::Retries;
use http::{HeaderMap, StatusCode};

use crate::failure::{Cause, Failure, Retry};

/// Istio's and Envoy's default base of the wait between tries.
const BACKOFF: Duration = Duration::from_millis(25);

/// Whether a try that failed without a response may be followed by another. `unsent` is whether nothing of the request
/// left us.
pub fn after_failure(retries: &Retries, failure: &Failure, unsent: bool) -> bool {
    if matches!(failure.retry(), Retry::Never)
        || matches!(failure.cause(), Cause::NoEndpoint | Cause::NoAddress(_))
    {
        return false;
    }
    let connecting = matches!(
        failure.cause(),
        Cause::Connect(_) | Cause::ConnectTimeout | Cause::UpstreamTls(_)
    );
    retries.on.iter().any(|on| match &**on {
        // Envoy counts a call without a response as a 5xx, which it would have become.
        "5xx" | "gateway-error" | "reset" => true,
        "connect-failure" => connecting,
        "refused-stream" => *failure.cause() == Cause::StreamRefused,
        "reset-before-request" => unsent,
        _ => false,
    })
}

/// Whether a response is to be thrown away for another try.
pub fn after_response(retries: &Retries, status: StatusCode, headers: &HeaderMap) -> bool {
    let sent = LazyCell::new(|| headers.get(GRPC_STATUS));
    let wanted = retries.statuses.contains(&status.as_u16())
        || retries.on.iter().any(|on| match &**on {
            "5xx" => status.is_server_error(),
            "gateway-error" => matches!(status.as_u16(), 502..=504),
            "retriable-4xx" => status == StatusCode::CONFLICT,
            word => grpc_status(word).is_some_and(|wanted| {
                sent.is_some_and(|sent| sent.as_bytes() == wanted.text().as_bytes())
            }),
        });
    let insisted = retries.on.iter().any(|on| &**on == "envoy-ratelimited");
    // An upstream that limits its callers is not to be asked once more, unless the route insists.
    match wanted || insisted {
        true if headers.contains_key(RATE_LIMITED) => insisted,
        _ => wanted,
    }
}

/// Whether a request that was sent may have to be sent again: if not, nothing of it is kept. What never left us needs
/// no copy.
pub fn needs_copies(retries: &Retries, grpc: bool, http2: bool) -> bool {
    !retries.statuses.is_empty()
        || retries.on.iter().any(|on| match &**on {
            "5xx" | "gateway-error" | "retriable-4xx" | "reset" | "envoy-ratelimited" => true,
            "refused-stream" => http2,
            word => grpc && grpc_status(word).is_some(),
        })
}

/// The status of gRPC that a word of `retryOn` stands for.
fn grpc_status(word: &str) -> Option<GrpcStatus> {
    Some(match word {
        "cancelled" => GrpcStatus::Cancelled,
        "unknown" => GrpcStatus::Unknown,
        "deadline-exceeded" => GrpcStatus::DeadlineExceeded,
        "resource-exhausted" => GrpcStatus::ResourceExhausted,
        "internal" => GrpcStatus::Internal,
        "unavailable" => GrpcStatus::Unavailable,
        _ => return None,
    })
}

/// How long to wait before the try after `tries` tries: by chance within a bound that doubles up to ten times the base.
/// `chance` is in 0..1.
pub fn backoff(retries: &Retries, tries: u32, chance: f64) -> Duration {
    let base = retries.backoff.unwrap_or(BACKOFF);
    let bound = base
        .saturating_mul(1u32.checked_shl(tries).unwrap_or(u32::MAX))
        .min(base.saturating_mul(10));
    bound.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(on: &[&str], statuses: &[u16]) -> Retries {
        Retries {
            attempts: 2,
            try_timeout: None,
            on: on.iter().map(|word| (*word).into()).collect(),
            statuses: statuses.to_vec(),
            backoff: None,
            fresh_hosts: true,
            other_priorities: false,
        }
    }

    fn failure(on: &[&str], cause: Cause) -> bool {
        let failure = Failure::new(cause, "");
        let unsent = failure.retry() == Retry::Safe && *failure.cause() != Cause::StreamRefused;
        after_failure(&retries(on, &[]), &failure, unsent)
    }

    #[test]
    fn istios_default_retries_what_reached_nobody() {
        let default = [
            "connect-failure",
            "refused-stream",
            "unavailable",
            "cancelled",
        ];
        assert!(failure(&default, Cause::Connect("".into())));
        assert!(failure(&default, Cause::ConnectTimeout));
        assert!(!failure(&default, Cause::ResetBefore));
        assert!(!failure(&default, Cause::NoEndpoint));
        let default = retries(&default, &[]);
        assert!(!after_response(
            &default,
            StatusCode::SERVICE_UNAVAILABLE,
            &HeaderMap::new()
        ));
        assert!(!needs_copies(&default, false, false));
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", "14".parse().expect("value"));
        assert!(after_response(&default, StatusCode::OK, &headers));
        assert!(needs_copies(&default, true, false) && needs_copies(&default, false, true));
        headers.insert("x-envoy-ratelimited", "true".parse().expect("value"));
        assert!(!after_response(&default, StatusCode::OK, &headers));
    }

    #[test]
    fn statuses_and_words() {
        for (on, statuses, status, again) in [
            (&["5xx"][..], &[][..], 500, true),
            (&["gateway-error"], &[], 500, false),
            (&["gateway-error"], &[], 503, true),
            (&["retriable-4xx"], &[], 409, true),
            (&["retriable-status-codes"], &[418], 418, true),
            (&["retriable-status-codes"], &[418], 500, false),
        ] {
            let status = StatusCode::from_u16(status).expect("status");
            assert_eq!(
                after_response(&retries(on, statuses), status, &HeaderMap::new()),
                again
            );
        }
        assert!(failure(&["reset"], Cause::ResetBefore));
        assert!(failure(&["refused-stream"], Cause::StreamRefused));
        assert!(!failure(&["refused-stream"], Cause::Connect("".into())));
        assert!(!failure(&["connect-failure"], Cause::StreamRefused));
        assert!(failure(&["reset-before-request"], Cause::ConnectTimeout));
        assert!(!failure(&["reset-before-request"], Cause::ResetBefore));
        assert!(failure(&["gateway-error"], Cause::TryTimeout));
        assert!(!failure(&["5xx"], Cause::Timeout));
    }

    #[test]
    fn waits_grow_up_to_a_bound() {
        let retries = retries(&[], &[]);
        for (tries, millis) in [(0, 25), (1, 50), (2, 100), (9, 250), (40, 250)] {
            assert_eq!(
                backoff(&retries, tries, 1.0),
                Duration::from_millis(millis),
                "{tries}"
            );
        }
        assert_eq!(backoff(&retries, 3, 0.0), Duration::ZERO);
    }
}
