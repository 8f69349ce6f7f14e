//! Calls over HTTP/2.

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
