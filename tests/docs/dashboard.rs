//! The dashboard for Grafana: it asks only for metrics and labels that there are.

use std::collections::BTreeMap;
use std::fs;

use egret_proxy::admin::metrics::definitions;
use egret_proxy::report::metrics::definition::{Definition, Kind};
use serde_json::Value;

use crate::root;

const FILE: &str = "deploy/grafana/egret.json";

/// Words of PromQL, and labels that Prometheus adds.
const WORDS: &[&str] = &[
    "sum",
    "by",
    "rate",
    "max",
    "min",
    "clamp_min",
    "histogram_quantile",
    "le",
    "topk",
    "time",
    "or",
    "vector",
    "namespace",
    "pod",
    "increase",
];

/// The expressions of all panels.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" => found.push(text.clone()),
                    value => expressions(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// The names in an expression, without what stands in quotes or brackets and without variables of Grafana.
fn names(expression: &str) -> Vec<String> {
    let mut plain = String::new();
    let (mut quoted, mut range) = (false, false);
    for character in expression.chars() {
        match character {
            '"' => quoted = !quoted,
            '[' => range = true,
            ']' => range = false,
            _ if quoted || range => continue,
            _ => plain.push(character),
        }
        plain.push_str(if matches!(character, '"' | '[' | ']') {
            " "
        } else {
            ""
        });
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    plain
        .split(|character| !is_part(character))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect()
}

fn is_metric(name: &str) -> bool {
    ["egret_", "istio_", "envoy_", "process_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let text = fs::read_to_string(root().join(FILE)).expect(FILE);
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut asked = Vec::new();
    expressions(&dashboard["panels"], &mut asked);
    assert!(asked.len() > 15, "a panel asks for something");
    let all: BTreeMap<&str, &Definition> = definitions()
        .into_iter()
        .map(|definition| (definition.name, definition))
        .collect();
    for expression in &asked {
        let names = names(expression);
        let mut labels = Vec::new();
        for name in names.iter().filter(|name| is_metric(name)) {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| {
                let family = all.get(name.strip_suffix(part)?)?;
                (family.kind == Kind::Histogram).then_some(family)
            });
            let family = family.or_else(|| all.get(&**name));
            let family = family.unwrap_or_else(|| panic!("no metric `{name}`: {expression}"));
            labels.extend(family.labels);
        }
        assert!(
            !labels.is_empty() || names.iter().any(|name| is_metric(name)),
            "{expression}"
        );
        for name in names.iter().filter(|name| !is_metric(name)) {
            let known = WORDS.contains(&&**name) || labels.contains(&&**name);
            assert!(known, "no label `{name}`: {expression}");
        }
    }
}
