//! Headers by which proxies steer each other, and which no client may send.

use http::{HeaderMap, HeaderName};

use crate::decide::normalize::names::{EXPECTED_TIMEOUT, INTERNAL, ORIGINAL_HOST, ORIGINAL_PATH};

/// Takes out what tells a proxy how to treat a request.
pub(super) fn take_steering(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &STEERING);
    }
}

/// Takes out what only a proxy may say.
pub(super) fn take_claims(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &CLAIMS);
    }
}

/// What the names of all that proxies say to each other in Envoy's name begin with.
const OF_ENVOY: &str = "x-envoy-";

pub(super) fn is_of_envoy(name: &HeaderName) -> bool {
    name.as_str().starts_with(OF_ENVOY)
}

pub(super) fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

/// What proxies of a mesh tell each other of the workloads beside them.
pub(super) static PEER_METADATA: [HeaderName; 2] = [
    HeaderName::from_static("x-envoy-peer-metadata"),
    HeaderName::from_static("x-envoy-peer-metadata-id"),
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
