//! A call described by a query (`to=1.2.3.4:443&protocol=tls&sni=a.com`), decided by a snapshot in force. For the admin
//! page.

use std::net::SocketAddr;

use egret_config::snapshot::Snapshot;
use serde_json::{Map, Value};

use crate::commands::explain::call::{Call, To, WrongCall};
use crate::commands::explain::output::Output;
use crate::commands::explain::{json, query, remedy, resolution, text};
use crate::dns::names::NameFacts;
use crate::source::registered::Registered;

/// Explains the call in a query, as text or as a JSON object. The parts of the query are the keys of a call
/// ([`Call::of_json`]); `header` may be repeated. `names` returns the cached facts of a name. Text includes the YAML that
/// would allow a refused call; `services` are the registered ones.
///
/// # Errors
/// A query that is not a call; a name without an address in the snapshot.
pub fn explain(
    snapshot: &Snapshot,
    names: &dyn Fn(&str) -> Option<NameFacts>,
    query: &str,
    output: Output,
    services: &[Registered],
) -> Result<String, WrongCall> {
    let (call, unknown) = Call::of_json(&object(query))?;
    if !unknown.is_empty() {
        let message = format!("unknown in the query: {}", unknown.join(", "));
        return Err(WrongCall::new(message));
    }
    let (to, note) = match &call.to {
        To::Address(address) => (*address, None),
        To::Name(name, port) => {
            let address = snapshot
                .names
                .find(name)
                .and_then(|addresses| addresses.first());
            let ip = *address.ok_or_else(|| {
                WrongCall::new(format!(
                    "{name} has no address here: write IP:PORT, as a client would connect to it"
                ))
            })?;
            let note = format!("{name} has address {ip}");
            (SocketAddr::new(ip, *port), Some(note))
        }
    };
    let mut answer = query::ask_snapshot(snapshot, &call, to, note, &|_| true)?;
    resolution::add(&mut answer, snapshot, names);
    Ok(match output {
        Output::Text => {
            let remedy = remedy::remedy(snapshot, services, &answer);
            text::text(&answer, remedy.as_ref())
        }
        Output::Json => format!("{:#}\n", json::value(&answer)),
    })
}

/// A query as the JSON object of a call. A `+` stays one: paths and headers have it.
fn object(query: &str) -> Value {
    let mut object = Map::new();
    let mut headers = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        match key {
            // The form of the page.
            "format" => {}
            "header" => headers.push(Value::from(value)),
            key => {
                object.insert(key.to_owned(), Value::from(value));
            }
        }
    }
    if !headers.is_empty() {
        object.insert("headers".to_owned(), headers.into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
