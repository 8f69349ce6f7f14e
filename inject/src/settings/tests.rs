use serde_json::{Value, json};

use super::*;
use crate::notice::Notices;

fn problems(values: &Value) -> Vec<String> {
    let mut notices = Notices::default();
    read(values, &mut notices);
    let problems = notices.into_problems();
    problems
        .iter()
        .map(|problem| problem.to_string().replacen(": ", "", 1))
        .collect()
}

#[test]
fn images_are_whole_references() {
    let image = |values: Value| read(&values, &mut Notices::default());
    assert_eq!(
        image(json!({"global": {"hub": "r.example", "tag": 3}})).image,
        "r.example/egret:3"
    );
    assert_eq!(
        image(json!({"image": "x:1", "global": {"hub": "r.example"}})).image,
        "x:1"
    );
    let settings = image(
        json!({"global": {"proxy": {"image": "proxyv2"}, "proxy_init": {"image": "r/init:1"}}}),
    );
    assert_eq!(
        (settings.proxy_image, settings.init_image.as_deref()),
        (None, Some("r/init:1"))
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    for (values, expected) in [
        (
            json!({"images": "x"}),
            "images: no such setting; see docs/injection.md for the settings that exist",
        ),
        (
            json!({"global": {"proxy": {"cpu": 1}}}),
            "global.proxy.cpu: no such setting",
        ),
        (json!({"global": 1}), "global: \"1\": expected an object"),
        (
            json!({"global": {"proxy": {"includeIPRanges": "10.0.0.0"}}}),
            "global.proxy.includeIPRanges: \"10.0.0.0\": ",
        ),
        (
            json!({"global": {"proxy": {"excludeInboundPorts": "a"}}}),
            "global.proxy.excludeInboundPorts: \"a\": `a` is no port",
        ),
        (
            json!({"global": {"proxy": {"logLevel": "loud"}}}),
            "global.proxy.logLevel: \"loud\": `loud` is no level",
        ),
        (
            json!({"egret": {"nativeSidecar": "yes"}}),
            "egret.nativeSidecar: \"yes\": expected true, false or auto",
        ),
        (
            json!({"egret": {"configSource": "xds"}}),
            "egret.configSource: \"xds\": expected files, kubernetes or hub",
        ),
        (
            json!({"pilot": {"cni": {}}}),
            "pilot: not used by egret; remove it",
        ),
        (
            json!({"meshConfig": {"defaultConfig": {"concurrency": "x"}}}),
            "defaultConfig.concurrency: \"x\": expected a whole number",
        ),
    ] {
        let problems = problems(&values);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
}

#[test]
fn native_sidecars_need_a_server_that_knows_them() {
    for (native, minor, expected) in [
        (NativeSidecar::Auto, None, false),
        (NativeSidecar::Auto, Some(31), false),
        (NativeSidecar::Auto, Some(32), true),
        (NativeSidecar::On, None, true),
        (NativeSidecar::On, Some(28), false),
        (NativeSidecar::On, Some(29), true),
        (NativeSidecar::Off, Some(36), false),
    ] {
        assert_eq!(native.is_native(minor), expected, "{native:?} {minor:?}");
    }
}
