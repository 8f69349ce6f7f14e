//! Names of headers that proxies put in, take out, or believe.

use http::HeaderName;

/// `x-request-id`: kept when the client sent one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The addresses of the clients so far.
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme of the client's connection.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that a client asked for, where another is sent.
pub const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client's connection came to.
pub const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// What the certificates of clients say.
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// The client's address, for upstreams behind a gateway.
pub const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
/// Marks a request that the proxy itself made.
pub const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
/// How long the upstream may take, in milliseconds.
pub const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
/// The path before a route rewrote it.
pub const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
/// The authority before a route rewrote it.
pub const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
