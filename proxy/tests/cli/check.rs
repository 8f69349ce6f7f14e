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

const POLICY: &str =
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {}\n";

#[test]
fn what_users_misspell_or_leave_out_is_an_error() {
    let entry = "metadata: {name: a}\nspec: {hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}]}\n";
    let misspelt = format!("apiVersion: networking.istio.io/v1\nkind: ServiceEntri\n{entry}");
    let other_api = format!("apiVersion: v1\nkind: ServiceEntry\n{entry}");
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i}\nspec: {meshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}}\n";
    let values = "meshConfig: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n";
    let files = Files::new(&[
        ("misspelt.yaml", &misspelt),
        ("api.yaml", &other_api),
        ("operator.yaml", operator),
        ("values.yaml", values),
        ("policy.yaml", POLICY),
    ]);
    std::fs::create_dir(files.folder().join("barren")).expect("a folder");
    std::fs::write(files.folder().join("barren/entry.txt"), entry).expect("a file");
    for (path, words) in [
        ("misspelt.yaml", "did you mean ServiceEntry?"),
        ("api.yaml", "write networking.istio.io/v1"),
        ("operator.yaml", "spec.meshConfig"),
        ("values.yaml", "below meshConfig"),
        ("policy.yaml", "--ignore-authorization-policies"),
        ("barren", "skipped: entry.txt"),
    ] {
        let run = files.run(&["check", "--config", path]);
        assert_eq!(run.code, 1, "{path}: {}{}", run.output, run.errors);
        let told = |line: &str| line.starts_with("error: ") && line.contains(words);
        assert!(run.output.lines().any(told), "{path}: {}", run.output);
    }
    let accepted = [
        "check",
        "--config",
        "policy.yaml",
        "--ignore-authorization-policies",
    ];
    let run = files.run(&accepted);
    assert_eq!(run.code, 0, "{}", run.output);
    assert!(
        run.output
            .starts_with("warning: policy.yaml:1: AuthorizationPolicy default/p: "),
        "{}",
        run.output
    );
}

#[test]
fn what_cannot_be_read_in_a_folder_is_a_warning_and_hides_nothing() {
    let files = Files::new(&[
        ("good.yaml", EXTERNAL),
        ("mesh.yaml", "accessLogFile: /nowhere/at/all/access.log\n"),
    ]);
    for name in ["loop.yaml", "again"] {
        std::os::unix::fs::symlink(name, files.folder().join(name)).expect("a link");
    }
    std::os::unix::fs::symlink("/dev/null", files.folder().join("null.yaml")).expect("a link");
    let run = files.run(&["check", "--config", "."]);
    assert_eq!(run.code, 0, "{}{}", run.output, run.errors);
    for words in [
        "warning: ./again: skipped: it is a link that leads in a circle",
        "warning: ./loop.yaml: skipped: it is a link that leads in a circle",
        "warning: ./null.yaml: skipped: it is a device",
        "there is no folder /nowhere/at/all",
        "7 objects in 2 files understood",
    ] {
        assert!(run.output.contains(words), "{words}: {}", run.output);
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

#[test]
fn check_prints_a_network_policy() {
    let broken = EXTERNAL.replacen("httpbin.org", "'*'", 1);
    let files = Files::new(&[("good.yaml", EXTERNAL), ("broken.yaml", &broken)]);
    let arguments = ["check", "--network-policy", "shop", "--config"];
    let run = files.run(&[&arguments[..], &["good.yaml"]].concat());
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.output.contains("  namespace: shop\n"), "{}", run.output);
    assert!(
        run.output.contains("# db-a.org: resolved by name"),
        "{}",
        run.output
    );
    let run = files.run(&[&arguments[..], &["good.yaml", "broken.yaml"]].concat());
    assert_eq!(run.code, 1);
    assert!(run.output.starts_with("# What "), "{}", run.output);
    let run = files.run(&[
        "check",
        "--network-policy",
        "shop",
        "--output",
        "json",
        "--config",
        "good.yaml",
    ]);
    assert_eq!(run.code, 2, "{}", run.output);
}
