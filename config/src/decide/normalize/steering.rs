//! Headers by which proxies control each other, and which no client may send.

use http::{HeaderMap, HeaderName};

use crate::header_names::{CLAIMS, ENVOY_PREFIX, STEERING};

/// Removes the headers that control how a proxy treats a request.
pub(super) fn take_steering(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &STEERING);
    }
}

/// Removes the headers that only a proxy may send.
pub(super) fn take_claims(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_envoy) {
        remove(headers, &CLAIMS);
    }
}

pub(super) fn is_of_envoy(name: &HeaderName) -> bool {
    name.as_str().starts_with(ENVOY_PREFIX)
}

pub(super) fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}
