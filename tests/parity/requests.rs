//! The requests that are sent through both proxies.

/// One exchange: the bytes a client sends, and how many final responses it reads.
pub(crate) struct Exchange {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) responses: usize,
}

/// A target of requests that break off. When the origin notices is a matter of luck, so what it sees of them is not
/// compared.
pub(crate) const BROKEN: &str = "/o/broken";

fn raw(name: &'static str, bytes: impl Into<Vec<u8>>) -> Exchange {
    Exchange {
        name,
        bytes: bytes.into(),
        responses: 1,
    }
}

/// A request to the host that has routes; `rest` is further lines, each with its end, and after an empty one the body.
fn ask(name: &'static str, method: &str, target: &str, rest: &str) -> Exchange {
    let host = "host: app.example\r\n";
    let rest = if rest.contains("\r\n\r\n") {
        rest.to_owned()
    } else {
        format!("{rest}\r\n")
    };
    raw(name, format!("{method} {target} HTTP/1.1\r\n{host}{rest}"))
}

fn get(name: &'static str, target: &str) -> Exchange {
    ask(name, "GET", target, "")
}

/// What a gateway is asked.
pub(crate) fn of_gateway() -> Vec<Exchange> {
    let mut all = plain();
    all.extend(targets());
    all.extend(routes());
    all.extend(headers());
    all.extend(bodies());
    all.extend(hygiene());
    all.extend(origins());
    all
}

fn plain() -> Vec<Exchange> {
    vec![
        get("plain", "/o/x"),
        ask("head", "HEAD", "/o/x", ""),
        ask("options", "OPTIONS", "/o/x", ""),
        ask("delete", "DELETE", "/o/x", ""),
        ask("unknown method", "PURGE", "/o/x", ""),
        ask("trace", "TRACE", "/o/x", ""),
        ask("asked to close", "GET", "/o/x", "connection: close\r\n"),
        Exchange {
            responses: 2,
            ..raw(
                "pipelined",
                "GET /o/one HTTP/1.1\r\nhost: app.example\r\n\r\nGET /o/two HTTP/1.1\r\nhost: app.example\r\n\r\n",
            )
        },
        raw(
            "no such host",
            "GET / HTTP/1.1\r\nhost: other.example\r\n\r\n",
        ),
        raw(
            "host with port",
            "GET /o/x HTTP/1.1\r\nhost: app.example:80\r\n\r\n",
        ),
        raw(
            "host in capitals",
            "GET /o/x HTTP/1.1\r\nHost: APP.Example\r\n\r\n",
        ),
        raw(
            "host with a final dot",
            "GET /o/x HTTP/1.1\r\nhost: app.example.\r\n\r\n",
        ),
        get("no such path", "/nowhere"),
        raw(
            "to https",
            "GET /path?q=1 HTTP/1.1\r\nhost: secure.example\r\n\r\n",
        ),
        raw(
            "to https with port",
            "GET /path HTTP/1.1\r\nhost: secure.example:8080\r\n\r\n",
        ),
    ]
}

fn targets() -> Vec<Exchange> {
    vec![
        get("query", "/o/x?a=1&b=%20"),
        get("fragment", "/o/x#here"),
        get("dot segments", "/o/../o/./x"),
        get("above the root", "/../o/x"),
        get("escaped dot segments", "/o/%2e%2e/o/x"),
        get("escaped letter", "/o/%61"),
        get("escaped slash", "/o%2Fx"),
        get("two slashes", "/o//x"),
        get("backslash", "/o\\x"),
        get("non-ASCII byte", "/o/\u{e4}"),
        get("space in the target", "/o/a b"),
        get("absolute form", "http://app.example/o/x"),
        raw(
            "absolute form against host",
            "GET http://app.example/o/x HTTP/1.1\r\nhost: other.example\r\n\r\n",
        ),
        get("absolute https form", "https://app.example/o/x"),
        get("absolute form with a user", "http://me:you@app.example/o/x"),
        get("absolute form of another scheme", "ftp://app.example/o/x"),
        ask("options of the server", "OPTIONS", "*", ""),
        get("relative target", "o/x"),
        raw(
            "connect",
            "CONNECT app.example:80 HTTP/1.1\r\nhost: app.example:80\r\n\r\n",
        ),
        get("empty query", "/o/x?"),
    ]
}

fn routes() -> Vec<Exchange> {
    let mut all = vec![
        get("redirect", "/redirect/a?q=1"),
        get("redirect to another scheme", "/moved/a?q=1"),
        get("direct answer", "/direct"),
        ask("direct answer to head", "HEAD", "/direct", ""),
        get("rewritten prefix", "/rewrite/a?q=1"),
        get("rewritten by regex", "/regex/42?q=1"),
        get("regex that does not match whole", "/regex/42/x"),
        get("aborted", "/abort"),
        get("too late", "/timeout/silent"),
        get("tries too late", "/tries/silent"),
        get("retried", "/retry/500"),
        ask(
            "retried with a body",
            "POST",
            "/retry/500",
            "content-length: 4\r\n\r\nbody",
        ),
        get("not retried", "/once/503"),
        get("no such cluster", "/nocluster"),
        get("no endpoint", "/noendpoint"),
        get("nobody listens", "/dead"),
        ask(
            "headers changed",
            "GET",
            "/headers/server",
            "x-gone: 1\r\nx-set: 0\r\nx-add: 0\r\n",
        ),
        ask(
            "matched by header",
            "GET",
            "/matched",
            "x-version: 1\r\nx-version: 2\r\n",
        ),
        ask(
            "matched by one header line",
            "GET",
            "/matched",
            "x-version: 1,2\r\n",
        ),
        get("matched by query", "/matched?version=2"),
        ask(
            "matched by method",
            "PUT",
            "/matched",
            "content-length: 0\r\n",
        ),
        get("not matched", "/matched"),
        get("exact path", "/a/b"),
        get("exact path with a slash more", "/a/b/"),
        get("exact path by dot segments", "/a/c/../b"),
    ];
    let preflight = |name, origin: &str| {
        let lines = format!("origin: {origin}\r\naccess-control-request-method: PUT\r\n");
        ask(name, "OPTIONS", "/cors/x", &lines)
    };
    all.push(preflight("preflight", "http://good.example"));
    all.push(preflight("preflight of a stranger", "http://bad.example"));
    all.push(ask(
        "cors",
        "GET",
        "/cors/x",
        "origin: http://good.example\r\n",
    ));
    all.push(ask(
        "cors of a stranger",
        "GET",
        "/cors/x",
        "origin: http://bad.example\r\n",
    ));
    all
}

fn headers() -> Vec<Exchange> {
    let with = |name, lines: &str| ask(name, "GET", "/o/x", lines);
    vec![
        with("own request id", "x-request-id: mine\r\n"),
        with(
            "forwarded for",
            "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: https\r\n",
        ),
        with(
            "forwarded host and port",
            "x-forwarded-host: h\r\nx-forwarded-port: 1\r\nforwarded: for=1\r\n",
        ),
        with(
            "envoy's own headers",
            "x-envoy-attempt-count: 9\r\nx-envoy-original-path: /e\r\nx-envoy-internal: true\r\nx-envoy-external-address: 1.2.3.4\r\n",
        ),
        with(
            "retries asked for",
            "x-envoy-max-retries: 5\r\nx-envoy-retry-on: 5xx\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n",
        ),
        with(
            "hop by hop",
            "connection: keep-alive, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\nproxy-connection: keep-alive\r\nte: trailers\r\n",
        ),
        with("te of another kind", "te: gzip\r\n"),
        with(
            "client certificate claimed",
            "x-forwarded-client-cert: Hash=1\r\n",
        ),
        with(
            "repeated",
            "x-a: 1\r\nx-b: 2\r\nx-a: 3\r\ncookie: a=1\r\ncookie: b=2\r\n",
        ),
        with("spaces around a value", "x-a:   1  \t\r\n"),
        with("empty value", "x-a:\r\n"),
        with("bytes above ASCII", "x-a: \u{e4}\r\n"),
        with("underscore", "x_a: 1\r\n"),
        with(
            "user agent and accept",
            "user-agent: curl/8\r\naccept: */*\r\naccept-encoding: gzip\r\n",
        ),
        with("expect nothing known", "expect: something\r\n"),
        with("grpc without a route", "content-type: application/grpc\r\n"),
        ask(
            "grpc refused",
            "POST",
            "/nowhere",
            "content-type: application/grpc\r\ncontent-length: 0\r\n",
        ),
        ask(
            "grpc without endpoint",
            "POST",
            "/noendpoint",
            "content-type: application/grpc\r\ncontent-length: 0\r\n",
        ),
    ]
}

fn bodies() -> Vec<Exchange> {
    let post = |name, rest: &str| ask(name, "POST", "/o/x", rest);
    vec![
        post("body with a length", "content-length: 4\r\n\r\nbody"),
        post("empty body", "content-length: 0\r\n\r\n"),
        post("no body said", ""),
        post(
            "chunked body",
            "transfer-encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\n\r\n",
        ),
        post(
            "chunked in capitals",
            "Transfer-Encoding: Chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        post(
            "trailers",
            "transfer-encoding: chunked\r\ntrailer: x-t\r\nte: trailers\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\r\n\r\n",
        ),
        post(
            "continue",
            "expect: 100-continue\r\ncontent-length: 4\r\n\r\nbody",
        ),
        ask(
            "get with a body",
            "GET",
            "/o/x",
            "content-length: 4\r\n\r\nbody",
        ),
        ask(
            "body of a refused request",
            "POST",
            "/nowhere",
            "content-length: 4\r\n\r\nbody",
        ),
    ]
}

fn hygiene() -> Vec<Exchange> {
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

fn origins() -> Vec<Exchange> {
    let mut all: Vec<_> = [
        ("chunked answer", "/o/chunked"),
        ("trailers of an answer", "/o/trailers"),
        ("answer to the end", "/o/close"),
        ("HTTP/1.0 origin", "/o/http10"),
        ("early hints", "/o/hints"),
        ("origin resets", "/o/reset"),
        ("origin speaks no HTTP", "/o/garbage"),
        ("answer with equal lengths", "/o/twolengths"),
        ("answer with two lengths", "/o/differ"),
        ("answer with a folded line", "/o/fold"),
        ("answer cut off", "/o/partial"),
        ("cookies set", "/o/cookies"),
        ("origin names itself", "/o/server"),
        ("hop by hop of an answer", "/o/hop"),
        ("dated answer", "/o/dated"),
        ("30 kB of answer header", "/o/big"),
        ("70 kB of answer header", "/o/huge"),
        ("answer with a list of lengths", "/o/lengths"),
        ("answer without a reason", "/o/noreason"),
        ("answer in capitals", "/o/upper"),
        ("no content", "/o/204"),
        ("not modified", "/o/304"),
        ("origin's 500", "/o/500"),
        ("origin's 503", "/o/503"),
        ("origin redirects", "/o/redirected"),
    ]
    .into_iter()
    .map(|(name, target)| get(name, target))
    .collect();
    all.push(ask("head of a chunked answer", "HEAD", "/o/204", ""));
    all.push(ask(
        "websocket",
        "GET",
        "/o/upgrade",
        "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n",
    ));
    all
}

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

/// A call that curl makes over HTTP/2.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

/// What a gateway is asked over HTTP/2, known beforehand.
pub(crate) fn over_http2() -> Vec<Call> {
    let grpc: &[&str] = &[
        "-H",
        "content-type: application/grpc",
        "-H",
        "te: trailers",
        "-d",
        "",
    ];
    let calls: [(_, _, &[&str]); 23] = [
        ("plain", "/o/x?a=1", &[]),
        ("head", "/o/x", &["-I"]),
        ("body with a length", "/o/x", &["-d", "body"]),
        ("put without a body", "/o/x", &["-X", "PUT"]),
        (
            "headers",
            "/headers/server",
            &["-H", "x-gone: 1", "-H", "x-a: 1", "-H", "x-a: 2"],
        ),
        ("cookies", "/o/cookies", &["-H", "cookie: a=1; b=2"]),
        (
            "forwarded for",
            "/o/x",
            &["-H", "x-forwarded-for: 192.0.2.1"],
        ),
        ("hop by hop", "/o/hop", &["-H", "te: trailers"]),
        ("rewritten", "/rewrite/a", &[]),
        ("redirect", "/redirect", &[]),
        ("direct answer", "/direct", &[]),
        ("aborted", "/abort", &[]),
        ("too late", "/timeout/silent", &[]),
        ("retried with a body", "/retry/500", &["-d", "body"]),
        ("no such path", "/nowhere", &[]),
        ("no such host", "/o/x", &["-H", "host: other.example"]),
        ("no endpoint", "/noendpoint", &[]),
        ("chunked answer", "/o/chunked", &[]),
        ("answer to the end", "/o/close", &[]),
        ("no content", "/o/204", &[]),
        ("origin resets", "/o/reset", &["-d", "body"]),
        ("grpc refused", "/nowhere", grpc),
        ("grpc without endpoint", "/noendpoint", grpc),
    ];
    calls
        .into_iter()
        .map(|(name, target, arguments)| Call {
            name,
            target,
            arguments,
        })
        .collect()
}
