//! `egret-proxy explain --output json`: every verdict and the fields it comes with.

use serde_json::Value;
use serde_json::json;

use crate::explain::SHOP;
use crate::explain::shop;
use crate::stage::EXTERNAL;
use crate::stage::Files;

const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}}
  - {port: {number: 443, name: pass, protocol: TLS}, hosts: [b.com], tls: {mode: PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: istio-system}
spec: {hosts: [a.com], gateways: [egress], http: [{route: [{destination: {host: a.com, port: {number: 80}}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: istio-system}
spec: {hosts: [b.com], gateways: [egress], tls: [{match: [{sniHosts: [b.com]}], route: [{destination: {host: b.com}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ab, namespace: istio-system}
spec:
  hosts: [a.com, b.com]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: DNS
";

const SHARED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.com]
  http:
  - name: shared
    match: [{method: {exact: OPTIONS}}]
    corsPolicy: {allowOrigins: [{exact: 'https://page.com'}], allowMethods: [PUT]}
    route: [{destination: {host: a.com}}]
  - name: broken
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: a.com}}]
    mirrors: [{destination: {host: a.com}, percentage: {value: 12.5}}]
";

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
                json!({ "verdict": "not_found", "status": 404 }),
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
