use crate::labels::Labels;
use crate::load::{Text, load};
use crate::snapshot::workload::Mode;

use super::*;

const RULES: &str = "rules: [{from: [{source: {namespaces: [x]}}]}]";

/// The policies that apply to a workload of `namespace` with `labels`, each with its severity.
fn applying(yaml: &str, namespace: &str, labels: &str) -> Vec<String> {
    let text = Text {
        file: "a.yaml".into(),
        bytes: yaml.as_bytes().to_vec(),
    };
    let (objects, problems) = load(&[text], None);
    assert_eq!(problems, [], "{yaml}");
    let workload = Workload {
        labels: Labels::parse(labels).expect("labels"),
        ..Workload::new(Mode::Sidecar, namespace)
    };
    unenforced(&objects, &workload)
        .iter()
        .map(|problem| format!("{} {}", problem.severity, problem.object))
        .collect()
}

fn policy(name: &str, annotations: &str, spec: &str) -> String {
    let (namespace, name) = name.split_once('/').expect("namespace/name");
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: {name}, namespace: {namespace}, annotations: {{{annotations}}}}}\nspec: {{{spec}}}\n---\n"
    )
}

#[test]
fn a_policy_applies_by_namespace_selector_and_target() {
    let here = "error AuthorizationPolicy shop/p";
    let root = "error AuthorizationPolicy istio-system/p";
    for (name, spec, namespace, labels, expected) in [
        ("shop/p", "", "shop", "", Some(here)),
        ("shop/p", RULES, "shop", "app=web", Some(here)),
        ("shop/p", RULES, "other", "", None),
        ("istio-system/p", RULES, "other", "", Some(root)),
        (
            "shop/p",
            "selector: {matchLabels: {app: web}}",
            "shop",
            "app=web,v=1",
            Some(here),
        ),
        (
            "shop/p",
            "selector: {matchLabels: {app: web}}",
            "shop",
            "app=db",
            None,
        ),
        (
            "istio-system/p",
            "selector: {matchLabels: {app: web}}",
            "shop",
            "app=web",
            Some(root),
        ),
        (
            "istio-system/p",
            "selector: {matchLabels: {app: web}}",
            "shop",
            "",
            None,
        ),
        (
            "shop/p",
            "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: out}]",
            "shop",
            "gateway.networking.k8s.io/gateway-name=out",
            Some(here),
        ),
        (
            "shop/p",
            "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: out}",
            "shop",
            "gateway.networking.k8s.io/gateway-name=in",
            None,
        ),
        (
            "istio-system/p",
            "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio}]",
            "shop",
            "gateway.networking.k8s.io/gateway-name=in",
            Some(root),
        ),
        // Waypoints enforce these.
        (
            "shop/p",
            "targetRefs: [{kind: Service, name: web}]",
            "shop",
            "app=web",
            None,
        ),
    ] {
        let problems = applying(&policy(name, "", spec), namespace, labels);
        assert_eq!(
            problems,
            expected.into_iter().collect::<Vec<_>>(),
            "{name} {spec} for {namespace} {labels}"
        );
    }
}

#[test]
fn a_policy_that_only_records_is_a_warning() {
    for (annotations, spec) in [("", "action: AUDIT"), ("istio.io/dry-run: 'true'", RULES)] {
        let problems = applying(&policy("shop/p", annotations, spec), "shop", "");
        assert_eq!(
            problems,
            ["warning AuthorizationPolicy shop/p"],
            "{annotations} {spec}"
        );
    }
}

#[test]
fn the_root_namespace_is_that_of_the_mesh() {
    let yaml = policy("admin/p", "", RULES) + "rootNamespace: admin\n";
    assert_eq!(
        applying(&yaml, "shop", ""),
        ["error AuthorizationPolicy admin/p"]
    );
}
