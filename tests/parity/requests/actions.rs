//! Further actions of routes: when tries are repeated, faults, redirects, rewrites, headers, CORS, policies.

use super::{Exchange, ask, get};

/// What is asked of a gateway whose routes do all this.
pub(crate) fn of_routes() -> Vec<Exchange> {
    let mut all = retries();
    all.extend(grpc_retries());
    all.extend(faults());
    all.extend(redirects());
    all.extend(rewrites());
    all.extend(headers());
    all.extend(cors());
    all.extend(policies());
    all
}

fn named(targets: &[&'static str]) -> Vec<Exchange> {
    targets.iter().map(|target| get(target, target)).collect()
}

fn retries() -> Vec<Exchange> {
    let mut all = named(&[
        "/5xx/500",
        "/5xx/503",
        "/5xx/404",
        "/5xx/reset",
        "/5xx/garbage",
        "/gateway/502",
        "/gateway/503",
        "/gateway/504",
        "/gateway/500",
        "/gateway/reset",
        "/reset/reset",
        "/reset/503",
        "/reset/partial",
        "/before/reset",
        "/connect/reset",
        "/connectdead/x",
        "/4xx/409",
        "/4xx/404",
        "/codes/418",
        "/codes/503",
        "/codes/429",
        "/named/429",
        "/named/500",
        "/limited/limited",
        "/limited/429",
        "/5xxlimited/limited503",
        "/try/silent",
        "/try/503",
        "/tryreset/silent",
        "/backoff/500",
    ]);
    all.push(ask(
        "posted again",
        "POST",
        "/5xx/503",
        "content-length: 4\r\n\r\nbody",
    ));
    all
}

/// Statuses of gRPC in answers without a body.
fn grpc_retries() -> Vec<Exchange> {
    [
        ("grpc cancelled", "/grpc-cancelled/grpc1"),
        ("grpc cancelled, another", "/grpc-cancelled/grpc14"),
        ("grpc deadline exceeded", "/grpc-deadline-exceeded/grpc4"),
        ("grpc internal", "/grpc-internal/grpc13"),
        ("grpc resource exhausted", "/grpc-resource-exhausted/grpc8"),
        ("grpc unavailable", "/grpc-unavailable/grpc14"),
        ("grpc unavailable, another", "/grpc-unavailable/grpc13"),
        ("grpc unavailable, none", "/grpc-unavailable/grpc0"),
        ("grpc unavailable, by default", "/o/grpc14"),
    ]
    .into_iter()
    .map(|(name, target)| {
        let lines = "content-type: application/grpc\r\nte: trailers\r\ncontent-length: 0\r\n";
        ask(name, "POST", target, lines)
    })
    .collect()
}

fn faults() -> Vec<Exchange> {
    named(&[
        "/delayed/x",
        "/undelayed/x",
        "/both/x",
        "/unaborted/x",
        "/delayedunaborted/x",
    ])
}

fn redirects() -> Vec<Exchange> {
    let mut all = named(&[
        "/to/uri/a?q=1",
        "/to/uri/a",
        "/to/query/a?q=1",
        "/to/authority/a?q=1",
        "/to/port/a",
        "/to/authorityport/a",
        "/to/authoritywithport/a",
        "/to/requestport/a",
        "/to/requestporthttp/a",
        "/to/protocolport/a",
        "/to/scheme/a?q=%20",
        "/to/all/a?q=1",
        "/to/defaultport/a",
        "/to/code302/a",
        "/to/code303/a",
        "/to/code307/a",
        "/to/code308/a",
        "/to/exact?q=1",
    ]);
    let on_port = |name, target: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: app.example:8080\r\n\r\n");
        super::raw(name, bytes)
    };
    all.push(on_port("port in the host, scheme", "/to/scheme/a"));
    all.push(on_port("port in the host, port", "/to/port/a"));
    all.push(on_port("port in the host, uri", "/to/uri/a"));
    all.push(on_port(
        "port in the host, default port",
        "/to/defaultport/a",
    ));
    all.push(ask(
        "redirected post",
        "POST",
        "/to/code307/a",
        "content-length: 4\r\n\r\nbody",
    ));
    all
}

fn rewrites() -> Vec<Exchange> {
    named(&[
        "/rr/a/b?q=1",
        "/rr",
        "/rrx",
        "/rs/a",
        "/rs/?q",
        "/rl/a",
        "/rl",
        "/re/x?q=1",
        "/rx/abc?q=1",
        "/sw/one/two?q=1",
        "/sw/one/two/three",
        "/each/banana?a=a",
        "/rh/a",
    ])
}

fn headers() -> Vec<Exchange> {
    let mut all = named(&["/sethost/a", "/percent/a", "/variable/a"]);
    all.push(ask(
        "many headers",
        "GET",
        "/multi/server",
        "user-agent: yours\r\ncookie: a=1\r\naccept: */*\r\nx-gone: 1\r\nX-Gone: 2\r\nx-add: 0\r\n",
    ));
    all
}

fn cors() -> Vec<Exchange> {
    let of = |name, method: &str, path: &str, origin: &str, rest: &str| {
        let lines = format!("origin: {origin}\r\n{rest}");
        ask(name, method, path, &lines)
    };
    let asked = "access-control-request-method: PUT\r\n";
    let both =
        "access-control-request-method: PUT\r\naccess-control-request-headers: x-one, x-two\r\n";
    vec![
        of(
            "any origin, preflight",
            "OPTIONS",
            "/corsany/x",
            "http://a.example",
            asked,
        ),
        of(
            "any origin, preflight with headers",
            "OPTIONS",
            "/corsany/x",
            "http://a.example",
            both,
        ),
        of("any origin", "GET", "/corsany/x", "http://a.example", ""),
        of("null origin", "GET", "/corsany/x", "null", ""),
        of(
            "any origin, credentials",
            "GET",
            "/corsanycred/x",
            "http://a.example",
            "",
        ),
        of(
            "any origin, credentials, preflight",
            "OPTIONS",
            "/corsanycred/x",
            "http://a.example",
            asked,
        ),
        of(
            "origin by regex",
            "GET",
            "/corsregex/x",
            "https://a.good.example",
            "",
        ),
        of(
            "origin by regex, preflight",
            "OPTIONS",
            "/corsregex/x",
            "https://a.good.example",
            asked,
        ),
        of(
            "origin by regex, longer",
            "GET",
            "/corsregex/x",
            "https://a.good.example.evil",
            "",
        ),
        of(
            "origin by prefix",
            "GET",
            "/corsregex/x",
            "http://pre.any",
            "",
        ),
        of(
            "options without a method asked for",
            "OPTIONS",
            "/corsregex/x",
            "http://pre.any",
            "",
        ),
        of(
            "origin's own cors",
            "GET",
            "/corsregex/cors",
            "http://pre.any",
            "",
        ),
    ]
}

fn policies() -> Vec<Exchange> {
    let mut all = named(&[
        "/said",
        "/saidbytes",
        "/nothing",
        "/redirected",
        "/late/x",
        "/lateagain/x",
        "/unreachable/x",
        "/ejected/500",
        "/ejected/503",
        "/ejected/x",
    ]);
    all.push(Exchange {
        beside: Some((
            "POST /full/slow HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\ncontent-length: 4\r\n\r\n",
            "body",
        )),
        ..get("one too many", "/full/x")
    });
    for (name, time, path) in [
        ("grpc-timeout above the route's", "10S", "/grpctime/x"),
        ("grpc-timeout below the route's", "100m", "/grpctime/silent"),
        ("grpc-timeout of nothing", "0S", "/grpctime/x"),
        ("grpc-timeout in hours", "1H", "/o/x"),
        ("grpc-timeout in nanoseconds", "90000000n", "/o/x"),
        ("grpc-timeout that is none", "soon", "/grpctime/x"),
    ] {
        let lines = format!(
            "content-type: application/grpc\r\ncontent-length: 0\r\ngrpc-timeout: {time}\r\n"
        );
        all.push(ask(name, "POST", path, &lines));
    }
    all
}
