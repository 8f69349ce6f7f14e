//! How long a request may take: the route's limit, and the `grpc-timeout` of the client.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use egret_config::header_names::GRPC_TIMEOUT;
use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout_at};

use crate::client::body::Received;

/// Waits for an outcome, from when the whole request has come not longer than `limit`. Gives the outcome, and the end of
/// the time that is left after it; `None` when the time is over.
pub async fn within<T>(
    limit: Duration,
    received: &Received,
    outcome: impl Future<Output = T>,
) -> Option<(T, Instant)> {
    let mut outcome = pin!(outcome);
    tokio::select! {
        biased;
        () = received.complete() => {}
        outcome = &mut outcome => return Some((outcome, Instant::now() + limit)),
    }
    let deadline = Instant::now() + limit;
    let outcome = timeout_at(deadline, outcome).await.ok()?;
    Some((outcome, deadline))
}

/// The limit of a request: the shorter of the route's and the gRPC client's. An upstream of gRPC is told it, whoever set
/// it. `None` is none.
pub fn limit(route: Option<Duration>, grpc: bool, headers: &mut HeaderMap) -> Option<Duration> {
    let route = route.filter(|limit| !limit.is_zero());
    let limit = match (route, of_client(grpc, headers)) {
        (Some(route), Some(client)) => Some(route.min(client)),
        (route, client) => route.or(client),
    };
    if grpc && let Some(limit) = limit {
        set_grpc_timeout(headers, limit);
    }
    limit
}

/// The time that a gRPC client gives its call. A client that gives none at all has all of the route's, as with Envoy.
pub fn of_client(grpc: bool, headers: &HeaderMap) -> Option<Duration> {
    let timeout = grpc.then(|| headers.get(GRPC_TIMEOUT)).flatten()?;
    parse(timeout.as_bytes()).filter(|limit| !limit.is_zero())
}

/// Sets `grpc-timeout` for an upstream.
pub fn set_grpc_timeout(headers: &mut HeaderMap, limit: Duration) {
    headers.insert(GRPC_TIMEOUT, written(limit));
}

/// The time limit that is sent to the upstream: the attempt's limit, or what is left of the request's if that is less.
pub fn of_try(
    whole: Option<Duration>,
    each: Option<Duration>,
    elapsed: impl FnOnce() -> Duration,
) -> Option<Duration> {
    let Some(whole) = whole else { return each };
    let left = Duration::from_millis(
        u64::try_from(whole.saturating_sub(elapsed()).as_micros().div_ceil(1000))
            .unwrap_or(u64::MAX),
    );
    let left = left.max(Duration::from_millis(1));
    Some(each.map_or(left, |each| each.min(left)))
}

/// At most eight digits and a unit, as gRPC over HTTP/2 has it.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// In milliseconds, or in seconds where eight digits do not do.
fn written(limit: Duration) -> HeaderValue {
    const DIGITS: u128 = 99_999_999;
    let text = match limit.as_micros().div_ceil(1000) {
        millis @ ..=DIGITS => format!("{millis}m"),
        millis => format!("{}S", (millis / 1000).min(DIGITS)),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("99999999S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_has_what_is_left() {
        for (whole, each, elapsed, expected) in [
            (None, None, 0, None),
            (None, Some(100), 0, Some(100)),
            (Some(1000), None, 0, Some(1000)),
            (Some(1000), None, 300, Some(700)),
            (Some(1000), Some(200), 300, Some(200)),
            (Some(1000), Some(200), 900, Some(100)),
            (Some(1000), Some(200), 1200, Some(1)),
        ] {
            let millis = |millis: Option<u64>| millis.map(Duration::from_millis);
            let left = of_try(millis(whole), millis(each), || {
                Duration::from_millis(elapsed)
            });
            assert_eq!(left, millis(expected));
        }
    }

    #[test]
    fn the_shorter_limit_holds() {
        for (route, client, grpc, limit, expected) in [
            (Some(1000), "2S", true, Some(1000), "1000m"),
            (Some(1000), "500000u", true, Some(500), "500m"),
            (Some(1000), "", true, Some(1000), "1000m"),
            (None, "", true, None, ""),
            (None, "3u", true, Some(0), "1m"),
            (None, "0S", true, None, "0S"),
            (Some(1000), "0n", true, Some(1000), "1000m"),
            (Some(0), "1M", true, Some(60_000), "60000m"),
            (Some(1000), "1m", false, Some(1000), "1m"),
            (None, "1x", true, None, "1x"),
            (None, "123456789S", true, None, "123456789S"),
            (
                Some(200_000_000),
                "99999999H",
                true,
                Some(200_000_000),
                "200000S",
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, client.parse().expect("value"));
            let got = super::limit(route.map(Duration::from_millis), grpc, &mut headers);
            assert_eq!(got.map(|got| got.as_millis()), limit, "{client}");
            assert_eq!(headers[GRPC_TIMEOUT], expected);
        }
    }
}
