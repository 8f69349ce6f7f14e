//! Requests behind a PROXY header.

use super::{Exchange, raw};

const REQUEST: &str = "GET /o/x HTTP/1.1\r\nhost: app.example\r\n\r\n";

/// What version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a gateway that wants to know who its clients are is asked.
pub(crate) fn of_proxied() -> Vec<Exchange> {
    let line = |name, line: &str| raw(name, format!("PROXY {line}\r\n{REQUEST}"));
    let v4 = [203, 0, 113, 7, 198, 51, 100, 1, 0x12, 0x67, 0x20, 0xfb];
    let mut v6 = Vec::new();
    for last in [7, 1] {
        v6.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
        ]);
    }
    v6.extend([0x12, 0x67, 0x20, 0xfb]);
    let authority = [&v4[..], &[2, 0, 3], b"sni"].concat();
    vec![
        line("line", "TCP4 203.0.113.7 198.51.100.1 4711 8443"),
        line("line of IPv6", "TCP6 2001:db8::7 2001:db8::1 4711 8443"),
        line("line of nobody", "UNKNOWN"),
        line(
            "line of nobody with addresses",
            "UNKNOWN 203.0.113.7 198.51.100.1 4711 8443",
        ),
        line(
            "line of another family",
            "TCP6 203.0.113.7 198.51.100.1 4711 8443",
        ),
        line("line without ports", "TCP4 203.0.113.7 198.51.100.1"),
        line("line of no address", "TCP4 somebody 198.51.100.1 4711 8443"),
        line(
            "line with a port too large",
            "TCP4 203.0.113.7 198.51.100.1 4711 84430",
        ),
        line(
            "line of datagrams",
            "UDP4 203.0.113.7 198.51.100.1 4711 8443",
        ),
        raw("no header", REQUEST),
        raw(
            "line, and a forwarded client",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\nGET /o/x HTTP/1.1\r\nhost: app.example\r\nx-forwarded-for: 192.0.2.1\r\nx-forwarded-port: 1\r\nx-envoy-external-address: 192.0.2.2\r\n\r\n",
        ),
        raw(
            "line, and no route",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\nGET / HTTP/1.1\r\nhost: other.example\r\n\r\n",
        ),
        raw(
            "line, and a redirect",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\nGET /to HTTP/1.1\r\nhost: app.example\r\n\r\n",
        ),
        raw(
            "line, and a line for the upstream",
            "PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\nGET /out HTTP/1.1\r\nhost: app.example\r\n\r\n",
        ),
        line(
            "line of a private client",
            "TCP4 10.1.2.3 198.51.100.1 4711 8443",
        ),
        binary("binary", 0x21, 0x11, &v4),
        binary("binary of IPv6", 0x21, 0x21, &v6),
        binary("binary with more", 0x21, 0x11, &authority),
        binary("binary of the balancer itself", 0x20, 0, &[]),
        binary(
            "binary of the balancer itself, with addresses",
            0x20,
            0x11,
            &v4,
        ),
        binary("binary of no family", 0x21, 0, &[]),
        binary("binary of datagrams", 0x21, 0x12, &v4),
        binary("binary of another version", 0x31, 0x11, &v4),
        binary("binary of another command", 0x22, 0x11, &v4),
        binary("binary too short", 0x21, 0x11, &v4[..8]),
    ]
}

fn binary(name: &'static str, command: u8, family: u8, rest: &[u8]) -> Exchange {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    let head = [SIGNATURE, &[command, family], &length, rest].concat();
    raw(name, [&head, REQUEST.as_bytes()].concat())
}
