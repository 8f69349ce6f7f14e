//! `egret-proxy check`: what it tells, and how it ends.

use serde_json::Value;

use crate::stage::Files;
use crate::worlds::EXTERNAL;

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
