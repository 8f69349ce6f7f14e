//! What two proxies made of the same bytes, as lines that can be compared.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::wire::{Heard, Message, ORIGINS_TIME};

/// Addresses by who has them, as they are not the same both ways.
pub(crate) struct Names {
    client: String,
    proxy: String,
}

impl Names {
    /// The client's address and the proxy's.
    pub(crate) fn new(client: IpAddr, proxy: IpAddr) -> Self {
        Self {
            client: client.to_string(),
            proxy: proxy.to_string(),
        }
    }

    fn named(&self, text: &str) -> String {
        text.replace(&self.client, "CLIENT")
            .replace(&self.proxy, "PROXY")
    }

    /// An address and its port, which is told unless the kernel chose it.
    pub(crate) fn address(&self, text: &str) -> String {
        match text
            .rsplit_once(':')
            .map(|(ip, port)| (ip, port.parse::<u16>()))
        {
            Some((ip, Ok(10_000..))) => format!("{}:any", self.named(ip)),
            _ => self.named(text),
        }
    }
}

/// Facts by name: `status`, `header x`, `origin 1 header y`.
pub(crate) type Facts = BTreeMap<String, String>;

const RESPONSES: &str = "responses";
const REQUESTS: &str = "origin requests";
/// How many lines the access log got.
pub(crate) const ROWS: &str = "rows";

/// What one proxy made of a request: what its client heard and what the origin saw.
pub(crate) fn facts(heard: &Heard, origin: &[Message], names: &Names) -> Facts {
    let mut facts = Facts::new();
    let mut note = |name: String, value: String| {
        facts.insert(name, value);
    };
    note(RESPONSES.into(), heard.responses.len().to_string());
    note(
        "connection".into(),
        if heard.closed { "closed" } else { "open" }.into(),
    );
    for (at, response) in heard.responses.iter().enumerate() {
        let of = if heard.responses.len() == 1 {
            String::new()
        } else {
            format!("response {} ", at + 1)
        };
        note(format!("{of}status"), response.status().to_string());
        message(response, &of, names, &mut note);
    }
    note(REQUESTS.into(), origin.len().to_string());
    for (at, request) in origin.iter().enumerate() {
        let of = if origin.len() == 1 {
            "origin ".to_owned()
        } else {
            format!("origin {} ", at + 1)
        };
        note(format!("{of}line"), request.line.clone());
        message(request, &of, names, &mut note);
    }
    facts
}

/// Notes the lines of an access log, one for each answer, under Istio's keys.
pub(crate) fn told(lines: &[String], answers: usize, names: &Names, facts: &mut Facts) {
    for (at, line) in lines.iter().take(answers).enumerate() {
        let of = if answers == 1 {
            "log ".to_owned()
        } else {
            format!("log {} ", at + 1)
        };
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
            facts.insert(format!("{of}line"), line.clone());
            continue;
        };
        for (key, value) in fields {
            let value = match (&*key, value) {
                ("start_time" | "duration", _) => "then".to_owned(),
                (_, Value::String(text)) => usual_told(&key, text, names),
                (_, value) => value.to_string(),
            };
            facts.insert(format!("{of}{key}"), value);
        }
    }
}

fn usual_told(key: &str, text: String, names: &Names) -> String {
    match key {
        "request_id" if is_uuid(&text) => "a UUID".to_owned(),
        "upstream_service_time" if text.parse::<u32>().is_ok() => "milliseconds".to_owned(),
        "upstream_local_address" | "downstream_local_address" | "downstream_remote_address" => {
            names.address(&text)
        }
        _ => names.named(&text),
    }
}

fn message(message: &Message, of: &str, names: &Names, note: &mut impl FnMut(String, String)) {
    let mut fields: Vec<&str> = message
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    fields.sort_unstable();
    fields.dedup();
    for name in fields {
        let values = message.values(name).join(" | ");
        note(format!("{of}header {name}"), usual(name, &values, names));
    }
    if !message.body.is_empty() {
        note(format!("{of}body"), message.body.clone());
    }
    for (name, value) in &message.trailers {
        note(format!("{of}trailer {name}"), value.clone());
    }
    if message.is_cut {
        note(format!("{of}end"), "cut off".into());
    }
}

/// Values that cannot be equal, by what they are.
fn usual(name: &str, value: &str, names: &Names) -> String {
    match name {
        "date" if value != "Sun, 06 Nov 1994 08:49:37 GMT" => "now".into(),
        "x-request-id" if is_uuid(value) => "a UUID".into(),
        // A busy machine takes its time; the origin's own word is to be told from that.
        "x-envoy-upstream-service-time"
            if value != ORIGINS_TIME && value.parse::<u32>().is_ok() =>
        {
            "milliseconds".into()
        }
        _ => names.named(value),
    }
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.chars().enumerate().all(|(at, c)| {
            if [8, 13, 18, 23].contains(&at) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

/// One line for each fact that differs: `name: Envoy's | egret's`.
pub(crate) fn differences(envoy: &Facts, egret: &Facts) -> Vec<String> {
    let mut names: Vec<&String> = envoy.keys().chain(egret.keys()).collect();
    names.sort();
    names.dedup();
    let of = |facts: &Facts, name: &str| {
        facts.get(name).map_or_else(
            || "-".to_owned(),
            |value| {
                let text = format!("{value:?}");
                let shown: String = text.chars().take(120).collect();
                if shown.len() < text.len() {
                    format!("{shown}...")
                } else {
                    text
                }
            },
        )
    };
    // Where one origin saw more requests than the other, that alone is told.
    let as_many = |name| envoy.get(name) == egret.get(name);
    let (as_many_requests, as_many_responses) = (as_many(REQUESTS), as_many(RESPONSES));
    let as_many_rows = as_many(ROWS);
    names
        .into_iter()
        .filter(|name| {
            let is_of_origin = name.starts_with("origin ");
            [REQUESTS, RESPONSES, ROWS].contains(&name.as_str())
                || if is_of_origin {
                    as_many_requests
                } else {
                    as_many_responses && (as_many_rows || !name.starts_with("log "))
                }
        })
        .filter(|name| envoy.get(*name) != egret.get(*name))
        .map(|name| format!("{name}: {} | {}", of(envoy, name), of(egret, name)))
        .collect()
}
