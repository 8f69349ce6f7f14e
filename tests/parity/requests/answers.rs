//! Exchanges in which the proxy itself answers, or a limit or a policy of a route decides what its client hears.

use super::{Exchange, ask, get};

/// Local answers, time limits, faults, and answers before the request's end.
pub(super) fn all() -> Vec<Exchange> {
    let mut all = vec![
        long("retried with a long body", 500_000),
        long("not retried with a longer body", 2_000_000),
        get("the answer takes too long", "/timeout/drip"),
        get("delayed for longer than the timeout", "/delayed"),
        get("aborted with a status of gRPC", "/grpcabort"),
        get("local answer with headers set", "/setdead"),
        get("direct answer with headers set", "/setdirect"),
        half("answered early", "/o/early"),
        half("refused early", "/noendpoint"),
        half("answered directly early", "/direct"),
        ask(
            "preflight of a stranger, ignored",
            "OPTIONS",
            "/ignore/x",
            "origin: http://bad.example\r\naccess-control-request-method: PUT\r\n",
        ),
    ];
    all.extend(grpc());
    all
}

fn long(name: &'static str, length: usize) -> Exchange {
    let body = "x".repeat(length);
    let rest = format!("content-length: {length}\r\n\r\n{body}");
    ask(name, "POST", "/retry/500", &rest)
}

/// A request whose body does not come to its end.
fn half(name: &'static str, target: &str) -> Exchange {
    ask(name, "POST", target, "content-length: 8\r\n\r\nhalf")
}

fn grpc() -> Vec<Exchange> {
    [
        ("grpc redirected", "/redirect", ""),
        ("grpc answered directly", "/direct", ""),
        ("grpc answered directly with 404", "/setdirect", ""),
        ("grpc aborted", "/abort", ""),
        ("grpc aborted with a status of its own", "/grpcabort", ""),
        ("grpc nobody listens", "/setdead", ""),
        ("grpc too late", "/timeout/silent", ""),
        ("grpc in less time", "/timeout/x", "grpc-timeout: 100m\r\n"),
        ("grpc in more time", "/timeout/x", "grpc-timeout: 10S\r\n"),
        ("grpc in its own time", "/o/x", "grpc-timeout: 10S\r\n"),
    ]
    .into_iter()
    .map(|(name, target, line)| {
        let lines = format!("content-type: application/grpc\r\ncontent-length: 0\r\n{line}");
        ask(name, "POST", target, &lines)
    })
    .collect()
}
