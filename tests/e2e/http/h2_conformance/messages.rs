//! Requests in HTTP/2: RFC 9113, 8.

use egret_tests::frames::{flag, frame, kind};

use crate::http::h2_conformance::{
    Expect, MALFORMED, Row, TOO_LATE, UNREADABLE, conforms, get, headers, post,
};

/// A GET with one field more.
fn with(about: &'static str, name: &str, value: &str, expect: Expect) -> Row {
    let fields = [&get("/get")[..], &[(name, value)]].concat();
    (about, headers(1, flag::WHOLE, &fields), expect)
}

#[test]
fn fields_are_http_2s() -> anyhow::Result<()> {
    conforms(
        "h2-fields",
        vec![
            with("an ordinary field", "x-a", "b", Expect::Answer(200)),
            with("capital letters in a name", "X-A", "b", UNREADABLE),
            with("a space in a name", "x a", "b", UNREADABLE),
            with("a colon in a name", "x:a", "b", UNREADABLE),
            with("no name", "", "b", UNREADABLE),
            with("a line's end in a value", "x-a", "b\r\nx-b: c", UNREADABLE),
            with("a zero in a value", "x-a", "b\0c", UNREADABLE),
            with("connection", "connection", "close", MALFORMED),
            with("keep-alive", "keep-alive", "timeout=5", MALFORMED),
            with("proxy-connection", "proxy-connection", "close", MALFORMED),
            with(
                "transfer-encoding",
                "transfer-encoding",
                "chunked",
                MALFORMED,
            ),
            with("upgrade", "upgrade", "websocket", MALFORMED),
            with("te: gzip", "te", "gzip", MALFORMED),
            with("te: trailers, gzip", "te", "trailers, gzip", MALFORMED),
            with("te: trailers", "te", "trailers", Expect::Answer(200)),
        ],
    )
}

#[test]
fn a_request_has_its_pseudo_fields_once_and_first() -> anyhow::Result<()> {
    let sent = |fields: &[(&str, &str)]| headers(1, flag::WHOLE, fields);
    let without = |name: &str| {
        let all = get("/get");
        let rest: Vec<_> = all.into_iter().filter(|field| field.0 != name).collect();
        sent(&rest)
    };
    let [method, scheme, path, authority] = get("/get");
    conforms(
        "h2-pseudo",
        vec![
            with("an unknown one", ":user", "me", UNREADABLE),
            with("one of responses", ":status", "200", MALFORMED),
            with("two methods", ":method", "GET", MALFORMED),
            with("two schemes", ":scheme", "http", MALFORMED),
            with("two paths", ":path", "/get", MALFORMED),
            with("two authorities", ":authority", "httpbin.org", MALFORMED),
            ("no method", without(":method"), MALFORMED),
            ("no scheme", without(":scheme"), MALFORMED),
            ("no path", without(":path"), MALFORMED),
            (
                "an empty path",
                sent(&[method, scheme, (":path", ""), authority]),
                MALFORMED,
            ),
            (
                "a path that is none",
                sent(&[method, scheme, (":path", "no/slash"), authority]),
                MALFORMED,
            ),
            (
                "one after a field",
                sent(&[method, scheme, ("x-a", "b"), path, authority]),
                MALFORMED,
            ),
            (
                "the host in place of the authority",
                sent(&[method, scheme, path, ("host", "httpbin.org")]),
                Expect::Answer(200),
            ),
            // 8.3.1: a server answers or resets it; without a name there is nowhere to go.
            (
                "no authority at all",
                without(":authority"),
                Expect::Answer(400),
            ),
            with(
                "the host beside the authority",
                "host",
                "httpbin.org",
                Expect::Answer(200),
            ),
            // 8.3.1 lets a server take it for malformed. The authority holds, as with Envoy: it decides, and it is what the
            // upstream gets for a host.
            with(
                "another host beside the authority",
                "host",
                "a.test",
                Expect::Answer(200),
            ),
            (
                "somebody's name in the authority",
                sent(&[method, scheme, path, (":authority", "me@httpbin.org")]),
                // 8.3.1: `:authority` must not have user information.
                MALFORMED,
            ),
            (
                "the server as a whole",
                sent(&[(":method", "OPTIONS"), scheme, (":path", "*"), authority]),
                // The origin has no such page.
                Expect::Answer(404),
            ),
        ],
    )
}

#[test]
fn connect_is_not_for_everyone() -> anyhow::Result<()> {
    let sent = |fields: &[(&str, &str)]| headers(1, flag::END_HEADERS, fields);
    let connect = (":method", "CONNECT");
    let [_, scheme, path, authority] = get("/get");
    conforms(
        "h2-connect",
        vec![
            (
                "a CONNECT that no route allows",
                sent(&[connect, (":authority", "httpbin.org:80")]),
                Expect::Answer(404),
            ),
            (
                "a CONNECT with scheme and path",
                sent(&[connect, scheme, path, authority]),
                MALFORMED,
            ),
            (
                "a CONNECT without an authority",
                sent(&[connect]),
                // Malformed, which may be answered before the stream ends (8.1.1); nobody registered its destination.
                Expect::Answer(502),
            ),
            (
                // RFC 8441: only for servers that offer it.
                "a WebSocket by CONNECT",
                sent(&[connect, (":protocol", "websocket"), scheme, path, authority]),
                MALFORMED,
            ),
        ],
    )
}

#[test]
fn bodies_are_as_long_as_they_say() -> anyhow::Result<()> {
    let posted = |length: &str, flags: u8, more: Vec<u8>| {
        let fields = [&post("/slow")[..], &[("content-length", length)]].concat();
        [headers(1, flags, &fields), more].concat()
    };
    let data = |flags, payload: &[u8]| frame(kind::DATA, flags, 1, payload);
    let open = flag::END_HEADERS;
    conforms(
        "h2-lengths",
        vec![
            (
                "as it says, in two pieces",
                posted("4", open, [data(0, b"ab"), data(1, b"cd")].concat()),
                Expect::Nothing,
            ),
            ("shorter", posted("4", open, data(1, b"abc")), MALFORMED),
            (
                "shorter, in two pieces",
                posted("4", open, [data(0, b"a"), data(1, b"b")].concat()),
                MALFORMED,
            ),
            ("longer", posted("4", open, data(1, b"abcde")), MALFORMED),
            (
                "none at all",
                posted("4", flag::WHOLE, Vec::new()),
                MALFORMED,
            ),
            (
                "no number",
                posted("four", open, data(1, b"abcd")),
                MALFORMED,
            ),
            (
                "two lengths",
                headers(
                    1,
                    open,
                    &[
                        &post("/slow")[..],
                        &[("content-length", "4"), ("content-length", "5")],
                    ]
                    .concat(),
                ),
                MALFORMED,
            ),
        ],
    )
}

#[test]
fn trailers_end_a_request() -> anyhow::Result<()> {
    let open = headers(1, flag::END_HEADERS, &post("/slow"));
    let after = |more: Vec<u8>| [open.clone(), frame(kind::DATA, 0, 1, b"ab"), more].concat();
    conforms(
        "h2-trailers",
        vec![
            (
                "trailers",
                after(headers(1, flag::WHOLE, &[("x-sum", "7")])),
                Expect::Nothing,
            ),
            (
                "trailers that do not end the stream",
                after(headers(1, flag::END_HEADERS, &[("x-sum", "7")])),
                MALFORMED,
            ),
            (
                "trailers with a pseudo field",
                after(headers(1, flag::WHOLE, &[(":method", "GET")])),
                // 8.1: pseudo fields in trailers are malformed.
                MALFORMED,
            ),
            (
                "DATA after trailers",
                after(
                    [
                        headers(1, flag::WHOLE, &[("x-sum", "7")]),
                        frame(kind::DATA, 1, 1, b"cd"),
                    ]
                    .concat(),
                ),
                TOO_LATE,
            ),
        ],
    )
}
