//! Headers that the proxy puts in, and the changes that a route asks for. Header maps are changed in place; nothing is
//! copied.

use std::time::Duration;

use bytes::Bytes;
use egret_config::header_names::{ATTEMPT_COUNT, EXPECTED_TIMEOUT, SERVICE_TIME, is_authority};
use egret_config::model::mesh::ProxyHeaders;
use egret_config::model::route::HeaderOperations;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// A new `x-request-id`.
pub fn new_request_id() -> Option<HeaderValue> {
    let mut text = [0; Hyphenated::LENGTH];
    Uuid::new_v4().hyphenated().encode_lower(&mut text);
    // Shared from the start: the log has it, too.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()
}

/// Whether the client waits for a word before it sends its body.
pub fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Makes one `cookie` of the several that HTTP/2 may split it into (RFC 9113, 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(header::COOKIE);
    if cookies.iter().nth(1).is_none() {
        return;
    }
    let cookies: Vec<_> = cookies.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_maybe_shared(Bytes::from(cookies.join(&b"; "[..]))) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Sets the number of the attempt.
pub fn count_attempt(headers: &mut HeaderMap, attempt: u32) {
    headers.insert(ATTEMPT_COUNT, number(attempt.into()));
}

/// Sets the time that the upstream may take.
pub fn expect_timeout(headers: &mut HeaderMap, timeout: Duration) {
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    headers.insert(EXPECTED_TIMEOUT, HeaderValue::from(millis));
}

/// Finishes the headers of a response: whoever made it, it comes from us, unless the mesh says otherwise.
pub fn sign_response(headers: &mut HeaderMap, own: &ProxyHeaders) {
    if let Some(server) = &own.server {
        headers.insert(header::SERVER, server.clone());
    }
}

/// Sets the time that the upstream took until its response began.
pub fn set_service_time(headers: &mut HeaderMap, took: Duration) {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    headers.insert(SERVICE_TIME, number(millis));
}

/// A number; the small ones, which nearly all are, cost no memory.
fn number(number: u64) -> HeaderValue {
    const PAIRS: &str = concat!(
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849",
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
    );
    match usize::try_from(number).unwrap_or(usize::MAX) {
        small @ 0..10 => HeaderValue::from_static(&PAIRS[2 * small + 1..2 * small + 2]),
        small @ 10..100 => HeaderValue::from_static(&PAIRS[2 * small..2 * small + 2]),
        _ => HeaderValue::from(number),
    }
}

/// Applies a route's changes: removals, then sets, then adds. A `host` or `:authority` set here is the new authority,
/// which is returned. As with Envoy, `%%` stands for `%`, and an empty value changes nothing. Names and values that are not
/// valid headers are passed over; loading reports them.
pub fn change<'o>(headers: &mut HeaderMap, operations: &'o HeaderOperations) -> Option<&'o str> {
    let mut authority = None;
    for name in &operations.remove {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            && name != header::HOST
        {
            headers.remove(name);
        }
    }
    for (changes, append) in [(&operations.set, false), (&operations.add, true)] {
        for (name, value) in changes {
            if is_authority(name) {
                authority = Some(&**value);
                continue;
            }
            let value = if value.contains("%%") {
                HeaderValue::from_maybe_shared(Bytes::from(value.replace("%%", "%")))
            } else {
                HeaderValue::from_str(value)
            };
            let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            if append {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
    }
    authority
}

#[cfg(test)]
mod tests;
