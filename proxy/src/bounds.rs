//! All bounds of the proxy: how much of what there may be, or how long it may take; for the documentation.

use std::time::Duration;

use egret_config::decide::normalize::limits::{HEAD_MAX, HEADERS_MAX};

use crate::client::body::KEPT_MAX;
use crate::client::pool::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::dns::names::{NEGATIVE_TTL_MAX, TTL_MAX, TTL_MIN};
use crate::life::buffers::{BUFFER_MAX, BUFFER_MIN, BUFFERS_MAX};
use crate::life::client_times::{HANDSHAKE_MAX, HEAD_MAX as HEAD_TIME_MAX, IDLE_MAX};
use crate::life::stalled::STALLED_MAX;
use crate::report::destinations::ROWS_MAX;
use crate::report::metrics::names::STRANGERS_MAX;
use crate::report::spans::QUEUE_MAX;
use crate::sniff::SNIFFED_MAX;

/// A bound.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What is bounded.
    pub subject: &'static str,
    /// The bound where nothing is set.
    pub default: String,
    /// The flag or field that sets it; empty where nothing does.
    pub setting: &'static str,
    /// What happens at the bound.
    pub at_bound: &'static str,
    /// What counts that: a value of `limit` in `egret_limit_hits_total`, or another family.
    pub metric: Metric,
}

/// What counts how often a bound was in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `egret_limit_hits_total` with this value of `limit`.
    Limit(&'static str),
    /// Another family.
    Family(&'static str),
}

/// Bounds on what clients take together, and each of them.
pub fn of_clients() -> Vec<Bound> {
    use Metric::Limit;
    vec![
        bound(
            "connections of clients",
            "none".to_owned(),
            "`--max-connections`",
            "the connection that idles longest is closed for the new one; where none idles, the new one is reset",
            Limit("downstream_connections"),
        ),
        bound(
            "connections of clients at one address",
            "none".to_owned(),
            "`--max-connections-per-source`",
            "the new one is reset",
            Limit("connections_per_source"),
        ),
        bound(
            "open files",
            "the hard limit, less a quarter, 256 at most".to_owned(),
            "`ulimit -n` of the container",
            "idle connections are closed; then new connections are reset and requests answered 503",
            Limit("open_files"),
        ),
        bound(
            "requests in flight",
            "16384".to_owned(),
            "`--max-requests`",
            "503 with the flag OM. A stream of HTTP/2 is refused where its connection has more than there is room for: the connection with the most streams first",
            Limit("requests_in_flight"),
        ),
        bound(
            "clients that do not read their responses, or do not send what they began of a request",
            STALLED_MAX.to_string(),
            "`--max-stalled-clients`",
            "the one that has moved less than 64 KiB for longest is closed, or its HTTP/2 stream reset with ENHANCE_YOUR_CALM",
            Limit("stalled_clients"),
        ),
        bound(
            "streams of an HTTP/2 connection",
            "1024".to_owned(),
            "",
            "REFUSED_STREAM",
            Limit("requests_in_flight"),
        ),
        bound(
            "HTTP/2 frames that serve no purpose (RST_STREAM, PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, empty DATA) beside what was sent to the client",
            "2000 at once, 200 a second; SETTINGS, PRIORITY and empty DATA count four times"
                .to_owned(),
            "",
            "GOAWAY with ENHANCE_YOUR_CALM; the connection is closed",
            Limit("http2_frames"),
        ),
        bound(
            "head of a request",
            format!("{} and {HEADERS_MAX} fields", size(HEAD_MAX)),
            "",
            "431",
            Limit("request_head"),
        ),
        bound(
            "time for the head of a request",
            format!("{} on gateways, none on sidecars", time(HEAD_TIME_MAX)),
            "`--head-time-max`",
            "the connection is closed",
            Limit("head_time"),
        ),
        bound(
            "time for a TLS handshake, and for a PROXY header",
            time(HANDSHAKE_MAX),
            "`--handshake-time-max`",
            "the connection is closed",
            Limit("handshake_time"),
        ),
        bound(
            "time of an HTTP connection without a request",
            time(IDLE_MAX),
            "`--idle-time-max`",
            "the connection is closed",
            Limit("idle_time"),
        ),
        bound(
            "time of a relayed connection without a byte",
            "1h".to_owned(),
            "DestinationRule `connectionPool.tcp.idleTimeout`",
            "both sides are closed",
            Metric::Family("istio_tcp_connections_closed_total"),
        ),
        bound(
            "time for a request and its response",
            "none".to_owned(),
            "VirtualService `timeout`, `retries.perTryTimeout`; `grpc-timeout`",
            "504 with the flag UT",
            Metric::Family("envoy_cluster_upstream_rq_timeout"),
        ),
        bound(
            "first bytes that are read to see what a connection carries",
            size(SNIFFED_MAX),
            "",
            "the connection is opaque",
            Metric::Family("egret_detections_total"),
        ),
        bound(
            "time until the first byte, where the port does not say what it carries",
            "200ms".to_owned(),
            "MeshConfig `protocolDetectionTimeout`",
            "the server may speak first",
            Metric::Family("egret_detections_total"),
        ),
    ]
}

/// Bounds on the memory of buffers and queues.
pub fn of_memory() -> Vec<Bound> {
    use Metric::{Family, Limit};
    vec![
        bound(
            "buffers of all connections",
            format!(
                "{}; each read takes {} at most, {} where all is taken",
                size(BUFFERS_MAX),
                size(BUFFER_MAX),
                size(BUFFER_MIN)
            ),
            "`--buffers-max`",
            "reads take less, and where they take the least nothing is read ahead for a client that does not read",
            Limit("buffers"),
        ),
        bound(
            "request bodies that are kept for retries and mirrors",
            format!("{} each, 32 MiB in all", size(KEPT_MAX)),
            "`--kept-bodies-max`",
            "the body is sent once",
            Limit("kept_bodies"),
        ),
        bound(
            "bytes of a body on their way on HTTP/2",
            format!(
                "{} on a stream, {} on a connection",
                size(STREAM_WINDOW as usize),
                size(CONNECTION_WINDOW as usize)
            ),
            "",
            "the sender waits",
            Family("process_resident_memory_bytes"),
        ),
        bound(
            "access-log lines that wait",
            "4 MiB".to_owned(),
            "",
            "further lines are dropped",
            Limit("access_log_queue"),
        ),
        bound(
            "spans that wait",
            QUEUE_MAX.to_string(),
            "",
            "further spans are dropped",
            Limit("span_queue"),
        ),
        bound(
            "destinations that `/destinations` lists",
            ROWS_MAX.to_string(),
            "",
            "calls of further ones are counted together",
            Family("egret_series_dropped_total"),
        ),
        bound(
            "names of hosts that no object names, as values of labels",
            STRANGERS_MAX.to_string(),
            "",
            "further ones are `other`",
            Family("egret_series_dropped_total"),
        ),
    ]
}

/// Bounds towards upstreams and name servers, and of the pages.
pub fn of_upstreams() -> Vec<Bound> {
    use Metric::{Family, Limit};
    vec![
        bound(
            "connections to a cluster",
            "none".to_owned(),
            "DestinationRule `connectionPool.tcp.maxConnections`",
            "requests wait",
            Limit("connections"),
        ),
        bound(
            "requests that wait for a connection of a cluster",
            "none".to_owned(),
            "DestinationRule `connectionPool.http.http1MaxPendingRequests`",
            "503 with the flag UO",
            Limit("pending_requests"),
        ),
        bound(
            "requests of a cluster in flight",
            "none".to_owned(),
            "DestinationRule `connectionPool.http.http2MaxRequests`",
            "503 with the flag UO",
            Limit("requests"),
        ),
        bound(
            "retries of a cluster at a time",
            "none".to_owned(),
            "DestinationRule `connectionPool.http.maxRetries`",
            "the response is passed on as it is",
            Limit("retries"),
        ),
        bound(
            "retries of a request",
            "2".to_owned(),
            "VirtualService `retries.attempts`, MeshConfig `defaultHttpRetryPolicy`",
            "the last response is passed on",
            Family("envoy_cluster_upstream_rq_retry"),
        ),
        bound(
            "time for a connection to an upstream",
            "10s".to_owned(),
            "MeshConfig `connectTimeout`, DestinationRule `connectionPool.tcp.connectTimeout`",
            "the next address is tried; 503 with the flag UF",
            Family("envoy_cluster_upstream_cx_connect_timeout"),
        ),
        bound(
            "names of calls in the cache of names",
            "10000".to_owned(),
            "",
            "names that are of no use are let go, then all",
            Limit("dns_names"),
        ),
        bound(
            "questions about a name",
            format!(
                "one at a time; one in {} at most, whatever its TTL, and in {} at least; after a failure within {}",
                time(TTL_MIN),
                time(TTL_MAX),
                time(NEGATIVE_TTL_MAX)
            ),
            "MeshConfig `dnsRefreshRate`",
            "callers wait for the answer that is under way, or get the last one",
            Family("egret_dns_queries_total"),
        ),
        bound(
            "captured DNS queries that wait for name servers",
            "1024".to_owned(),
            "",
            "SERVFAIL",
            Limit("dns_queries"),
        ),
        bound(
            "connections of captured DNS clients",
            "256".to_owned(),
            "",
            "the new one is closed",
            Limit("dns_clients"),
        ),
        bound(
            "large admin pages that are read at a time",
            "4".to_owned(),
            "",
            "503 after 10s",
            Limit("pages"),
        ),
    ]
}

fn bound(
    subject: &'static str,
    default: String,
    setting: &'static str,
    at_bound: &'static str,
    metric: Metric,
) -> Bound {
    Bound {
        subject,
        default,
        setting,
        at_bound,
        metric,
    }
}

/// A number of bytes, as documentation has it.
fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

/// A time, as flags have it.
fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 3600 && seconds.is_multiple_of(3600) => {
            format!("{}h", seconds / 3600)
        }
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::metrics::limits::LimitHits;

    #[test]
    fn each_limit_that_is_counted_is_documented_and_the_other_way_round() {
        let family = LimitHits::default().family(std::iter::empty());
        let counted: BTreeSet<String> = family
            .samples
            .keys()
            .filter_map(|labels| Some(labels.split('"').nth(1)?.to_owned()))
            .collect();
        let all = [of_clients(), of_memory(), of_upstreams()].concat();
        let documented: BTreeSet<String> = all
            .iter()
            .filter_map(|bound| match bound.metric {
                Metric::Limit(limit) => Some(limit.to_owned()),
                Metric::Family(_) => None,
            })
            .collect();
        assert_eq!(counted, documented);
    }
}
