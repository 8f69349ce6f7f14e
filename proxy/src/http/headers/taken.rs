//! Headers that are taken out: those of the hop, and those by which proxies steer each other. A head has few headers and
//! mostly none of these, so the head is walked once for all of them before any is looked for by name.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::http::headers::EXPECTED_TIMEOUT;
use crate::http::headers::FORWARDED_FOR;
use crate::http::headers::FORWARDED_PROTO;
use crate::http::headers::INTERNAL;
use crate::http::headers::ORIGINAL_HOST;
use crate::http::headers::ORIGINAL_PATH;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What the names of all that proxies say to each other in Envoy's name begin with.
const OF_ENVOY: &str = "x-envoy-";

/// Takes out of a request what is meant for this hop only, including what its `connection` header names. `te` stays if
/// it is `trailers`, and `trailer` stays, so that trailers reach the other side.
pub fn strip_request(headers: &mut HeaderMap) {
    if !headers.keys().any(is_of_hop) {
        return;
    }
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|word| HeaderName::from_bytes(word.trim().as_bytes()).ok())
            .filter(|name| !PROTECTED.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    if let Some(te) = headers.get(header::TE) {
        let trailers = te.to_str().is_ok_and(|te| {
            te.split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("trailers"))
        });
        headers.remove(header::TE);
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
    strip_common(headers);
}

/// Takes out of a response what is meant for this hop only, or for proxies. What its `connection` header names stays, as with Envoy.
pub fn strip_response(headers: &mut HeaderMap) {
    let (mut hop, mut envoy) = (false, false);
    for name in headers.keys() {
        hop |= is_of_hop(name);
        envoy |= is_of_envoy(name);
    }
    if hop {
        headers.remove(header::CONNECTION);
        strip_common(headers);
    }
    if envoy {
        remove(headers, &PEER_METADATA);
    }
}

/// Takes out what tells a proxy how to treat a request.
pub(in crate::http::headers) fn steering(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &STEERING);
    }
}

/// Takes out what only a proxy may say.
pub(in crate::http::headers) fn claims(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &CLAIMS);
    }
}

/// What proxies of a mesh tell each other of the workloads beside them.
static PEER_METADATA: [HeaderName; 2] = [
    HeaderName::from_static("x-envoy-peer-metadata"),
    HeaderName::from_static("x-envoy-peer-metadata-id"),
];

/// Headers that a client cannot have removed by naming them in `connection`.
static PROTECTED: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::AUTHORIZATION,
    header::COOKIE,
    FORWARDED_FOR,
    FORWARDED_PROTO,
];

/// Headers by which one Envoy tells another how to treat a request; a client outside of the mesh may not.
static STEERING: [HeaderName; 16] = [
    INTERNAL,
    EXPECTED_TIMEOUT,
    HeaderName::from_static("x-envoy-retriable-status-codes"),
    HeaderName::from_static("x-envoy-retriable-header-names"),
    HeaderName::from_static("x-envoy-retry-on"),
    HeaderName::from_static("x-envoy-retry-grpc-on"),
    HeaderName::from_static("x-envoy-max-retries"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-per-try-timeout-ms"),
    HeaderName::from_static("x-envoy-upstream-rq-timeout-alt-response"),
    HeaderName::from_static("x-envoy-hedge-on-per-try-timeout"),
    HeaderName::from_static("x-envoy-force-trace"),
    HeaderName::from_static("x-envoy-upstream-alt-stat-name"),
    HeaderName::from_static("x-envoy-upstream-stream-duration-ms"),
    HeaderName::from_static("x-envoy-ip-tags"),
    HeaderName::from_static("x-envoy-original-url"),
];

/// Headers that only a proxy may put in, taken out at the edge.
static CLAIMS: [HeaderName; 5] = [
    ORIGINAL_PATH,
    ORIGINAL_HOST,
    HeaderName::from_static("x-envoy-decorator-operation"),
    HeaderName::from_static("x-envoy-downstream-service-cluster"),
    HeaderName::from_static("x-envoy-downstream-service-node"),
];

fn is_of_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "te" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

fn is_of_envoy(name: &HeaderName) -> bool {
    name.as_str().starts_with(OF_ENVOY)
}

fn strip_common(headers: &mut HeaderMap) {
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_walk_finds_all_that_is_taken_out_of_envoys_headers() {
        for name in STEERING.iter().chain(&CLAIMS).chain(&PEER_METADATA) {
            assert!(is_of_envoy(name), "{name}");
        }
    }
}
