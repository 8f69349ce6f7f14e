//! Requests that are not what they should be, or nearly so.

use super::{BROKEN, Exchange, ask, get, raw};

pub(super) fn hygiene() -> Vec<Exchange> {
    let with = |name, lines: &str| ask(name, "GET", "/o/x", lines);
    let post = |name, rest: &str| ask(name, "POST", "/o/x", rest);
    let broken = |name, rest: &str| ask(name, "POST", BROKEN, rest);
    let first = |name, line: &str| raw(name, format!("{line}\r\nhost: app.example\r\n\r\n"));
    vec![
        raw("no host", "GET /o/x HTTP/1.1\r\n\r\n"),
        raw("empty host", "GET /o/x HTTP/1.1\r\nhost:\r\n\r\n"),
        with("two hosts", "host: other.example\r\n"),
        with("the same host twice", "host: app.example\r\n"),
        with("a host and an empty one", "host:\r\n"),
        ask(
            "absolute form and two hosts",
            "GET",
            "http://app.example/o/x",
            "host: other.example\r\n",
        ),
        raw(
            "host with a slash",
            "GET /o/x HTTP/1.1\r\nhost: app.example/x\r\n\r\n",
        ),
        raw(
            "host with a user",
            "GET /o/x HTTP/1.1\r\nhost: me@app.example\r\n\r\n",
        ),
        raw(
            "host with a space",
            "GET /o/x HTTP/1.1\r\nhost: app.example x\r\n\r\n",
        ),
        post(
            "length and chunked",
            "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "two lengths",
            "content-length: 4\r\ncontent-length: 5\r\n\r\nbody",
        ),
        post(
            "equal lengths",
            "content-length: 4\r\ncontent-length: 4\r\n\r\nbody",
        ),
        post("lengths in a list", "content-length: 4, 4\r\n\r\nbody"),
        post("length with a sign", "content-length: +4\r\n\r\nbody"),
        post("negative length", "content-length: -4\r\n\r\nbody"),
        post("hexadecimal length", "content-length: 0x4\r\n\r\nbody"),
        post(
            "huge length",
            "content-length: 99999999999999999999\r\n\r\nbody",
        ),
        post(
            "gzip and chunked",
            "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "identity",
            "transfer-encoding: identity\r\ncontent-length: 4\r\n\r\nbody",
        ),
        post(
            "chunked twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "chunked with a tab",
            "transfer-encoding:\tchunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "chunked hidden by a suffix",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        broken(
            "chunk size of letters",
            "transfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "chunk longer than said",
            "transfer-encoding: chunked\r\n\r\n2\r\nbody\r\n0\r\n\r\n",
        ),
        post(
            "length after chunked",
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        ),
        post(
            "length of nothing and chunked",
            "content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        post("gzip alone", "transfer-encoding: gzip\r\n\r\nbody"),
        post(
            "chunked and identity",
            "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        post("no coding", "transfer-encoding:\r\n\r\n0\r\n\r\n"),
        post(
            "chunked behind a vertical tab",
            "transfer-encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "chunked in quotes",
            "transfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        ),
        raw(
            "space before the colon of a coding",
            "POST /o/x HTTP/1.1\r\nhost: app.example\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        ),
        raw(
            "coding in HTTP/1.0",
            "POST /o/x HTTP/1.0\r\nhost: app.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        post(
            "length with zeros in front",
            "content-length: 0004\r\n\r\nbody",
        ),
        post(
            "length with a space in it",
            "content-length: 4 4\r\n\r\nbody",
        ),
        post("no length", "content-length:\r\n\r\n"),
        post("length and a comma", "content-length: 4,\r\n\r\nbody"),
        post(
            "three lengths, two of them equal",
            "content-length: 4\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nbody",
        ),
        post(
            "chunk extensions",
            "transfer-encoding: chunked\r\n\r\n4;a=\"b;c\";d\r\nbody\r\n0;e\r\n\r\n",
        ),
        post(
            "chunk size with zeros in front",
            "transfer-encoding: chunked\r\n\r\n0000004\r\nbody\r\n000\r\n\r\n",
        ),
        post(
            "trailers that frame",
            "transfer-encoding: chunked\r\ntrailer: content-length, transfer-encoding\r\nte: trailers\r\n\r\n4\r\nbody\r\n0\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        broken(
            "chunk size too large to count",
            "transfer-encoding: chunked\r\n\r\n10000000000000004\r\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "chunk size with a sign",
            "transfer-encoding: chunked\r\n\r\n+4\r\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "chunk size with a prefix",
            "transfer-encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "no chunk size",
            "transfer-encoding: chunked\r\n\r\n\r\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "chunk size ended by a line feed",
            "transfer-encoding: chunked\r\n\r\n4\nbody\r\n0\r\n\r\n",
        ),
        broken(
            "chunk ended by a line feed",
            "transfer-encoding: chunked\r\n\r\n4\r\nbody\n0\r\n\r\n",
        ),
        Exchange {
            responses: 2,
            ..raw(
                "flawed behind another",
                "GET /o/one HTTP/1.1\r\nhost: app.example\r\n\r\nPOST /o/two HTTP/1.1\r\nhost: app.example\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /o/three HTTP/1.1\r\nhost: app.example\r\n\r\n",
            )
        },
        Exchange {
            responses: 2,
            ..raw(
                "hidden in a body",
                "POST /o/one HTTP/1.1\r\nhost: app.example\r\ncontent-length: 47\r\n\r\nGET /o/hidden HTTP/1.1\r\nhost: app.example\r\n\r\n\r\nGET /o/two HTTP/1.1\r\nhost: app.example\r\n\r\n",
            )
        },
        ask(
            "long body of a refused request",
            "POST",
            "/nowhere",
            &format!("content-length: 300000\r\n\r\n{}", "x".repeat(300_000)),
        ),
        raw(
            "space before the colon",
            "POST /o/x HTTP/1.1\r\nhost: app.example\r\ncontent-length : 4\r\n\r\nbody",
        ),
        with("folded line", "x-a: 1\r\n 2\r\n"),
        with("folded with a tab and a line feed", "x-a: 1\n\t2\n"),
        with("folded to nothing", "x-a: 1\r\n \r\n"),
        with("folded around nothing", "x-a: 1\r\n \r\n\t2\r\n"),
        with("folded name", "x-a\r\n : 1\r\n"),
        with("folded coding", "x-a: 1\r\n transfer-encoding: chunked\r\n"),
        raw(
            "folded host",
            "GET /o/x HTTP/1.1\r\nhost:\r\n app.example\r\n\r\n",
        ),
        post("folded length", "content-length:\r\n 4\r\n\r\nbody"),
        broken("two folded lengths", "content-length: 4\r\n 4\r\n\r\nbody"),
        post(
            "folded chunked",
            "transfer-encoding:\r\n chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        post(
            "folded trailer",
            "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\r\n 2\r\n\r\n",
        ),
        broken(
            "trailer that goes on from none",
            "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n x-t: 1\r\n\r\n",
        ),
        broken(
            "trailer ended by a line feed",
            "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\n\r\n\r\n",
        ),
        raw(
            "folded first line",
            "GET /o/x HTTP/1.1\r\n x: 1\r\nhost: app.example\r\n\r\n",
        ),
        with("no colon", "nonsense\r\n"),
        with("empty name", ": 1\r\n"),
        with("space in a name", "x a: 1\r\n"),
        with("control byte in a value", "x-a: 1\u{1}2\r\n"),
        with("zero byte in a value", "x-a: 1\u{0}2\r\n"),
        with("bare carriage return", "x-a: 1\r2\r\n"),
        raw(
            "bare line feeds",
            "GET /o/x HTTP/1.1\nhost: app.example\n\n",
        ),
        raw(
            "empty lines first",
            "\r\n\r\nGET /o/x HTTP/1.1\r\nhost: app.example\r\n\r\n",
        ),
        with("101 lines", &"x-a: 1\r\n".repeat(101)),
        with("90 lines", &"x-a: 1\r\n".repeat(90)),
        with(
            "70 kB of header",
            &format!("x-a: {}\r\n", "a".repeat(70_000)),
        ),
        with(
            "50 kB of header",
            &format!("x-a: {}\r\n", "a".repeat(50_000)),
        ),
        get("long target", &format!("/o/{}", "a".repeat(9_000))),
        first("HTTP/1.0", "GET /o/x HTTP/1.0"),
        first("HTTP/1.2", "GET /o/x HTTP/1.2"),
        first("HTTP/3.0", "GET /o/x HTTP/3.0"),
        first("no version", "GET /o/x"),
        first("version in small letters", "GET /o/x http/1.1"),
        first("two spaces", "GET  /o/x  HTTP/1.1"),
        first("tab for a space", "GET\t/o/x\tHTTP/1.1"),
        first("method in small letters", "get /o/x HTTP/1.1"),
        first("method with a slash", "G/T /o/x HTTP/1.1"),
        raw(
            "tls hello",
            &b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"[..],
        ),
        raw("binary", &b"\x00\x01\x02\x03\r\n\r\n"[..]),
        raw("ssh", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        with(
            "upgrade to h2c",
            "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
        ),
        with(
            "upgrade of an unknown kind",
            "connection: Upgrade\r\nupgrade: nonsense\r\n",
        ),
        with("upgrade without connection", "upgrade: websocket\r\n"),
    ]
}
