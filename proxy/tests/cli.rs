//! `egret-proxy explain` and `egret-proxy check` as users run them.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

const EXTERNAL: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: shop}
spec:
  hosts: [httpbin.org]
  http:
  - name: old
    match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, authority: new.org}
  - name: teapot
    match: [{headers: {x-tea: {exact: 'yes'}}}]
    directResponse: {status: 418}
  - name: split
    match: [{uri: {prefix: /split/}}]
    rewrite: {uri: /, authority: x.org}
    timeout: 1.5s
    retries: {attempts: 3, perTryTimeout: 1s, retryOn: 'gateway-error,409'}
    route: [{destination: {host: httpbin.org}, weight: 80}, {destination: {host: gone.org}, weight: 20}]
  - name: gone
    match: [{uri: {prefix: /gone}}]
    route: [{destination: {host: gone.org, port: {number: 80}}}]
  - name: lost
    match: [{uri: {exact: /}}]
    route: [{destination: {host: httpbin.org}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: httpbin, namespace: shop}
spec:
  host: httpbin.org
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings:
    - port: {number: 80}
      loadBalancer: {simple: RANDOM}
      tls: {mode: SIMPLE, subjectAltNames: [san.org], caCertificates: /ca.pem}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty, namespace: shop}
spec: {hosts: [empty.org], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-a, namespace: shop}
spec: {hosts: [db-a.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db-b, namespace: shop}
spec: {hosts: [db-b.org], ports: [{number: 3306, name: tcp, protocol: TCP}], resolution: DNS}
";

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

/// A folder with files.
struct Files(TempDir);

/// How a run ended.
struct Run {
    code: i32,
    output: String,
    errors: String,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_egret-proxy"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that does not read its input may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let ended = child.wait_with_output().expect("ended");
        Run {
            code: ended.status.code().expect("an exit code"),
            output: String::from_utf8(ended.stdout).expect("text"),
            errors: String::from_utf8(ended.stderr).expect("text"),
        }
    }

    /// Answers to calls, and checks that each has these fields, a `null` being none.
    #[track_caller]
    fn answers(&self, flags: &[&str], cases: &[(Value, Value)]) {
        let calls: String = cases.iter().map(|(call, _)| format!("{call}\n")).collect();
        let mut arguments = vec!["explain", "--output", "json", "--calls", "-"];
        arguments.extend(flags);
        let run = self.run_with(&arguments, &calls);
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
}

const SHOP: [&str; 6] = [
    "--config",
    "a.yaml",
    "--mesh-config",
    "mesh.yaml",
    "--namespace",
    "shop",
];

fn shop() -> Files {
    Files::new(&[
        ("a.yaml", EXTERNAL),
        (
            "mesh.yaml",
            "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n",
        ),
    ])
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
    shop().answers(
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
                call("http", "1.2.3.4:80", json!({ "host": "HTTPBIN.org:80", "path": "/z", "headers": { "X-Tea": "yes" } })),
                json!({ "verdict": "direct_response", "status": 418, "route": "teapot" }),
            ),
            (
                http("httpbin.org", "/split/x?y"),
                json!({ "verdict": "route", "status": null, "rewritten_path": "/x?y", "rewritten_authority": "x.org", "timeout": "1.5s",
                    "clusters": [{ "name": "outbound|80||httpbin.org", "weight": 80 }, { "name": "outbound|80||gone.org", "weight": 20 }],
                    "retries": { "attempts": 3, "per_try_timeout": "1s", "retry_on": "gateway-error,409" } }),
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
                call("https", "1.2.3.4:443", json!({ "host": "httpbin.org:443", "path": "/old" })),
                json!({ "verdict": "route", "cluster": "outbound|443||httpbin.org", "location": null }),
            ),
            (
                call("https", "1.2.3.4:443", json!({ "host": "httpbin.org", "sni": "" })),
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
    files.answers(
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
    shop().answers(
        &SHOP,
        &[
            (http(json!({})), bad(400)),
            (http(json!({ "host": "a.org", "headers": ["Host: b.org"] })), bad(400)),
            (http(json!({ "host": "a/b" })), bad(400)),
            (http(json!({ "host": "a.org", "path": "https://a.org/" })), bad(403)),
            (http(json!({ "host": "a.org", "path": "ftp://a.org/" })), bad(400)),
            (http(json!({ "host": "a.org", "path": "/a b" })), bad(400)),
            (http(json!({ "host": "a.org", "method": "G E T" })), bad(400)),
            (
                http(json!({ "host": "a.org", "headers": ["content-length: 1", "transfer-encoding: chunked"] })),
                bad(400),
            ),
            (http(json!({ "host": "a.org", "headers": ["upgrade: x", "connection: upgrade"] })), bad(403)),
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
    files.answers(
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
                call("http", "1.2.3.4:80", json!({ "host": "a.com", "headers": { "transfer-encoding": "gzip" } })),
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
    shop().answers(
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
    files.answers(
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
                call("https", "10.0.0.9:443", json!({ "host": "a.com", "alpn": ["h2"] })),
                json!({ "verdict": "route", "cluster": "outbound|80||a.com" }),
            ),
            (
                call("https", "10.0.0.9:443", json!({ "host": "z.com", "sni": "a.com" })),
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

#[test]
fn text_tells_the_verdict_first_then_why_then_what_would_help() {
    let files = shop();
    let explain = |arguments: &[&str]| {
        let mut all = vec!["explain"];
        all.extend(SHOP);
        all.extend(arguments);
        let run = files.run(&all);
        assert_eq!(run.code, 0, "{}", run.errors);
        run.output
    };
    let text = explain(&[
        "--to",
        "1.2.3.4:80",
        "--protocol",
        "http",
        "--host",
        "other.org",
    ]);
    assert!(text.starts_with("blackhole 502: GET other.org/"), "{text}");
    assert!(text.contains("REGISTRY_ONLY from MeshConfig"), "{text}");
    for (arguments, parts) in [
        (
            &[
                "--to",
                "1.2.3.4:80",
                "--protocol",
                "http",
                "--host",
                "httpbin.org",
                "--path",
                "/no",
            ][..],
            &["not_found 404 NR", "does not match: uri", "add a last rule"][..],
        ),
        (
            &[
                "--to",
                "1.2.3.4:443",
                "--protocol",
                "http",
                "--host",
                "httpbin.org",
            ],
            &["blackhole 502", "has the host and port 443, but for TLS"],
        ),
        (
            &[
                "--to",
                "1.2.3.4:81",
                "--protocol",
                "http",
                "--host",
                "httpbin.org",
            ],
            &["has the host, but not the port", "number: 81"],
        ),
        (
            &["--to", "1.2.3.4:5432", "--protocol", "tcp"],
            &["protocol: TCP", "- 1.2.3.4", "resolution: NONE"],
        ),
        (
            &[
                "--to",
                "1.2.3.4:80",
                "--protocol",
                "http",
                "--host",
                "httpbin.org",
                "--path",
                "/gone",
            ],
            &[
                "route 503 NC",
                "No service has host gone.org",
                "kind: ServiceEntry",
            ],
        ),
    ] {
        let text = explain(arguments);
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn what_explain_advises_allows_the_call() {
    let files = shop();
    for call in [
        &[
            "--to",
            "1.2.3.4:80",
            "--protocol",
            "http",
            "--host",
            "other.org",
        ][..],
        &[
            "--to",
            "1.2.3.4:8443",
            "--protocol",
            "tls",
            "--sni",
            "other.org",
        ],
        &[
            "--to",
            "1.2.3.4:443",
            "--protocol",
            "https",
            "--host",
            "other.org",
        ],
        &["--to", "1.2.3.4:5432", "--protocol", "tcp"],
        &["--to", "[2001:db8::1]:5432", "--protocol", "tcp"],
        &[
            "--to",
            "1.2.3.4:80",
            "--protocol",
            "http",
            "--host",
            "1.2.3.4",
        ],
        &[
            "--to",
            "1.2.3.4:80",
            "--protocol",
            "http",
            "--host",
            "httpbin.org",
            "--path",
            "/gone",
        ],
    ] {
        let mut arguments = vec!["explain"];
        arguments.extend(SHOP);
        arguments.extend(call);
        let refused = files.run(&arguments);
        let yaml: String = refused
            .output
            .split_once("\n\n")
            .expect("advice")
            .1
            .lines()
            .skip(1)
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        std::fs::write(files.0.path().join("advice.yaml"), yaml).expect("written");
        arguments.extend(["--config", "advice.yaml", "--output", "json"]);
        let allowed = files.run(&arguments);
        let answer: Value = serde_json::from_str(&allowed.output).expect("JSON");
        assert_eq!(answer["verdict"], "route", "{call:?}: {answer}");
        assert_eq!(answer["response_flags"], Value::Null, "{call:?}: {answer}");
        assert_eq!(allowed.errors, "", "{call:?}");
    }
}

#[test]
fn calls_that_are_none_keep_their_line_and_end_with_2() {
    let files = shop();
    let mut arguments = vec!["explain", "--output", "json", "--calls", "-"];
    arguments.extend(SHOP);
    let run = files.run_with(
        &arguments,
        "{\"to\": \"1.2.3.4:80\", \"protocol\": \"http\", \"host\": \"httpbin.org\"}\nnonsense\n\n{\"to\": \"1.2.3.4:80\"}\n\
         {\"to\": \"1.2.3.4:80\", \"protocol\": \"tcp\", \"colour\": \"red\"}\n",
    );
    assert_eq!(run.code, 2);
    let lines: Vec<Value> = run
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 4, "{}", run.output);
    assert_eq!(lines[0]["verdict"], "route");
    assert!(
        lines[1]["error"]
            .as_str()
            .expect("words")
            .contains(":2: not a JSON object")
    );
    assert!(
        lines[2]["error"]
            .as_str()
            .expect("words")
            .contains("`protocol`")
    );
    assert_eq!(lines[3]["verdict"], "blackhole");
    assert!(run.errors.contains("colour"), "{}", run.errors);
}

#[test]
fn check_ends_with_0_without_errors_1_with_some_and_2_when_it_cannot() {
    let broken = EXTERNAL.replacen("httpbin.org", "'*'", 1);
    let files = Files::new(&[
        ("good.yaml", EXTERNAL),
        ("broken.yaml", &broken),
        ("empty.yaml", ""),
        ("mesh.yaml", "outboundTrafficPolicy: {mode: SOME}\n"),
    ]);
    for (arguments, code) in [
        (&["check", "--config", "empty.yaml"][..], 0),
        (&["check", "--config", "good.yaml"], 0),
        (&["check", "--config", "good.yaml", "broken.yaml"], 1),
        (
            &[
                "check",
                "--config",
                "good.yaml",
                "--mesh-config",
                "mesh.yaml",
            ],
            1,
        ),
        (&["check", "--config", "missing.yaml"], 2),
        (&["check"], 2),
        (&["check", "--config", "good.yaml", "--nonsense"], 2),
    ] {
        let run = files.run(arguments);
        assert_eq!(
            run.code, code,
            "{arguments:?}: {}{}",
            run.output, run.errors
        );
    }
}

#[test]
fn check_tells_file_line_object_field_and_what_to_write() {
    let files = Files::new(&[("a.yaml", EXTERNAL)]);
    let run = files.run(&["check", "--config", "a.yaml"]);
    assert!(
        run.output.contains("warning: a.yaml:2: ") || run.output.contains("warning: a.yaml:1"),
        "{}",
        run.output
    );
    assert!(
        run.output.ends_with("6 objects in 1 file understood\n"),
        "{}",
        run.output
    );
    let run = files.run(&["check", "--config", "a.yaml", "--output", "json"]);
    let told: Value = serde_json::from_str(&run.output).expect("JSON");
    assert_eq!(told["errors"], 0);
    let findings = told["findings"].as_array().expect("findings");
    assert_eq!(told["warnings"], findings.len());
    let about = |object: &str, field: &str| {
        let found = findings
            .iter()
            .find(|one| one["object"] == object && one["field"] == field);
        found.unwrap_or_else(|| panic!("nothing about {field} of {object}: {findings:#?}"))
    };
    let open = about("ServiceEntry shop/db-b", "spec.ports[0]");
    assert_eq!(open["file"], "a.yaml");
    assert_eq!(open["value"], "3306 TCP");
    assert!(open["line"].as_u64().expect("a line") > 40);
    assert!(
        open["instead"]
            .as_str()
            .expect("words")
            .contains("spec.addresses")
    );
    about(
        "VirtualService shop/httpbin",
        "spec.http[3].route[0].destination",
    );
}

#[test]
fn check_says_for_whom_a_finding_holds() {
    let other = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: other}
spec: {egress: [{hosts: ['./*']}]}
---";
    let files = Files::new(&[("a.yaml", &format!("{other}{EXTERNAL}"))]);
    let run = files.run(&["check", "--config", "a.yaml"]);
    assert!(
        run.output.contains("(so for sidecars in shop)"),
        "{}",
        run.output
    );
}
