use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::settings;

/// The texts of `testdata`: `NAME.in.yaml` with its settings in a first comment.
fn cases() -> Vec<(PathBuf, String, Settings)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the entry is readable").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().ends_with(".in.yaml"))
        .collect();
    paths.sort();
    let cases = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("the file is readable");
        let line = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# settings: "));
        let values = yaml::read(line.unwrap_or("{}"))
            .expect("settings are YAML")
            .value;
        let mut notices = Notices::default();
        let settings = settings::read(&values, &mut notices);
        assert_eq!(notices.into_problems(), [], "{}", path.display());
        (path, text, settings)
    });
    cases.collect()
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the runner gives its settings in the environment"
)]
fn texts_are_injected_as_the_golden_files_say() {
    let is_blessed = std::env::var_os("EGRET_BLESS").is_some();
    let cases = cases();
    assert!(cases.len() >= 8);
    for (path, text, settings) in cases {
        let output = inject_text("in.yaml", &text, &settings);
        assert!(
            !output.has_errors(),
            "{}: {:?}",
            path.display(),
            output.problems
        );
        let golden = PathBuf::from(path.to_string_lossy().replace(".in.yaml", ".out.yaml"));
        if is_blessed {
            fs::write(&golden, &output.text).expect("the file is writable");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(output.text, expected, "{}", golden.display());
    }
}

#[test]
fn injecting_again_changes_nothing_and_uninjecting_gives_the_data_back() {
    for (path, text, settings) in cases() {
        let once = inject_text("in.yaml", &text, &settings);
        assert_ne!(once.text, text, "{}", path.display());
        let twice = inject_text("in.yaml", &once.text, &settings);
        assert_eq!(twice.text, once.text, "{}", path.display());
        let back = uninject_text("in.yaml", &once.text);
        assert_eq!(
            values_of(&back.text),
            values_of(&text),
            "{}",
            path.display()
        );
        assert_eq!(
            uninject_text("in.yaml", &text).text,
            text,
            "{}",
            path.display()
        );
    }
}

fn values_of(text: &str) -> Vec<Value> {
    let chunks = chunks(text).into_iter();
    chunks
        .map(|chunk| yaml::read(chunk.text).expect("YAML").value)
        .collect()
}

const POD: &str = "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  namespace: n\n  annotations:\n    x: y\nspec:\n  containers:\n  - name: a\n";

#[test]
fn a_wrong_annotation_is_named_with_its_line() {
    let text = format!(
        "a: 1\n---\n{}",
        POD.replace("x: y", "sidecar.istio.io/interceptionMode: NEVER")
    );
    let output = inject_text("pods.yaml", &text, &Settings::default());
    let problems: Vec<String> = output.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "pods.yaml:9: Pod n/a: annotation sidecar.istio.io/interceptionMode: \"NEVER\": expected REDIRECT, TPROXY or NONE"
        ]
    );
    assert!(output.has_errors());
    let text = POD.replace("x: y", "proxy.istio.io/config: '{concurrency: many}'");
    let output = inject_text("pods.yaml", &text, &Settings::default());
    let problem = output.problems[0].to_string();
    assert!(
        problem.starts_with(
            "pods.yaml:7: Pod n/a: annotation proxy.istio.io/config.concurrency: \"many\": "
        ),
        "{problem}"
    );
}

#[test]
fn what_is_not_injected_stays_byte_for_byte() {
    let skipped = [
        POD.replace("spec:\n", "spec:\n  hostNetwork: true # node\n"),
        POD.replace("namespace: n", "namespace: kube-system"),
        POD.replace("x: y", "sidecar.istio.io/inject: \"false\""),
        POD.replace("spec:\n", "spec:\n  os: {name: windows}\n"),
        POD.replace("x: y", "sidecar.istio.io/status: '{}'")
            .replace("- name: a", "- name: istio-proxy"),
        "just a text\n".to_owned(),
        "# nothing\n".to_owned(),
        "- 1.50\n- yes\n".to_owned(),
        "{\"kind\": \"Service\",\n \"a\": 1.50}\n".to_owned(),
        String::new(),
    ];
    for text in skipped {
        let output = inject_text("pods.yaml", &text, &Settings::default());
        assert_eq!(output.text, text);
        assert!(!output.has_errors(), "{:?}", output.problems);
    }
}

#[test]
fn json_stays_json() {
    let text = "{\n    \"kind\": \"Pod\",\n    \"spec\": {\"containers\": [{\"name\": \"a\", \"x\": 1.50}]}\n}\n";
    let output = inject_text("pod.json", text, &Settings::default());
    assert!(
        output
            .text
            .starts_with("{\n    \"kind\": \"Pod\",\n    \"spec\": {\n        \"containers\": [\n"),
        "{}",
        output.text
    );
    assert!(output.text.contains("\"x\": 1.50"));
    assert!(output.text.ends_with("}\n"));
    let back = uninject_text("pod.json", &output.text);
    assert_eq!(
        json::value(back.text.trim()).expect("JSON"),
        json::value(text.trim()).expect("JSON")
    );
}

#[test]
fn what_is_not_yaml_is_an_error_with_its_line() {
    let output = inject_text("a.yaml", "a: 1\n---\nb: 1\nb: 2\n", &Settings::default());
    assert!(output.has_errors());
    assert!(
        output.problems[0]
            .to_string()
            .starts_with("a.yaml:4: not YAML: "),
        "{:?}",
        output.problems
    );
    let output = inject_text(
        "a.yaml",
        &format!("{POD}x: !mine 1\n"),
        &Settings::default(),
    );
    assert!(output.has_errors(), "tags of a pod are lost");
}
