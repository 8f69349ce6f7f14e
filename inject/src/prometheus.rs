//! The `prometheus.io` annotations: Prometheus asks the agent, which asks the application.

use egret_config::port::well_known;
use serde_json::{Map, Value, json};

use crate::json;
use crate::proxy_config::shown;
use crate::record::Record;

/// The path of the agent's metrics.
const PATH: &str = "/stats/prometheus";

/// Points the annotations to the agent, and gives the original ones for the agent's variable; `None` where there are none, where they
/// say that nothing is asked, and where they name the agent already.
pub fn merge(
    annotations: &mut Map<String, Value>,
    record: &mut Record,
    port: u16,
) -> Option<String> {
    let [scrape, path, own] = ["scrape", "path", "port"].map(|wanted| find(annotations, wanted));
    let is_false = |key: &str, value: &Value| {
        part(key) == Some("scrape")
            && matches!(
                shown(value).as_str(),
                "false" | "False" | "FALSE" | "f" | "F" | "0"
            )
    };
    if annotations.iter().any(|(key, value)| is_false(key, value)) {
        return None;
    }
    let port = match port {
        0 => well_known::AGENT,
        port => port,
    };
    if own.as_deref() == Some(port.to_string().as_str()) {
        return None;
    }
    let has_original = scrape.is_some() || path.is_some() || own.is_some();
    let original = json!({
        "scrape": scrape.unwrap_or_default(),
        "path": path.unwrap_or_default(),
        "port": own.unwrap_or_default(),
    });
    let new = [
        ("prometheus.io/scrape", "true".to_owned()),
        ("prometheus.io/port", port.to_string()),
        ("prometheus.io/path", PATH.to_owned()),
    ];
    let others: Vec<String> = annotations
        .keys()
        .filter(|key| part(key).is_some() && !new.iter().any(|(own, _)| own == key))
        .cloned()
        .collect();
    for key in others {
        if let Some(value) = annotations.shift_remove(&key) {
            record.replaced.insert(key, value);
        }
    }
    for (key, value) in new {
        set(annotations, record, key, value);
    }
    has_original.then(|| json::write(&original, 0))
}

/// The value of one of them: that of the usual name, else that of the first name by alphabet.
fn find(annotations: &Map<String, Value>, wanted: &str) -> Option<String> {
    let usual = annotations.get(&format!("prometheus.io/{wanted}"));
    let others = annotations
        .iter()
        .filter(|(key, _)| part(key) == Some(wanted));
    let first = || others.min_by_key(|(key, _)| *key).map(|(_, value)| value);
    usual.or_else(first).map(shown)
}

/// Sets an annotation, and records what it was.
pub fn set(annotations: &mut Map<String, Value>, record: &mut Record, key: &str, value: String) {
    let value = Value::String(value);
    match annotations.insert(key.to_owned(), value.clone()) {
        None => record.annotations.push(key.to_owned()),
        Some(old) if record.annotations.iter().any(|own| own == key) || old == value => {}
        Some(old) => {
            record.replaced.entry(key).or_insert(old);
        }
    }
}

/// What an annotation says of `prometheus.io`, whatever characters separate the parts of its name.
fn part(key: &str) -> Option<&'static str> {
    let safe: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let rest = safe.strip_prefix("prometheus_io_")?;
    ["scrape", "path", "port"]
        .into_iter()
        .find(|part| *part == rest)
}
