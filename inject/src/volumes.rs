//! Volumes, and where the proxy has them.

use serde_json::{Map, Value, json};

use crate::names;
use crate::plan::Plan;

/// Where the last good configuration is kept.
pub const CACHE_PATH: &str = "/var/cache/egret";

/// The hub's audience of tokens.
const AUDIENCE: &str = "egret-hub";

/// Seconds that a token is valid: 12 hours.
const TOKEN_SECONDS: u32 = 43_200;

/// The volumes that a pod gets, its author's of the annotation among them.
pub fn volumes(plan: &Plan<'_>) -> Vec<Value> {
    let item =
        |part: &str| json!({"fieldRef": {"fieldPath": format!("metadata.{part}")}, "path": part});
    let mut volumes = vec![
        json!({"name": names::VOLUME_PODINFO, "downwardAPI": {"items": [item("labels"), item("annotations")]}}),
        json!({"name": names::VOLUME_CACHE, "emptyDir": {}}),
    ];
    if plan.uses_hub() {
        let token = json!({"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "istio-token"});
        let sources = json!([{ "serviceAccountToken": token }]);
        volumes.push(json!({"name": names::VOLUME_TOKEN, "projected": {"sources": sources}}));
    }
    volumes.extend(named(&plan.annotations.user_volumes));
    volumes
}

/// Where the proxy has them.
pub fn mounts(plan: &Plan<'_>) -> Vec<Value> {
    let mut mounts = vec![
        json!({"name": names::VOLUME_PODINFO, "mountPath": "/etc/istio/pod"}),
        json!({"name": names::VOLUME_CACHE, "mountPath": CACHE_PATH}),
    ];
    if plan.uses_hub() {
        mounts.push(json!({"name": names::VOLUME_TOKEN, "mountPath": "/var/run/secrets/tokens", "readOnly": true}));
    }
    mounts.extend(named(&plan.annotations.user_mounts));
    mounts
}

/// The objects of an annotation with their names in them, by name.
fn named(objects: &Map<String, Value>) -> Vec<Value> {
    let mut names: Vec<&String> = objects.keys().collect();
    names.sort();
    let objects = names
        .into_iter()
        .filter_map(|name| Some((name, objects.get(name)?.as_object()?)));
    objects
        .map(|(name, object)| {
            let mut whole = Map::from_iter([("name".to_owned(), json!(name))]);
            whole.extend(object.clone().into_iter().filter(|(key, _)| key != "name"));
            Value::Object(whole)
        })
        .collect()
}
