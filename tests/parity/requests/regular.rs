//! Requests in good form: targets, routes, headers, bodies, and what origins answer.

use super::{Exchange, ask, get, raw};

pub(super) fn plain() -> Vec<Exchange> {
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
        raw(
            "host with an empty port",
            "GET /o/x HTTP/1.1\r\nhost: app.example:\r\n\r\n",
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

pub(super) fn targets() -> Vec<Exchange> {
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
        get("dot segment with parameters", "/o/a/..;b=c/x"),
        get("what no path may have", "/o/\"<x>^`{|}[]"),
        get("what no query may have", "/o/x?q={\"a\":\"<b>`\"}"),
        get("escaped zero byte", "/o/%00"),
        get("escaped zero byte in the query", "/o/x?%00"),
        get("host for a target", "app.example"),
        get("the server for a target", "*"),
        raw(
            "host in brackets",
            "GET /o/x HTTP/1.1\r\nhost: [app.example]\r\n\r\n",
        ),
        raw(
            "host with a port too large",
            "GET /o/x HTTP/1.1\r\nhost: app.example:99999\r\n\r\n",
        ),
        raw(
            "host with a port that is none",
            "GET /o/x HTTP/1.1\r\nhost: app.example:x\r\n\r\n",
        ),
    ]
}

pub(super) fn routes() -> Vec<Exchange> {
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

pub(super) fn headers() -> Vec<Exchange> {
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
            "more of envoy's own headers",
            "x-envoy-upstream-alt-stat-name: a\r\nx-envoy-upstream-stream-duration-ms: 1\r\nx-envoy-ip-tags: a\r\nx-envoy-original-url: /a\r\nx-envoy-peer-metadata-id: a\r\n",
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

pub(super) fn bodies() -> Vec<Exchange> {
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

pub(super) fn origins() -> Vec<Exchange> {
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
        ("answer with a length and chunked", "/o/both"),
        ("answer with another coding", "/o/coded"),
        ("answer chunked twice", "/o/chunkedtwice"),
        ("answer that says identity", "/o/identity"),
        ("no content with a length", "/o/204long"),
        ("no content, chunked", "/o/204chunked"),
        ("no content of no length", "/o/204empty"),
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
