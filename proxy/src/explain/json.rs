//! An answer for programs.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::explain::answer::Answer;
use crate::explain::answer::Retries;
use crate::explain::answer::Tls;
use crate::explain::answer::seconds;

/// One object; what is absent has no key.
pub(super) fn value(answer: &Answer) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if !matches!(&value, Value::Null) && value.as_array().is_none_or(|list| !list.is_empty()) {
            object.insert(key.to_owned(), value);
        }
    };
    put("verdict", answer.word.name().into());
    put("status", answer.status.into());
    put("response_flags", answer.flag.into());
    put("cluster", answer.cluster.clone().into());
    let clusters = answer.clusters.iter();
    put(
        "clusters",
        clusters
            .map(|(name, weight)| json!({ "name": name, "weight": weight }))
            .collect(),
    );
    put("virtual_host", answer.virtual_host.clone().into());
    put("route", answer.route.clone().into());
    put("location", answer.location.clone().into());
    put("rewritten_path", answer.rewritten_path.clone().into());
    put(
        "rewritten_authority",
        answer.rewritten_authority.clone().into(),
    );
    put("tls", answer.tls.as_ref().map(tls).into());
    put("lb", answer.lb.into());
    put("timeout", answer.timeout.map(seconds).into());
    put("retries", answer.retries.as_ref().map(retries).into());
    let mirrors = answer.mirrors.iter();
    put(
        "mirrors",
        mirrors
            .map(|(name, percent)| json!({ "name": name, "percent": percent }))
            .collect(),
    );
    put("fault", answer.fault.clone().into());
    put("trail", answer.trail.clone().into());
    Value::Object(object)
}

fn tls(tls: &Tls) -> Value {
    let mut object = Map::new();
    object.insert("mode".to_owned(), tls.mode.into());
    if let Some(sni) = &tls.sni {
        object.insert("sni".to_owned(), sni.as_str().into());
    }
    if !tls.verify_san.is_empty() {
        object.insert("verify_san".to_owned(), tls.verify_san.clone().into());
    }
    if let Some(ca) = &tls.ca {
        object.insert("ca".to_owned(), ca.as_str().into());
    }
    Value::Object(object)
}

fn retries(retries: &Retries) -> Value {
    let mut object = Map::new();
    object.insert("attempts".to_owned(), retries.attempts.into());
    if let Some(timeout) = retries.per_try_timeout {
        object.insert("per_try_timeout".to_owned(), seconds(timeout).into());
    }
    object.insert("retry_on".to_owned(), retries.retry_on.as_str().into());
    Value::Object(object)
}
