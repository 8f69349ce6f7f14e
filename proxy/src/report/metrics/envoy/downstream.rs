//! What one worker counts of clients: connections of each listening socket, requests of each port that was called.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::lock::lock;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::escape;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::histogram::{add, subtract};
use crate::report::metrics::names::{OTHER, STRANGERS_MAX};
use crate::report::metrics::own::labels;

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

/// Responses by class, from 1xx on.
#[derive(Debug, Default)]
struct Classes([AtomicU64; 5]);

/// Connections that were begun, and those of them that are over.
#[derive(Debug, Default)]
struct Begun {
    all: AtomicU64,
    active: AtomicU64,
}

/// The counters of one listening socket on one worker.
#[derive(Debug, Default)]
pub struct ListenerCounters {
    connections: Begun,
    without_chain: AtomicU64,
    responses: Classes,
}

/// The counters of HTTP on one port that was called, on one worker.
#[derive(Debug, Default)]
pub struct HttpCounters {
    connections: Begun,
    requests: Begun,
    responses: Classes,
}

/// A connection that is counted as active while this lives.
#[derive(Debug)]
pub struct ActiveConnection(Counted);

#[derive(Debug)]
enum Counted {
    Listener(Arc<ListenerCounters>),
    Http(Arc<HttpCounters>),
}

/// What one worker counts of clients.
#[derive(Debug, Default)]
pub struct DownstreamCounters {
    listeners: Mutex<BTreeMap<String, Arc<ListenerCounters>>>,
    /// By port; `None` are those beyond as many as are kept apart.
    http: Mutex<BTreeMap<Option<u16>, Arc<HttpCounters>>>,
}

impl Classes {
    fn count(&self, code: u16) {
        let class = usize::from(code / 100).checked_sub(1);
        if let Some(count) = class.and_then(|class| self.0.get(class)) {
            add(count, 1);
        }
    }

    /// Adds each class that came to a family, behind `text`.
    fn append(&self, family: &mut Family, text: &str) {
        for (class, count) in (1..).zip(&self.0) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let mut text = text.to_owned();
                escape::label(&mut text, "response_code_class", &format!("{class}xx"));
                family.add(&text.into(), Value::Integer(count));
            }
        }
    }
}

impl Begun {
    fn begin(&self) {
        add(&self.all, 1);
        add(&self.active, 1);
    }

    fn end(&self) {
        subtract(&self.active, 1);
    }

    fn values(&self) -> [Value; 2] {
        [&self.all, &self.active].map(|count| Value::Integer(count.load(Ordering::Relaxed)))
    }
}

impl ListenerCounters {
    /// A connection was accepted.
    pub fn connection(self: &Arc<Self>) -> ActiveConnection {
        self.connections.begin();
        ActiveConnection(Counted::Listener(Arc::clone(self)))
    }

    /// A connection met no filter chain.
    pub fn without_chain(&self) {
        add(&self.without_chain, 1);
    }

    /// A request was answered with this status.
    pub fn response(&self, code: u16) {
        self.responses.count(code);
    }
}

impl HttpCounters {
    /// A connection begins to carry HTTP.
    pub fn connection(self: &Arc<Self>) -> ActiveConnection {
        self.connections.begin();
        ActiveConnection(Counted::Http(Arc::clone(self)))
    }

    /// A request begins. [`HttpCounters::response`] ends it.
    pub fn request(&self) {
        self.requests.begin();
    }

    /// A request is over, with this status if it has one.
    pub fn response(&self, code: Option<u16>) {
        self.requests.end();
        if let Some(code) = code {
            self.responses.count(code);
        }
    }
}

impl Drop for ActiveConnection {
    fn drop(&mut self) {
        match &self.0 {
            Counted::Listener(counters) => counters.connections.end(),
            Counted::Http(counters) => counters.connections.end(),
        }
    }
}

impl DownstreamCounters {
    /// The counters of a listening socket.
    pub fn listener(&self, address: SocketAddr) -> Arc<ListenerCounters> {
        let mut listeners = lock(&self.listeners);
        Arc::clone(listeners.entry(listener_name(address)).or_default())
    }

    /// The counters of HTTP on a port that was called.
    pub fn http(&self, port: u16) -> Arc<HttpCounters> {
        let mut http = lock(&self.http);
        let port =
            Some(port).filter(|_| http.len() < STRANGERS_MAX || http.contains_key(&Some(port)));
        Arc::clone(http.entry(port).or_default())
    }
}

/// An address as Envoy names listeners: all addresses are `0.0.0.0`, also where IPv6 is listened on besides.
fn listener_name(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("0.0.0.0_{}", address.port()),
        false => address.to_string().replace(':', "_"),
    }
}

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
        for (address, listener) in &*lock(&counters.listeners) {
            let text = labels(&LISTENER_CONNECTIONS, &[address]);
            for (family, value) in self.listener.iter_mut().zip(listener.connections.values()) {
                family.add(&text, value);
            }
            let count = listener.without_chain.load(Ordering::Relaxed);
            self.without_chain.add(&text, Value::Integer(count));
            listener
                .responses
                .append(&mut self.listener_responses, &text);
            self.active += listener.connections.active.load(Ordering::Relaxed);
        }
        for (port, http) in &*lock(&counters.http) {
            let port = port.map_or_else(|| OTHER.to_owned(), |port| port.to_string());
            let text = labels(&HTTP_REQUESTS, &[&format!("outbound_0.0.0.0_{port}")]);
            for (families, begun) in [
                (&mut self.requests, &http.requests),
                (&mut self.connections, &http.connections),
            ] {
                for (family, value) in families.iter_mut().zip(begun.values()) {
                    family.add(&text, value);
                }
            }
            http.responses.append(&mut self.responses, &text);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_named_as_envoy_names_them() {
        for (address, expected) in [
            ("0.0.0.0:443", "0.0.0.0_443"),
            ("[::]:443", "0.0.0.0_443"),
            ("10.0.0.1:80", "10.0.0.1_80"),
            ("[2001:db8::1]:80", "[2001_db8__1]_80"),
        ] {
            assert_eq!(listener_name(address.parse().expect(address)), expected);
        }
    }

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
