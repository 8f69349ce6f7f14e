//! The client connection that requests come on, and what travels with each of them.

use std::rc::Rc;

use egret_config::decide::call::{Arrival, Terminated};
use egret_config::decide::normalize::downstream::Downstream;
use egret_config::model::mesh::ProxyHeaders;
use egret_config::snapshot::Snapshot;
use http::{HeaderValue, Version};
use tokio::time::Instant;

use crate::client::body::Received;
use crate::http::request_trace::RequestTrace;
use crate::proxy::Proxy;
use crate::report::facts::{CallProtocol, DownstreamFacts};
use crate::report::reporter::{FactsGuard, RequestWire};

/// The client connection that requests come on.
#[derive(Debug)]
pub struct DownstreamConnection {
    /// Its addresses.
    pub arrival: Arrival,
    /// TLS that a gateway ended on it.
    pub terminated: Option<Terminated>,
    /// The client certificate as an element of `x-forwarded-client-cert`.
    pub client_cert: Option<HeaderValue>,
    /// The facts of the connection, which are those of each of its requests.
    pub facts: DownstreamFacts,
}

impl DownstreamConnection {
    /// The connection of this arrival, before anything is known about TLS on it.
    pub fn of(arrival: Arrival) -> Self {
        Self {
            arrival,
            terminated: None,
            client_cert: None,
            facts: DownstreamFacts::default(),
        }
    }

    /// The client's side of its requests.
    pub fn downstream(&self) -> Downstream<'_> {
        Downstream {
            arrival: self.arrival,
            terminated: self.terminated.as_ref(),
            client_cert: self.client_cert.as_ref(),
        }
    }

    /// The facts of a request on this connection; without `wire`, of what never became one.
    pub fn facts(&self, proxy: &Proxy, wire: Option<RequestWire>) -> Box<FactsGuard> {
        let reporter = &proxy.reporter;
        let mut facts = Box::new(match wire {
            Some(wire) => reporter.begin_request(wire),
            None => reporter.begin(),
        });
        facts.protocol = CallProtocol::Http;
        facts.downstream = DownstreamFacts {
            remote_address: Some(self.arrival.client),
            local_address: Some(self.arrival.local),
            requested_server_name: self.terminated.as_ref().and_then(|tls| tls.sni.clone()),
            ..self.facts.clone()
        };
        if let Some(http) = &facts.downstream.http {
            http.request();
        }
        facts
    }
}

/// What travels with a request from its head to the head of its response. It is gone before the body is passed on.
#[derive(Debug)]
pub struct ExchangeContext<'s> {
    /// The connection that it came on.
    pub downstream: &'s DownstreamConnection,
    /// The configuration that decides.
    pub snapshot: &'s Snapshot,
    /// The handles of this worker.
    pub proxy: &'s Rc<Proxy>,
    /// Its facts. Boxed: they move with the response's body.
    pub facts: Box<FactsGuard>,
    /// The client's version of HTTP.
    pub client_version: Version,
    /// Bytes of its body so far.
    pub received: Received,
    /// Tries made.
    pub tries: u32,
    /// Whether it is a HEAD.
    pub head: bool,
    /// Whether the client reads gRPC's statuses.
    pub grpc: bool,
    /// When the time is over that a gRPC client gives its call.
    pub deadline: Option<Instant>,
    /// Its trace; `None` where calls are not traced.
    pub trace: Option<RequestTrace<'s>>,
}

impl<'s> ExchangeContext<'s> {
    /// Which headers of its own the proxy puts in.
    pub fn proxy_headers(&self) -> &'s ProxyHeaders {
        &self.snapshot.mesh.proxy_headers
    }
}
