//! The counters of clients as families.

use std::sync::Arc;

use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::envoy::downstream::DownstreamCounters;
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value, labels};

/// The labels of a listener.
const LISTENER: &[&str] = &["listener_address"];

/// The labels of a connection manager.
const MANAGER: &[&str] = &["http_conn_manager_prefix"];

/// `envoy_listener_downstream_cx_total`
pub static LISTENER_CONNECTIONS: Definition = Definition {
    name: "envoy_listener_downstream_cx_total",
    kind: Kind::Counter,
    help: "",
    labels: LISTENER,
    stat: "listener.$.downstream_cx_total",
};

/// `envoy_listener_downstream_cx_active`
pub static LISTENER_ACTIVE: Definition = Definition {
    name: "envoy_listener_downstream_cx_active",
    kind: Kind::Gauge,
    help: "",
    labels: LISTENER,
    stat: "listener.$.downstream_cx_active",
};

/// `envoy_listener_no_filter_chain_match`
pub static LISTENER_NO_CHAIN: Definition = Definition {
    name: "envoy_listener_no_filter_chain_match",
    kind: Kind::Counter,
    help: "",
    labels: LISTENER,
    stat: "listener.$.no_filter_chain_match",
};

/// `envoy_listener_http_downstream_rq`
pub static LISTENER_REQUESTS: Definition = Definition {
    name: "envoy_listener_http_downstream_rq",
    kind: Kind::Counter,
    help: "",
    labels: &["listener_address", "response_code_class"],
    stat: "listener.$.http.downstream_rq_$",
};

/// `envoy_http_downstream_rq_total`
pub static HTTP_REQUESTS: Definition = Definition {
    name: "envoy_http_downstream_rq_total",
    kind: Kind::Counter,
    help: "",
    labels: MANAGER,
    stat: "http.$;.downstream_rq_total",
};

/// `envoy_http_downstream_rq_active`
pub static HTTP_REQUESTS_ACTIVE: Definition = Definition {
    name: "envoy_http_downstream_rq_active",
    kind: Kind::Gauge,
    help: "",
    labels: MANAGER,
    stat: "http.$;.downstream_rq_active",
};

/// `envoy_http_downstream_rq`
pub static HTTP_CLASSES: Definition = Definition {
    name: "envoy_http_downstream_rq",
    kind: Kind::Counter,
    help: "",
    labels: &["http_conn_manager_prefix", "response_code_class"],
    stat: "http.$;.downstream_rq_$",
};

/// `envoy_http_downstream_cx_total`
pub static HTTP_CONNECTIONS: Definition = Definition {
    name: "envoy_http_downstream_cx_total",
    kind: Kind::Counter,
    help: "",
    labels: MANAGER,
    stat: "http.$;.downstream_cx_total",
};

/// `envoy_http_downstream_cx_active`
pub static HTTP_CONNECTIONS_ACTIVE: Definition = Definition {
    name: "envoy_http_downstream_cx_active",
    kind: Kind::Gauge,
    help: "",
    labels: MANAGER,
    stat: "http.$;.downstream_cx_active",
};

/// All families of clients.
pub static DEFINITIONS: [&Definition; 9] = [
    &LISTENER_CONNECTIONS,
    &LISTENER_ACTIVE,
    &LISTENER_NO_CHAIN,
    &LISTENER_REQUESTS,
    &HTTP_REQUESTS,
    &HTTP_REQUESTS_ACTIVE,
    &HTTP_CLASSES,
    &HTTP_CONNECTIONS,
    &HTTP_CONNECTIONS_ACTIVE,
];

/// The families of clients while workers are added to them.
#[derive(Debug)]
pub struct DownstreamFamilies {
    listener: [Family; 2],
    without_chain: Family,
    listener_responses: Family,
    requests: [Family; 2],
    responses: Family,
    connections: [Family; 2],
    /// Connections there are at all listeners.
    pub active: u64,
}

impl Default for DownstreamFamilies {
    /// No worker yet.
    fn default() -> Self {
        Self {
            listener: [&LISTENER_CONNECTIONS, &LISTENER_ACTIVE].map(Family::new),
            without_chain: Family::new(&LISTENER_NO_CHAIN),
            listener_responses: Family::new(&LISTENER_REQUESTS),
            requests: [&HTTP_REQUESTS, &HTTP_REQUESTS_ACTIVE].map(Family::new),
            responses: Family::new(&HTTP_CLASSES),
            connections: [&HTTP_CONNECTIONS, &HTTP_CONNECTIONS_ACTIVE].map(Family::new),
            active: 0,
        }
    }
}

impl DownstreamFamilies {
    /// Adds what a worker counted.
    pub fn worker(&mut self, counters: &DownstreamCounters) {
        for (address, listener) in counters.listeners() {
            let text = labels(&LISTENER_CONNECTIONS, &[&address]);
            let connections = listener.connections();
            add(&mut self.listener, &text, connections);
            let count = listener.connections_without_chain();
            self.without_chain.add(&text, Value::Integer(count));
            add_classes(&mut self.listener_responses, &text, listener.responses());
            self.active += connections[1];
        }
        for (port, http) in counters.by_port() {
            let text = labels(&HTTP_REQUESTS, &[&format!("outbound_0.0.0.0_{port}")]);
            add(&mut self.requests, &text, http.requests());
            add(&mut self.connections, &text, http.connections());
            add_classes(&mut self.responses, &text, http.responses());
        }
    }

    /// The families.
    pub fn finish(self) -> Vec<Family> {
        let mut families = Vec::from(self.listener);
        families.extend([self.without_chain, self.listener_responses]);
        families.extend(self.requests);
        families.push(self.responses);
        families.extend(self.connections);
        families
    }
}

/// Adds a number to each of two families.
fn add(families: &mut [Family; 2], text: &Arc<str>, counts: [u64; 2]) {
    for (family, count) in families.iter_mut().zip(counts) {
        family.add(text, Value::Integer(count));
    }
}

/// Adds each class of responses to a family.
fn add_classes(family: &mut Family, text: &str, responses: Vec<(u16, u64)>) {
    for (class, count) in responses {
        let mut text = text.to_owned();
        escape::label(&mut text, "response_code_class", &format!("{class}xx"));
        family.add(&text.into(), Value::Integer(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_beyond_those_that_are_kept_apart_are_one() {
        let counters = DownstreamCounters::default();
        for port in 1..=300 {
            counters.http(port).request();
        }
        counters.http(7).request();
        let mut families = DownstreamFamilies::default();
        families.worker(&counters);
        let families = families.finish();
        let requests = families
            .iter()
            .find(|family| family.definition.name == HTTP_REQUESTS.name)
            .expect("requests");
        assert_eq!(requests.samples.len(), 257);
        let of = |port: &str| {
            let text = labels(&HTTP_REQUESTS, &[&format!("outbound_0.0.0.0_{port}")]);
            match requests.samples.get(&text) {
                Some(Value::Integer(count)) => *count,
                other => panic!("{port}: {other:?}"),
            }
        };
        assert_eq!((of("7"), of("256"), of("other")), (2, 1, 44));
    }
}
