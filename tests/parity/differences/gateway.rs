//! Of requests through a gateway.

use super::ALL;
use super::BODY;
use super::Difference;
use super::SERVER;
use super::VERDICT;

pub(crate) const OF_GATEWAY: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &[
            "no such host",
            "host with a final dot",
            "no such path",
            "escaped slash",
            "regex that does not match whole",
            "matched by one header line",
            "not matched",
            "exact path with a slash more",
            "no such cluster",
            "upgrade of an unknown kind",
            "absolute https form",
            "two hosts",
            "the same host twice",
            "no host",
            "empty host",
            "gzip and chunked",
            "chunked twice",
            "gzip alone",
            "chunked hidden by a suffix",
            "chunked and identity",
            "chunked in quotes",
            "no coding",
            "101 lines",
            "70 kB of header",
            "long body of a refused request",
            "escaped zero byte",
            "host in brackets",
        ],
        facts: BODY,
        reason: "a refusal has a short body that says why, where Envoy's is empty or says less",
    },
    Difference {
        exchanges: &["grpc refused"],
        facts: &["header grpc-message"],
        reason: "a refusal says why, to gRPC clients too",
    },
    Difference {
        exchanges: &["own request id"],
        facts: &["origin header x-request-id", "log request_id"],
        reason: "a caller's x-request-id is kept, so that its own log can be followed; Envoy replaces it at the edge",
    },
    Difference {
        exchanges: &["trailers", "folded trailer", "trailers of an answer"],
        facts: &["origin trailer x-t", "trailer x-sum"],
        reason: "trailers are passed on; Envoy drops them in HTTP/1",
    },
    Difference {
        exchanges: &["host with a user"],
        facts: ALL,
        reason: "a request whose host can be read in two ways is refused (RFC 9112, 3.2); Envoy joins them and finds no route",
    },
    Difference {
        exchanges: &["connect", "body of a refused request"],
        facts: &[
            "body",
            "header content-length",
            "header content-type",
            "log bytes_sent",
            "connection",
            "header connection",
        ],
        reason: "a refusal has a body, and the connection lives on: what is left of the request is read",
    },
    Difference {
        exchanges: &["connect", "upgrade of an unknown kind"],
        facts: &[
            "log request_id",
            "log x_forwarded_for",
            "log route_name",
            "log upstream_cluster",
        ],
        reason: "what no route could allow is refused before a route is looked for",
    },
    Difference {
        exchanges: &[
            "absolute https form",
            "absolute form of another scheme",
            "host with a slash",
            "host with a space",
            "length and chunked",
            "equal lengths",
            "gzip and chunked",
            "chunked twice",
            "length after chunked",
            "length of nothing and chunked",
            "host for a target",
            "the server for a target",
        ],
        facts: &["log method", "log path", "log authority"],
        reason: "a bad request is told as far as it could be read",
    },
    Difference {
        exchanges: &["what no query may have"],
        facts: &["origin line", "log path"],
        reason: "what a query may not have (RFC 3986, 3.4) is sent on escaped",
    },
    Difference {
        exchanges: &[
            "chunk size with a sign",
            "chunk size of letters",
            "chunk size too large to count",
            "chunk size with a prefix",
            "chunk size ended by a line feed",
            "no chunk size",
        ],
        facts: &["log upstream_local_address"],
        reason: "whether a connection is at hand before a bad body is noticed depends on what came before",
    },
    Difference {
        exchanges: &["flawed behind another"],
        facts: &["log 2 method", "log 2 path", "log 2 authority"],
        reason: "a bad request is told as far as it could be read",
    },
    Difference {
        exchanges: &[
            "chunked behind a vertical tab",
            "the server for a target",
            "control byte in a value",
            "zero byte in a value",
            "101 lines",
            "70 kB of header",
        ],
        facts: &["log response_code_details"],
        reason: "there is one word for all that cannot be read, and one for all that is too large",
    },
    Difference {
        exchanges: &["options of the server"],
        facts: ALL,
        reason: "`OPTIONS *` is matched as path `/`; Envoy finds no route for it",
    },
    Difference {
        exchanges: &["method in small letters"],
        facts: ALL,
        reason: "any token is a method (RFC 9110, 9.1); Envoy knows a list",
    },
    Difference {
        exchanges: &["HTTP/1.0"],
        facts: ALL,
        reason: "old clients are served; Envoy asks them to upgrade",
    },
    Difference {
        exchanges: &["HTTP/1.2", "HTTP/3.0", "no version", "coding in HTTP/1.0"],
        facts: &[
            "status",
            "body",
            "header content-length",
            "log bytes_sent",
            "log response_code",
            "log response_code_details",
        ],
        reason: "what is no version of HTTP/1, or not in its version, is a bad request; Envoy asks to upgrade",
    },
    Difference {
        exchanges: &[
            "two spaces",
            "tab for a space",
            "bare carriage return",
            "chunk longer than said",
            "chunk ended by a line feed",
            "trailer ended by a line feed",
        ],
        facts: ALL,
        reason: "what RFC 9112 lets a server refuse is refused, as two readers may read it in two ways; Envoy mends it",
    },
    Difference {
        exchanges: &["non-ASCII byte"],
        facts: ALL,
        reason: "bytes above ASCII in a path are passed on as they came, as many applications expect UTF-8",
    },
    Difference {
        exchanges: &["preflight"],
        facts: &["header access-control-expose-headers"],
        reason: "a preflight has no use for it (Fetch standard, 3.2.3)",
    },
    Difference {
        exchanges: &["origin resets"],
        facts: &["origin requests"],
        reason: "a request that may be repeated is sent anew when a kept connection turns out to be closed",
    },
    Difference {
        exchanges: &["websocket"],
        facts: &["header x-envoy-upstream-service-time"],
        reason: "the time until an upgrade was granted is told too",
    },
    Difference {
        exchanges: &["websocket"],
        facts: &[
            "log upstream_service_time",
            "log response_code_details",
            "log response_flags",
        ],
        reason: "an upgraded connection that its upstream ends is over, not broken",
    },
];
