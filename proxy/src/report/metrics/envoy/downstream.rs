//! What one worker counts of clients: connections of each listening socket, requests of each port that was called.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::lock::lock;
use crate::report::metrics::histogram::{add, subtract};
use crate::report::metrics::names::{OTHER, STRANGERS_MAX};

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

    /// Each class that came, with how many.
    fn counts(&self) -> Vec<(u16, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        (1..).zip(counts).filter(|(_, count)| *count > 0).collect()
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

    /// All of them, and those that are not over.
    fn counts(&self) -> [u64; 2] {
        [&self.all, &self.active].map(|count| count.load(Ordering::Relaxed))
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

    /// Connections: all there were, and all there are.
    pub fn connections(&self) -> [u64; 2] {
        self.connections.counts()
    }

    /// Connections that met no filter chain.
    pub fn connections_without_chain(&self) -> u64 {
        self.without_chain.load(Ordering::Relaxed)
    }

    /// Answered requests by the first digit of their status.
    pub fn responses(&self) -> Vec<(u16, u64)> {
        self.responses.counts()
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

    /// Connections: all there were, and all there are.
    pub fn connections(&self) -> [u64; 2] {
        self.connections.counts()
    }

    /// Requests: all there were, and all there are.
    pub fn requests(&self) -> [u64; 2] {
        self.requests.counts()
    }

    /// Answered requests by the first digit of their status.
    pub fn responses(&self) -> Vec<(u16, u64)> {
        self.responses.counts()
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

    /// The listening sockets, by Envoy's names.
    pub fn listeners(&self) -> BTreeMap<String, Arc<ListenerCounters>> {
        lock(&self.listeners).clone()
    }

    /// HTTP by port; those beyond as many as are kept apart are `other`.
    pub fn by_port(&self) -> Vec<(String, Arc<HttpCounters>)> {
        let http = lock(&self.http);
        let each = http.iter().map(|(port, counters)| {
            let port = port.map_or_else(|| OTHER.to_owned(), |port| port.to_string());
            (port, Arc::clone(counters))
        });
        each.collect()
    }
}

/// An address as Envoy names listeners: all addresses are `0.0.0.0`, also where IPv6 is listened on besides.
fn listener_name(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("0.0.0.0_{}", address.port()),
        false => address.to_string().replace(':', "_"),
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
}
