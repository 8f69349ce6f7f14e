//! `egret-proxy explain --output json`: every verdict and the fields it comes with.

use serde_json::{Value, json};

use crate::explain::{SHOP, shop};
use crate::stage::Files;
use crate::worlds::{DIALLED, EXTERNAL, GATEWAY, SHARED};

/// Answers to calls, and checks that each has these fields, a `null` being none.
#[track_caller]
fn answers(files: &Files, flags: &[&str], cases: &[(Value, Value)]) {
    let calls: String = cases.iter().map(|(call, _)| format!("{call}\n")).collect();
    let mut arguments = vec!["explain", "--output", "json", "--calls", "-"];
    arguments.extend(flags);
    let run = files.run_with(&arguments, &calls);
    assert_eq!(run.code, 0, "{}", run.errors);
    let answers: Vec<Value> = run
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), cases.len());
    for (answer, (call, expected)) in answers.iter().zip(cases) {
        for (key, value) in expected.as_object().expect("fields") {
            assert_eq!(&answer[key], value, "{key} of {call}: {answer}");
        }
        let trail = answer["trail"].as_array().expect("a trail");
        assert!(!trail.is_empty(), "{call}: {answer}");
    }
}

fn call(protocol: &str, to: &str, more: Value) -> Value {
    let mut call = json!({ "to": to, "protocol": protocol });
    let object = call.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    call
}

#[test]
fn every_verdict_of_a_sidecar() {
    let http =
        |host: &str, path: &str| call("http", "1.2.3.4:80", json!({ "host": host, "path": path }));
    answers(
        &shop(),
        &SHOP,
        &[
            (
                http("httpbin.org", "/"),
                json!({ "verdict": "route", "cluster": "outbound|80||httpbin.org", "virtual_host": "httpbin.org:80", "route": "lost",
                    "lb": "RANDOM", "status": null, "response_flags": null, "clusters": null, "timeout": null,
                    "tls": { "mode": "SIMPLE", "sni": "httpbin.org", "verify_san": ["san.org"], "ca": "/ca.pem" } }),
            ),
            (
                http("httpbin.org", "/old/x?y"),
                json!({ "verdict": "redirect", "status": 301, "location": "http://new.org/new?y", "route": "old", "cluster": null }),
            ),
            (
                call(
                    "http",
                    "1.2.3.4:80",
                    json!({ "host": "HTTPBIN.org:80", "path": "/z", "headers": { "X-Tea": "yes" } }),
                ),
                json!({ "verdict": "direct_response", "status": 418, "route": "teapot" }),
            ),
            (
                http("httpbin.org", "/split/x?y"),
                json!({ "verdict": "route", "status": null, "rewritten_path": "/x?y", "rewritten_authority": "x.org", "timeout": "1.5s",
                    "clusters": [{ "name": "outbound|80||httpbin.org", "weight": 80 }, { "name": "outbound|80||gone.org", "weight": 20 }],
                    "retries": { "attempts": 3, "per_try_timeout": "1s", "retry_on": "gateway-error,retriable-status-codes,409" } }),
            ),
            (
                http("httpbin.org", "/gone"),
                json!({ "verdict": "route", "status": 503, "response_flags": "NC", "cluster": "outbound|80||gone.org", "route": "gone" }),
            ),
            (
                http("empty.org", "/"),
                json!({ "verdict": "route", "status": 503, "response_flags": "UH", "cluster": "outbound|80||empty.org", "route": "default" }),
            ),
            (
                http("httpbin.org", "/nothing"),
                json!({ "verdict": "not_found", "status": 404, "response_flags": "NR", "virtual_host": "httpbin.org:80", "route": null }),
            ),
            (
                http("other.org", "/"),
                json!({ "verdict": "blackhole", "status": 502, "route": "block_all", "virtual_host": "block_all", "cluster": null,
                    "response_flags": null }),
            ),
            (
                call("http2", "1.2.3.4:9999", json!({ "host": "other.org" })),
                json!({ "verdict": "blackhole", "status": 502, "route": "block_all" }),
            ),
            (
                call("tls", "1.2.3.4:443", json!({ "sni": "HTTPBIN.org" })),
                json!({ "verdict": "route", "cluster": "outbound|443||httpbin.org", "status": null, "lb": "ROUND_ROBIN" }),
            ),
            (
                call(
                    "https",
                    "1.2.3.4:443",
                    json!({ "host": "httpbin.org:443", "path": "/old" }),
                ),
                json!({ "verdict": "route", "cluster": "outbound|443||httpbin.org", "location": null }),
            ),
            (
                call(
                    "https",
                    "1.2.3.4:443",
                    json!({ "host": "httpbin.org", "sni": "" }),
                ),
                json!({ "verdict": "blackhole", "cluster": "BlackHoleCluster", "response_flags": "UH", "status": null }),
            ),
            (
                call("tcp", "1.2.3.4:5432", json!({})),
                json!({ "verdict": "blackhole", "cluster": "BlackHoleCluster", "response_flags": "UH", "status": null }),
            ),
            (
                call("tcp", "1.2.3.4:15001", json!({})),
                json!({ "verdict": "blackhole", "cluster": "BlackHoleCluster", "response_flags": "UH" }),
            ),
            (
                call("tcp", "1.2.3.4:3306", json!({})),
                json!({ "verdict": "route", "cluster": "outbound|3306||db-a.org" }),
            ),
        ],
    );
}

#[test]
fn unknown_calls_pass_where_the_policy_says_so() {
    let files = Files::new(&[("a.yaml", EXTERNAL)]);
    answers(
        &files,
        &["--config", "a.yaml", "--namespace", "shop"],
        &[
            (
                call("http", "1.2.3.4:80", json!({ "host": "other.org" })),
                json!({ "verdict": "passthrough", "cluster": "PassthroughCluster", "route": "allow_any", "virtual_host": "allow_any",
                    "status": null, "retries": null }),
            ),
            (
                call("tcp", "1.2.3.4:5432", json!({})),
                json!({ "verdict": "passthrough", "cluster": "PassthroughCluster", "route": null }),
            ),
        ],
    );
}

#[test]
fn requests_that_are_none() {
    let http = |more: Value| call("http", "1.2.3.4:80", more);
    let bad = |status: u16| json!({ "verdict": "bad_request", "status": status, "cluster": null });
    answers(
        &shop(),
        &SHOP,
        &[
            (http(json!({})), bad(400)),
            // Two hosts are one that nobody has.
            (
                http(json!({ "host": "a.org", "headers": ["Host: b.org"] })),
                json!({ "verdict": "blackhole", "status": 502 }),
            ),
            (http(json!({ "host": "a/b" })), bad(400)),
            (
                http(json!({ "host": "a.org", "path": "https://a.org/" })),
                bad(403),
            ),
            (
                http(json!({ "host": "a.org", "path": "ftp://a.org/" })),
                bad(400),
            ),
            (http(json!({ "host": "a.org", "path": "/a b" })), bad(400)),
            (
                http(json!({ "host": "a.org", "method": "G E T" })),
                bad(400),
            ),
            (
                http(
                    json!({ "host": "a.org", "headers": ["content-length: 1", "transfer-encoding: chunked"] }),
                ),
                bad(400),
            ),
            (
                http(
                    json!({ "host": "a.org", "headers": ["content-length: 1", "content-length: 1"] }),
                ),
                bad(400),
            ),
            (
                http(json!({ "host": "a.org", "headers": vec!["a: 1"; 100] })),
                bad(431),
            ),
            (
                http(json!({ "host": "a.org", "headers": [format!("a: {}", "x".repeat(70_000))] })),
                bad(431),
            ),
            (
                http(json!({ "host": "a.org", "path": format!("/{}", "x".repeat(70_000)) })),
                bad(431),
            ),
            (
                http(json!({ "host": "a.org", "headers": ["upgrade: x", "connection: upgrade"] })),
                bad(403),
            ),
            (
                http(json!({ "host": "a.org", "path": "http://httpbin.org/old" })),
                json!({ "verdict": "redirect" }),
            ),
            (
                http(json!({ "headers": { "host": "httpbin.org" }, "path": "/x/../old#part" })),
                json!({ "verdict": "redirect", "route": "old" }),
            ),
            (
                http(json!({ "host": "a.org:443", "method": "CONNECT", "path": "a.org:443" })),
                json!({ "verdict": "blackhole", "status": 502 }),
            ),
        ],
    );
}

#[test]
fn preflights_faults_and_copies() {
    let files = Files::new(&[("s.yaml", SHARED)]);
    let options = |origin: &str| {
        call(
            "http",
            "1.2.3.4:80",
            json!({ "host": "a.com", "method": "OPTIONS",
            "headers": { "origin": origin, "access-control-request-method": "PUT" } }),
        )
    };
    answers(
        &files,
        &["--config", "s.yaml"],
        &[
            (
                options("https://page.com"),
                json!({ "verdict": "direct_response", "status": 200, "route": "shared", "cluster": null }),
            ),
            (
                options("https://other.com"),
                json!({ "verdict": "route", "status": null, "route": "shared" }),
            ),
            (
                call("http", "1.2.3.4:80", json!({ "host": "a.com" })),
                json!({ "verdict": "route", "status": 418, "response_flags": "FI", "route": "broken",
                    "mirrors": [{ "name": "outbound|80||a.com", "percent": 12.5 }] }),
            ),
            (
                call(
                    "http",
                    "1.2.3.4:80",
                    json!({ "host": "a.com", "headers": { "transfer-encoding": "gzip" } }),
                ),
                json!({ "verdict": "bad_request", "status": 501 }),
            ),
        ],
    );
}

#[test]
fn captured_dns_gives_byte_streams_addresses_of_their_own() {
    let to = |name: &str, dns_capture: bool| {
        call(
            "tcp",
            &format!("{name}:3306"),
            json!({ "dns_capture": dns_capture }),
        )
    };
    let routed =
        |host: &str| json!({ "verdict": "route", "cluster": format!("outbound|3306||{host}") });
    answers(
        &shop(),
        &SHOP,
        &[
            (to("db-a.org", true), routed("db-a.org")),
            (to("db-b.org", true), routed("db-b.org")),
            (to("db-b.org", false), routed("db-a.org")),
            (
                call("tcp", "1.2.3.4:3306", json!({ "dns_capture": true })),
                json!({ "verdict": "blackhole" }),
            ),
        ],
    );
}

#[test]
fn every_verdict_of_a_gateway() {
    let files = Files::new(&[("g.yaml", GATEWAY)]);
    let flags = [
        "--config",
        "g.yaml",
        "--mode",
        "gateway",
        "--namespace",
        "istio-system",
        "--labels",
        "istio=egressgateway",
    ];
    answers(
        &files,
        &flags,
        &[
            (
                call("http", "10.0.0.9:80", json!({ "host": "a.com" })),
                json!({ "verdict": "route", "cluster": "outbound|80||a.com", "virtual_host": "a.com:80" }),
            ),
            (
                call("http", "10.0.0.9:80", json!({ "host": "z.com" })),
                json!({ "verdict": "not_found", "status": 404, "response_flags": "NR" }),
            ),
            (
                call(
                    "https",
                    "10.0.0.9:443",
                    json!({ "host": "a.com", "alpn": ["h2"] }),
                ),
                json!({ "verdict": "route", "cluster": "outbound|80||a.com" }),
            ),
            (
                call(
                    "https",
                    "10.0.0.9:443",
                    json!({ "host": "z.com", "sni": "a.com" }),
                ),
                json!({ "verdict": "not_found", "status": 404 }),
            ),
            (
                call("tls", "10.0.0.9:443", json!({ "sni": "b.com" })),
                json!({ "verdict": "route", "cluster": "outbound|443||b.com", "status": null }),
            ),
            (
                call("tls", "10.0.0.9:443", json!({ "sni": "c.com" })),
                json!({ "verdict": "no_chain", "response_flags": "NR", "status": null }),
            ),
            (
                call("http", "10.0.0.9:8080", json!({ "host": "a.com" })),
                json!({ "verdict": "no_listener", "status": null, "response_flags": null }),
            ),
            (
                call("tcp", "10.0.0.9:80", json!({})),
                json!({ "verdict": "bad_request", "status": 400 }),
            ),
            (
                call("tls", "10.0.0.9:80", json!({ "sni": "a.com" })),
                json!({ "verdict": "bad_request", "status": 400 }),
            ),
        ],
    );
}

/// A Service whose endpoints nobody wrote down, and one that has none.
const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: unlisted, namespace: default}
spec: {clusterIP: 10.3.0.1, ports: [{port: 80, name: http}, {port: 90, name: tcp}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: default}
spec: {clusterIP: 10.3.0.2, ports: [{port: 80, name: http}, {port: 90, name: tcp}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: nobody-1, namespace: default, labels: {kubernetes.io/service-name: nobody}}
addressType: IPv4
endpoints: []
ports: [{name: http, port: 80}, {name: tcp, port: 90}]
";

#[test]
fn a_service_without_slices_is_not_taken_for_one_without_endpoints() {
    let http = |host: &str| call("http", "1.2.3.4:80", json!({ "host": host }));
    answers(
        &Files::new(&[("a.yaml", SERVICES)]),
        &["--config", "a.yaml"],
        &[
            (
                http("unlisted"),
                json!({ "verdict": "route", "cluster": "outbound|80||unlisted.default.svc.cluster.local", "status": null,
                    "response_flags": null }),
            ),
            (
                call("tcp", "10.3.0.1:90", json!({})),
                json!({ "verdict": "route", "status": null, "response_flags": null }),
            ),
            (
                http("nobody"),
                json!({ "verdict": "route", "cluster": "outbound|80||nobody.default.svc.cluster.local", "status": 503,
                    "response_flags": "UH" }),
            ),
            (
                call("tcp", "10.3.0.2:90", json!({})),
                json!({ "verdict": "route", "status": null, "response_flags": "UH" }),
            ),
        ],
    );
}

/// As the running proxy answers: 502 without a flag for requests, UH for bytes.
#[test]
fn what_would_come_back_to_the_proxy_is_refused() {
    let http = |host: &str| call("http", "127.0.0.1:8080", json!({ "host": host }));
    let refused = || json!({ "verdict": "blackhole", "status": 502, "response_flags": null });
    answers(
        &Files::new(&[("a.yaml", DIALLED)]),
        &["--config", "a.yaml"],
        &[
            (http("other.org"), refused()),
            (http("none.org:8080"), refused()),
            (http("fixed.org:8080"), refused()),
            (
                http("some.org:8080"),
                json!({ "verdict": "route", "status": null, "response_flags": null }),
            ),
            (
                call("tcp", "127.0.0.1:9000", json!({})),
                json!({ "verdict": "blackhole", "cluster": "BlackHoleCluster", "response_flags": "UH", "status": null }),
            ),
        ],
    );
}
