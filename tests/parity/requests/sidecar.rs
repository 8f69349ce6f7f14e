//! What a sidecar is asked.

use super::{Exchange, raw};

/// What a sidecar is asked, by calls to port 80 of the origin's address.
pub(crate) fn of_sidecar() -> Vec<Exchange> {
    let to = |name, host: &str, target: &str, lines: &str| {
        raw(
            name,
            format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n"),
        )
    };
    let origin = "origin.example";
    vec![
        to("plain", origin, "/x", ""),
        to("host with port", "origin.example:80", "/x", ""),
        to("host with a final dot", "origin.example.", "/x", ""),
        to("unknown host", "unknown.example", "/x", ""),
        raw(
            "head of an unknown host",
            "HEAD /x HTTP/1.1\r\nhost: unknown.example\r\n\r\n",
        ),
        raw(
            "options of the server",
            "OPTIONS * HTTP/1.1\r\nhost: unknown.example\r\n\r\n",
        ),
        to(
            "forwarded for",
            origin,
            "/x",
            "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: https\r\n",
        ),
        to(
            "envoy's own headers",
            origin,
            "/x",
            "x-envoy-attempt-count: 9\r\nx-envoy-original-path: /e\r\nx-envoy-internal: true\r\nx-envoy-external-address: 1.2.3.4\r\n",
        ),
        to("own request id", origin, "/x", "x-request-id: mine\r\n"),
        to(
            "client certificate claimed",
            origin,
            "/x",
            "x-forwarded-client-cert: Hash=1\r\n",
        ),
        to(
            "hop by hop",
            origin,
            "/x",
            "connection: keep-alive, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\n",
        ),
        to("origin names itself", origin, "/server", ""),
        to("origin resets", origin, "/reset", ""),
        to("two hosts", origin, "/x", "host: other.example\r\n"),
        raw("no host", "GET /x HTTP/1.1\r\n\r\n"),
        raw("empty host", "GET /x HTTP/1.1\r\nhost:\r\n\r\n"),
        raw(
            "length and chunked",
            "POST /x HTTP/1.1\r\nhost: origin.example\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        raw(
            "chunked body",
            "POST /x HTTP/1.1\r\nhost: origin.example\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        raw(
            "method in small letters",
            "get /x HTTP/1.1\r\nhost: origin.example\r\n\r\n",
        ),
        raw(
            "HTTP/1.0",
            "GET /x HTTP/1.0\r\nhost: origin.example\r\n\r\n",
        ),
        raw("binary", &b"\x00\x01\x02\x03\r\n\r\n"[..]),
        raw(
            "absolute form",
            "GET http://origin.example/x HTTP/1.1\r\nhost: unknown.example\r\n\r\n",
        ),
        Exchange {
            responses: 2,
            ..raw(
                "pipelined",
                "GET /one HTTP/1.1\r\nhost: origin.example\r\n\r\nGET /two HTTP/1.1\r\nhost: unknown.example\r\n\r\n",
            )
        },
    ]
}
