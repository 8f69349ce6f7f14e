use serde_json::json;

use super::*;
use crate::settings::read;

fn decided(pod: Value, namespace: &str, settings: Value) -> (bool, usize) {
    let mut notices = Notices::default();
    let settings = read(&settings, &mut notices);
    let decision = decide(&pod, namespace, &settings, &mut notices);
    (decision == Decision::Inject, notices.into_problems().len())
}

#[test]
fn the_first_rule_that_applies_decides() {
    let labelled = |value: &str| json!({"labels": {names::INJECT: value, "app": "a"}});
    let annotated = |value: &str| json!({"annotations": {names::INJECT: value}});
    let both = json!({"labels": {names::INJECT: "true"}, "annotations": {names::INJECT: "false"}});
    let disabled = json!({"global": {"proxy": {"autoInject": "disabled"}}});
    let selectors = |key: &str| {
        let selector =
            json!([{"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}]);
        json!({"global": {"proxy": {"autoInject": "disabled"}}, "sidecarInjectorWebhook": {key: selector}})
    };
    for (metadata, spec, settings, expected, warnings) in [
        (json!({}), json!({}), json!({}), true, 0),
        (
            labelled("true"),
            json!({"hostNetwork": true}),
            json!({}),
            false,
            1,
        ),
        (
            labelled("true"),
            json!({"os": {"name": "windows"}}),
            json!({}),
            false,
            1,
        ),
        (labelled("false"), json!({}), json!({}), false, 0),
        (annotated("false"), json!({}), json!({}), false, 0),
        (both, json!({}), json!({}), true, 0),
        (labelled("True"), json!({}), json!({}), true, 1),
        (labelled(""), json!({}), disabled.clone(), false, 0),
        (json!({}), json!({}), disabled.clone(), false, 0),
        (annotated("true"), json!({}), disabled, true, 0),
        (
            labelled(""),
            json!({}),
            selectors("alwaysInjectSelector"),
            true,
            0,
        ),
        (
            labelled(""),
            json!({}),
            selectors("neverInjectSelector"),
            false,
            0,
        ),
        (
            labelled("true"),
            json!({}),
            selectors("neverInjectSelector"),
            true,
            0,
        ),
    ] {
        let pod = json!({"metadata": metadata, "spec": spec});
        assert_eq!(
            decided(pod.clone(), "shop", settings),
            (expected, warnings),
            "{pod}"
        );
    }
    let pod = json!({"metadata": labelled("true"), "spec": {}});
    for namespace in SYSTEM_NAMESPACES {
        assert_eq!(decided(pod.clone(), namespace, json!({})), (false, 0));
    }
}

#[test]
fn a_proxy_of_another_injector_stays() {
    let status = |text: &str| json!({"annotations": {names::STATUS: text}});
    let proxy = json!({"containers": [{"name": names::PROXY}]});
    let pod = json!({"metadata": status("{\"containers\":[\"istio-proxy\"]}"), "spec": proxy});
    assert_eq!(decided(pod, "shop", json!({})), (false, 1));
    // A status without a proxy is left from a pod that was copied.
    let pod = json!({"metadata": status("{}"), "spec": {}});
    assert_eq!(decided(pod, "shop", json!({})), (true, 0));
    let pod = json!({"metadata": status("{\"egret\":{}}"), "spec": proxy});
    assert_eq!(decided(pod, "shop", json!({})), (true, 0));
}
