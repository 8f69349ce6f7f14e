//! Headers on their way through: those of the hop are taken out, those that Istio's users expect are put in, and those
//! a route asks for are changed. Header maps are changed in place; nothing is copied.

mod taken;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use egret_config::model::mesh::ClientCert;
use egret_config::model::mesh::ProxyHeaders;
use egret_config::model::mesh::Topology;
use egret_config::model::route::HeaderOperations;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use http::header::Entry;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::failure::Cause;
use crate::failure::Failure;

pub use crate::http::headers::taken::strip_request;
pub use crate::http::headers::taken::strip_response;

/// Header lines of a request; with more it is answered 431. It is hyper's own limit for HTTP/1, which is not told: room for a
/// number that it is told is made anew for each message.
pub const HEADERS_MAX: usize = 100;

/// Bytes of a request's header block; with more it is answered 431.
pub const HEAD_MAX: usize = 64 * 1024;

/// `x-request-id`: kept when the client sent one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `x-forwarded-for`.
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `x-forwarded-proto`.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Marks a request that the proxy itself made.
pub const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
/// Which try of the request this is, from 1.
pub const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// How long the upstream may take, in milliseconds.
pub const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
/// The path before a route rewrote it.
pub const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
/// The authority before a route rewrote it.
pub const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
/// How long the upstream took until its response began, in milliseconds.
pub const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
/// Why egret itself answered.
pub const VERDICT: HeaderName = HeaderName::from_static("x-egret-verdict");

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Sees to it that a request of HTTP/1.0, which needs none, has a host: where its client wants to go.
pub fn ensure_host(headers: &mut HeaderMap, to: SocketAddr) {
    if !headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(&to.to_string())
    {
        headers.insert(header::HOST, host);
    }
}

/// Insists that a request's transfer coding, if it has one, is `chunked` alone.
///
/// # Errors
/// [`Cause::Coding`].
pub fn known_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Failure::new(
            Cause::Coding,
            "the request has a transfer coding besides chunked",
        )),
    }
}

/// Insists that a request has no more than [`HEADERS_MAX`] header lines, as HTTP/1 would have them: the pieces of a
/// cookie, which HTTP/2 may send one by one, are one.
///
/// # Errors
/// [`Cause::TooLarge`].
pub fn few(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.len() <= HEADERS_MAX {
        return Ok(());
    }
    let pieces = headers.get_all(header::COOKIE).iter().count();
    if headers.len() - pieces.saturating_sub(1) <= HEADERS_MAX {
        return Ok(());
    }
    let words = format!("the request has more than {HEADERS_MAX} headers");
    Err(Failure::new(Cause::TooLarge, words))
}

/// Insists that a request's head, as HTTP/1 would have it, has no more than [`HEAD_MAX`] bytes. For requests that nobody
/// read: readers insist themselves.
///
/// # Errors
/// [`Cause::TooLarge`].
pub fn small(target: &str, headers: &HeaderMap) -> Result<(), Failure> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if target.len() + headers.iter().map(line).sum::<usize>() <= HEAD_MAX {
        return Ok(());
    }
    let words = format!("the request's head has more than {HEAD_MAX} bytes");
    Err(Failure::new(Cause::TooLarge, words))
}

/// Puts an `x-request-id` in if there is none.
pub fn ensure_request_id(headers: &mut HeaderMap) {
    let Entry::Vacant(place) = headers.entry(REQUEST_ID) else {
        return;
    };
    let mut text = [0; Hyphenated::LENGTH];
    Uuid::new_v4().hyphenated().encode_lower(&mut text);
    // Shared from the start: the log has it, too.
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from_owner(text)) {
        place.insert(value);
    }
}

/// What a sidecar says about the caller: its `x-forwarded-proto` stays, `x-forwarded-for` is left alone.
pub fn from_sidecar(headers: &mut HeaderMap, scheme: &'static str) {
    taken::steering(headers);
    headers
        .entry(FORWARDED_PROTO)
        .or_insert_with(|| HeaderValue::from_static(scheme));
}

/// The connection that a gateway got a request on.
#[derive(Clone, Copy, Debug)]
pub struct Edge<'e> {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Who made it.
    pub client: IpAddr,
    /// The port it came to, where that is to be told.
    pub port: Option<u16>,
    /// What is in front of the gateway.
    pub topology: &'e Topology,
}

/// What a gateway says about the caller: it knows the protocol, and adds the caller's address. What a caller says of
/// itself in Envoy's name is not believed; where trusted proxies are in front, what these say about it is.
pub fn from_gateway(headers: &mut HeaderMap, edge: Edge<'_>) {
    taken::steering(headers);
    taken::claims(headers);
    let hops = edge.topology.trusted_proxies as usize;
    let told = (hops > 0).then(|| forwarded_for(headers, hops)).flatten();
    let external = told.unwrap_or(edge.client);
    if let Ok(address) = HeaderValue::from_str(&external.to_string()) {
        headers.insert(EXTERNAL_ADDRESS, address);
    }
    if hops == 0 || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(edge.scheme));
    }
    if let Some(port) = edge.port
        && (hops == 0 || !headers.contains_key(FORWARDED_PORT))
    {
        headers.insert(FORWARDED_PORT, HeaderValue::from(port));
    }
    append_client(headers, edge.client);
}

/// The address that is so many places from the end of `x-forwarded-for`, 1 for the last.
fn forwarded_for(headers: &HeaderMap, place: usize) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut addresses = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.rsplit(','));
    addresses.nth(place - 1)?.trim().parse().ok()
}

/// Tells the host that a client asked for, where another is written.
pub fn append_host(headers: &mut HeaderMap, host: &HeaderValue) {
    append(headers, &FORWARDED_HOST, host.as_bytes());
}

/// The caller's address, for upstreams behind a gateway.
const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");

/// Adds an address to `x-forwarded-for`, as one line.
pub fn append_client(headers: &mut HeaderMap, client: IpAddr) {
    append(headers, &FORWARDED_FOR, client.to_string().as_bytes());
}

/// Adds a value to the list of a header, which becomes one line.
fn append(headers: &mut HeaderMap, name: &HeaderName, value: &[u8]) {
    let mut list = Vec::new();
    for line in headers.get_all(name) {
        if !line.is_empty() {
            list.extend_from_slice(line.as_bytes());
            list.extend_from_slice(b",");
        }
    }
    list.extend_from_slice(value);
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(list)) {
        headers.insert(name, value);
    }
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

/// Says which try this is.
pub fn count_attempt(headers: &mut HeaderMap, attempt: u32) {
    headers.insert(ATTEMPT_COUNT, number(attempt.into()));
}

/// Says how long the upstream may take.
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

/// Tells which certificate the caller showed, and takes out what it says about that itself, as the mesh has it. `shown`
/// is the element for the certificate that it showed.
pub fn forward_client_cert(headers: &mut HeaderMap, mode: ClientCert, shown: Option<&HeaderValue>) {
    match (mode, shown) {
        (ClientCert::KeepAlways, _) | (ClientCert::Keep, Some(_)) => {}
        (ClientCert::Append, Some(shown)) => append(headers, &CLIENT_CERT, shown.as_bytes()),
        (ClientCert::Replace, Some(shown)) => {
            headers.insert(CLIENT_CERT, shown.clone());
        }
        (ClientCert::Remove, _) | (_, None) => {
            headers.remove(CLIENT_CERT);
        }
    }
}

/// Says how long the upstream took until its response began.
pub fn tell_service_time(headers: &mut HeaderMap, took: Duration) {
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
            if name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host") {
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
