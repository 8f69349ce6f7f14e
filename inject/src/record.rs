//! The annotation `sidecar.istio.io/status`: what injection changed, so that it can be undone.

use serde_json::{Map, Value, json};

use crate::json;
use crate::names;
use crate::tree::{at, elements};

/// The key of the status that other injectors do not write.
const OWN: &str = "egret";

/// What injection changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Init containers that were added.
    pub init_containers: Vec<String>,
    /// Containers that were added.
    pub containers: Vec<String>,
    /// Volumes that were added.
    pub volumes: Vec<String>,
    /// Secrets that were added.
    pub image_pull_secrets: Vec<String>,
    /// The revision that injected.
    pub revision: String,
    /// Labels that were added.
    pub labels: Vec<String>,
    /// Annotations that were added.
    pub annotations: Vec<String>,
    /// Annotations that were changed or removed, with what they were.
    pub replaced: Map<String, Value>,
    /// Objects and lists that were not there (`false`) or null (`true`), by path.
    pub missing: Map<String, Value>,
    /// Places of the author's containers with names of ours: list, name and index.
    pub places: Vec<(String, String, usize)>,
    /// Ports of probes that were names, by the probe's new path.
    pub ports: Map<String, Value>,
}

/// Reads the record of a pod that this injector has injected.
pub fn read(pod: &Value) -> Option<Record> {
    let text = at(pod, &["metadata", "annotations", names::STATUS])?.as_str()?;
    let status = json::value(text).ok()?;
    let own = status.get(OWN)?.as_object()?;
    let strings = |value: Option<&Value>| -> Vec<String> {
        let strings = elements(value).iter().filter_map(Value::as_str);
        strings.map(str::to_owned).collect()
    };
    let object = |key: &str| -> Map<String, Value> {
        let object = own.get(key).and_then(Value::as_object);
        object.cloned().unwrap_or_default()
    };
    let places = elements(own.get("places")).iter().filter_map(|place| {
        let text = |index: usize| Some(place.get(index)?.as_str()?.to_owned());
        let index = place.get(2)?.as_u64()?;
        Some((text(0)?, text(1)?, usize::try_from(index).ok()?))
    });
    Some(Record {
        init_containers: strings(status.get("initContainers")),
        containers: strings(status.get("containers")),
        volumes: strings(status.get("volumes")),
        image_pull_secrets: strings(status.get("imagePullSecrets")),
        revision: status
            .get("revision")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        labels: strings(own.get("labels")),
        annotations: strings(own.get("annotations")),
        replaced: object("replaced"),
        missing: object("missing"),
        places: places.collect(),
        ports: object("ports"),
    })
}

impl Record {
    /// The annotation's value.
    pub fn text(&self) -> String {
        let mut own = Map::new();
        let mut add = |key: &str, value: Value| {
            let is_empty = match &value {
                Value::Array(list) => list.is_empty(),
                Value::Object(object) => object.is_empty(),
                _ => false,
            };
            if !is_empty {
                own.insert(key.to_owned(), value);
            }
        };
        add("labels", json!(self.labels));
        add("annotations", json!(self.annotations));
        add("replaced", json!(self.replaced));
        add("missing", json!(self.missing));
        add("places", json!(self.places));
        add("ports", json!(self.ports));
        // As Go writes lists that were never made.
        let list = |list: &[String]| match list {
            [] => Value::Null,
            list => json!(list),
        };
        let status = json!({
            "initContainers": list(&self.init_containers),
            "containers": list(&self.containers),
            "volumes": list(&self.volumes),
            "imagePullSecrets": list(&self.image_pull_secrets),
            "revision": self.revision,
            OWN: own,
        });
        json::write(&status, 0)
    }
}
