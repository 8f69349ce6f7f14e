//! The facts about the attempts of a call to reach an endpoint.

use std::sync::Arc;

use egret_config::address::{EndpointAddress, UpstreamLocalAddress};
use egret_config::model::endpoint::DestinationWorkload;
use egret_config::model::tls::Hashed;
use http::Version;
use tokio::time::Instant;

use crate::report::facts::connection::UpstreamConnectionFacts;
use crate::report::facts::wire::CallWire;

/// One attempt to reach an endpoint.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The endpoint; once it answered, the one of its addresses that did.
    pub endpoint: EndpointAddress,
    /// The workload at the endpoint, where it is a pod that is known.
    pub workload: Option<Hashed<DestinationWorkload>>,
    /// The DNS name that the endpoint's address is of; `None` where the configuration has the address.
    pub host_name: Option<Arc<str>>,
    /// The connection to it, once there is one.
    pub connection: Option<Arc<UpstreamConnectionFacts>>,
    /// The version of HTTP on it; `None` for byte streams.
    pub protocol: Option<Version>,
    /// Bytes of the request and its response on it; only where a format asks for them, and not for byte streams.
    pub wire: Option<Arc<CallWire>>,
    /// When the request began to be sent on it.
    pub sent: Option<Instant>,
    /// When the head of its response came.
    pub answered: Option<Instant>,
}

/// The attempts of one call. The first one needs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    earlier: Vec<Attempt>,
    last: Option<Attempt>,
    /// Bytes on connections to endpoints count.
    counts_wire: bool,
}

impl Attempt {
    /// The local address of the connection to the endpoint, once there is one.
    pub fn local_address(&self) -> Option<&UpstreamLocalAddress> {
        self.connection.as_ref().map(|connection| &connection.local)
    }

    /// Notes that the request begins to be sent, over this version of HTTP.
    pub fn begin_request(&mut self, protocol: Version, at: Instant) {
        self.protocol = Some(protocol);
        self.sent = Some(at);
    }
}

impl Attempts {
    /// None so far, of a call whose bytes on connections to endpoints count.
    pub fn counting_wire() -> Self {
        Self {
            counts_wire: true,
            ..Self::default()
        }
    }

    /// Adds an attempt at this endpoint.
    pub fn begin(&mut self, endpoint: EndpointAddress) -> &mut Attempt {
        let attempt = Attempt {
            endpoint,
            workload: None,
            host_name: None,
            connection: None,
            protocol: None,
            wire: self.counts_wire.then(Arc::default),
            sent: None,
            answered: None,
        };
        let before = self.last.replace(attempt);
        self.earlier.extend(before);
        self.last.as_mut().expect("it was put there just now")
    }

    /// The last one.
    pub fn last(&self) -> Option<&Attempt> {
        self.last.as_ref()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.earlier.iter().chain(&self.last)
    }
}
