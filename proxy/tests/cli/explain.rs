//! `egret-proxy explain`: its text, its advice, and calls that are none.

use serde_json::Value;

use crate::stage::Files;
use crate::worlds::EXTERNAL;

/// Flags of the sidecar of namespace `shop`.
pub(crate) const SHOP: [&str; 6] = [
    "--config",
    "a.yaml",
    "--mesh-config",
    "mesh.yaml",
    "--namespace",
    "shop",
];

/// The files that [`SHOP`] names.
pub(crate) fn shop() -> Files {
    Files::new(&[
        ("a.yaml", EXTERNAL),
        (
            "mesh.yaml",
            "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n",
        ),
    ])
}

/// The arguments that ask for a call of that sidecar.
fn explained(call: &str) -> Vec<&str> {
    let mut arguments = vec!["explain"];
    arguments.extend(SHOP);
    arguments.extend(call.split_whitespace());
    arguments
}

#[test]
fn text_tells_the_verdict_first_then_why_then_what_would_help() {
    let files = shop();
    let explain = |call: &str| {
        let run = files.run(&explained(call));
        assert_eq!(run.code, 0, "{}", run.errors);
        run.output
    };
    let text = explain("--to 1.2.3.4:80 --protocol http --host other.org");
    assert!(text.starts_with("blackhole 502: GET other.org/"), "{text}");
    assert!(text.contains("REGISTRY_ONLY from MeshConfig"), "{text}");
    for (call, parts) in [
        (
            "--to 1.2.3.4:80 --protocol http --host httpbin.org --path /no",
            &["not_found 404 NR", "does not match: uri", "add a last rule"][..],
        ),
        (
            "--to 1.2.3.4:443 --protocol http --host httpbin.org",
            &["blackhole 502", "has the host and port 443, but for TLS"],
        ),
        (
            "--to 1.2.3.4:81 --protocol http --host httpbin.org",
            &["has the host, but not the port", "number: 81"],
        ),
        (
            "--to 1.2.3.4:5432 --protocol tcp",
            &["protocol: TCP", "- 1.2.3.4", "resolution: NONE"],
        ),
        (
            "--to 1.2.3.4:80 --protocol http --host httpbin.org --path /gone",
            &[
                "route 503 NC",
                "No service has host gone.org",
                "kind: ServiceEntry",
            ],
        ),
    ] {
        let text = explain(call);
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn what_explain_advises_allows_the_call() {
    let files = shop();
    for call in [
        "--to 1.2.3.4:80 --protocol http --host other.org",
        "--to 1.2.3.4:8443 --protocol tls --sni other.org",
        "--to 1.2.3.4:443 --protocol https --host other.org",
        "--to 1.2.3.4:5432 --protocol tcp",
        "--to [2001:db8::1]:5432 --protocol tcp",
        "--to 1.2.3.4:80 --protocol http --host 1.2.3.4",
        "--to 1.2.3.4:80 --protocol http --host httpbin.org --path /gone",
    ] {
        let mut arguments = explained(call);
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
        std::fs::write(files.folder().join("advice.yaml"), yaml).expect("written");
        arguments.extend(["--config", "advice.yaml", "--output", "json"]);
        let allowed = files.run(&arguments);
        let answer: Value = serde_json::from_str(&allowed.output).expect("JSON");
        assert_eq!(answer["verdict"], "route", "{call}: {answer}");
        assert_eq!(answer["response_flags"], Value::Null, "{call}: {answer}");
        assert_eq!(allowed.errors, "", "{call}");
    }
}

#[test]
fn calls_that_are_none_keep_their_line_and_end_with_2() {
    let files = shop();
    let run = files.run_with(
        &explained("--output json --calls -"),
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
