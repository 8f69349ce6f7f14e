//! Names of headers that the `http` crate does not have.

use http::HeaderName;

/// What the names of all headers begin with by which Envoy's proxies talk to each other.
pub const ENVOY_PREFIX: &str = "x-envoy-";
/// The prefix of all headers with facts from earlier proxies.
pub const FORWARDED_PREFIX: &str = "x-forwarded-";
/// What the names of egret's own headers begin with.
pub const EGRET_PREFIX: &str = "x-egret-";

/// How long an idle HTTP/1 connection is kept.
pub const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
/// `connection`, as old clients send it to a proxy.
pub const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// What follows from a client's authentication (RFC 9110, 11.6.3).
pub const AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("authentication-info");
/// The same of a proxy (RFC 9110, 11.7.3).
pub const PROXY_AUTHENTICATION_INFO: HeaderName =
    HeaderName::from_static("proxy-authentication-info");

/// `x-request-id`: kept when the client sent one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The addresses of the clients so far.
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme of the client's connection.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host of the client's request, where another is sent.
pub const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client's connection came to.
pub const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// The names in the certificates of clients.
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// The client's address, as nginx sends it.
pub const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The status of a gRPC call, a number in decimal.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The message of a gRPC call's status, percent-encoded.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How long a gRPC call may take.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The client's address, for upstreams behind a gateway.
pub const EXTERNAL_ADDRESS: HeaderName = HeaderName::from_static("x-envoy-external-address");
/// Whether a request comes from inside the mesh.
pub const INTERNAL: HeaderName = HeaderName::from_static("x-envoy-internal");
/// How long the upstream may take, in milliseconds.
pub const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
/// The path before a route rewrote it.
pub const ORIGINAL_PATH: HeaderName = HeaderName::from_static("x-envoy-original-path");
/// The authority before a route rewrote it.
pub const ORIGINAL_HOST: HeaderName = HeaderName::from_static("x-envoy-original-host");
/// Which attempt at an upstream this is, from 1.
pub const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// How long the upstream took, in milliseconds.
pub const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
/// Set on a local reply to a request that is over a limit.
pub const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");
/// Set on the response of an upstream that limits its clients.
pub const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");
/// How many seconds Prometheus waits for an answer.
pub const SCRAPE_TIMEOUT: HeaderName =
    HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
/// Why egret answered itself.
pub const VERDICT: HeaderName = HeaderName::from_static("x-egret-verdict");

/// The trace of a request, in W3C's form.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems add to it.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The trace of a request, in Zipkin's form of one header.
pub const B3: HeaderName = HeaderName::from_static("b3");
/// The trace, in Zipkin's form of several headers.
pub const B3_TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
/// The span, in that form.
pub const B3_SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
/// The span's parent, in that form.
pub const B3_PARENT_SPAN_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
/// Whether the trace is sampled, in that form.
pub const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
/// `1` for a trace that is debugged, in that form.
pub const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");
/// An id by which a client requests a trace.
pub const CLIENT_TRACE_ID: HeaderName = HeaderName::from_static("x-client-trace-id");
/// The cluster that the client belongs to.
pub const DOWNSTREAM_CLUSTER: HeaderName =
    HeaderName::from_static("x-envoy-downstream-service-cluster");

/// Metadata about workloads that the proxies of a mesh exchange.
pub static PEER_METADATA: [HeaderName; 2] = [
    HeaderName::from_static("x-envoy-peer-metadata"),
    HeaderName::from_static("x-envoy-peer-metadata-id"),
];

/// Headers by which one Envoy controls how another treats a request.
pub static STEERING: [HeaderName; 16] = [
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

/// Headers in which a proxy reports what it did.
pub static CLAIMS: [HeaderName; 5] = [
    ORIGINAL_PATH,
    ORIGINAL_HOST,
    HeaderName::from_static("x-envoy-decorator-operation"),
    DOWNSTREAM_CLUSTER,
    HeaderName::from_static("x-envoy-downstream-service-node"),
];

/// Whether a name, in any case, means the request's authority.
pub fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_has_two_names() {
        for (name, is) in [
            ("host", true),
            ("Host", true),
            (":Authority", true),
            ("authority", false),
            ("x-host", false),
        ] {
            assert_eq!(is_authority(name), is, "{name}");
        }
    }

    #[test]
    fn one_prefix_finds_all_of_envoys_names() {
        for name in STEERING.iter().chain(&CLAIMS).chain(&PEER_METADATA) {
            assert!(name.as_str().starts_with(ENVOY_PREFIX), "{name}");
        }
    }
}
