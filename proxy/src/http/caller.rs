//! Who asks, and what is gathered about one of its requests on the way.

use std::net::SocketAddr;
use std::sync::Arc;

use egret_config::decide::call::Arrival;
use egret_config::decide::call::Terminated;
use egret_config::model::mesh::ProxyHeaders;
use http::HeaderValue;

use crate::proxy::Proxy;
use crate::report::record::Record;
use crate::upstream::body::Received;

/// The client connection that requests come on.
#[derive(Debug)]
pub struct Caller {
    /// Where it came in.
    pub arrival: Arrival,
    /// Whom the client dialled, where somebody in front says it; otherwise where it came in.
    pub dialled: SocketAddr,
    /// TLS that a gateway ended on it.
    pub terminated: Option<Terminated>,
    /// What the certificate says that the client showed, as an element of `x-forwarded-client-cert`.
    pub shown: Option<HeaderValue>,
}

impl Caller {
    /// The scheme of what it carries.
    pub fn scheme(&self) -> &'static str {
        if self.terminated.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// A record for a request on this connection.
    pub fn record(&self, proxy: &Proxy) -> Record {
        let mut record = Record::open(Arc::clone(&proxy.access_log));
        record.downstream_local_address = Some(self.dialled);
        record.downstream_remote_address = Some(self.arrival.client);
        record.requested_server_name = self.terminated.as_ref().and_then(|tls| tls.sni.clone());
        record
    }
}

/// What is gathered about a request on its way.
#[derive(Debug)]
pub struct Told<'s> {
    /// Its record. Boxed: it moves with the response's body.
    pub record: Box<Record>,
    /// Bytes of its body so far.
    pub received: Received,
    /// Tries made.
    pub tries: u32,
    /// Whether the client reads gRPC's statuses.
    pub grpc: bool,
    /// Which headers of its own the proxy puts in.
    pub own: &'s ProxyHeaders,
}
