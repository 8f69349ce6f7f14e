//! An answer for programs.

use serde_json::{Map, Value, json};

use crate::commands::explain::answer::{Answer, Retries, Tls, seconds};

/// One object; what is absent has no key.
pub(super) fn value(answer: &Answer) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if !matches!(&value, Value::Null) && value.as_array().is_none_or(|list| !list.is_empty()) {
            object.insert(key.to_owned(), value);
        }
    };
    let outcome = &answer.outcome;
    let flags = (!outcome.flags.is_empty()).then(|| outcome.flags.to_string());
    put("verdict", outcome.kind.name().into());
    put("status", outcome.status.into());
    put("response_flags", flags.into());
    put("response_code_details", outcome.details.into());
    put("cluster", outcome.cluster.as_deref().into());
    let clusters = answer.clusters.iter();
    put(
        "clusters",
        clusters
            .map(|(name, weight)| json!({ "name": name, "weight": weight }))
            .collect(),
    );
    put("virtual_host", outcome.virtual_host.as_deref().into());
    put("route", outcome.route.as_deref().into());
    put("location", outcome.location.as_deref().into());
    put("rewritten_path", outcome.rewrites.path.as_deref().into());
    let authority = outcome.rewrites.authority.as_deref();
    put("rewritten_authority", authority.into());
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
