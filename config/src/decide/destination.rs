//! Destinations that a proxy may connect to: never an address that leads back to it, and a resolved address only where
//! the name's owner may choose it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::address::OriginalDestination;
use crate::model::policy::LoadBalancer;
use crate::snapshot::cluster::{Cluster, Discovery};
use crate::snapshot::workload::Mode;
use crate::snapshot::{BoundPort, Snapshot};

/// Where an upstream address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The original destination of the client's connection.
    OriginalDst,
    /// An address that the configuration names (an endpoint, a tunnel's proxy).
    Endpoint,
    /// The answer for a name that the configuration names.
    Name,
    /// The answer for a name that the client chose (resolution DYNAMIC_DNS, ALLOW_ANY_DYNAMIC_DNS).
    ClientName,
}

/// The sockets that this proxy listens on.
#[derive(Clone, Copy, Debug)]
pub struct OwnSockets<'a> {
    /// The ports, each with the address it is bound to.
    pub listeners: &'a [BoundPort],
    /// The addresses of this host. Loopback and unspecified addresses need not be among them.
    pub addresses: &'a BTreeSet<IpAddr>,
}

/// Whether the proxy may connect to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialable {
    /// It may.
    Allowed,
    /// It may not.
    Refused(DialRefusal),
}

/// An address that the proxy may not connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialRefusal {
    /// The address.
    pub address: SocketAddr,
    /// The rule that refuses it.
    pub rule: DialRule,
}

/// A rule about permitted destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialRule {
    /// The address is a socket that this proxy listens on: the connection would come back for ever.
    OwnListener,
    /// A gateway connects to no loopback or unspecified address that a name resolves to: the owner of the name would reach
    /// the gateway's own pod.
    GatewayLoopback,
    /// A name that the client chose resolves to a loopback, unspecified or multicast address.
    ClientName,
}

impl DialRefusal {
    /// This proxy listens on `address`.
    pub fn own_listener(address: SocketAddr) -> Self {
        Self {
            address,
            rule: DialRule::OwnListener,
        }
    }
}

impl DialRule {
    /// The reason code.
    pub fn code(self) -> &'static str {
        match self {
            Self::OwnListener => "own_listener",
            Self::GatewayLoopback => "gateway_loopback",
            Self::ClientName => "client_name",
        }
    }
}

/// `own_listener: 127.0.0.1:80 is a port that this proxy listens on`.
impl fmt::Display for DialRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, rule } = self;
        write!(f, "{}: {address} ", rule.code())?;
        f.write_str(match rule {
            DialRule::OwnListener => "is a port that this proxy listens on",
            DialRule::GatewayLoopback => {
                "is a loopback address, which a gateway does not connect to for a name"
            }
            DialRule::ClientName => {
                "is an address that a name chosen by the client may not resolve to"
            }
        })
    }
}

impl OwnSockets<'_> {
    /// Whether any socket listens on this port.
    pub fn listens_on(&self, port: u16) -> bool {
        self.listeners.iter().any(|listener| listener.port == port)
    }

    /// Whether a connection to `address` arrives at one of the sockets. An unspecified address means loopback
    /// (ip(7)).
    pub fn contains(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_bound_to = |bind: Option<IpAddr>| match bind.map(|bind| bind.to_canonical()) {
            Some(bind) if !bind.is_unspecified() => bind == ip || ip.is_unspecified(),
            _ => ip.is_loopback() || ip.is_unspecified() || self.addresses.contains(&ip),
        };
        self.listeners
            .iter()
            .any(|listener| listener.port == address.port() && is_bound_to(listener.bind))
    }
}

/// Whether the proxy may connect to `address`.
pub fn dialable(
    address: SocketAddr,
    source: AddressSource,
    mode: Mode,
    own: OwnSockets<'_>,
) -> Dialable {
    let ip = address.ip().to_canonical();
    let is_here = ip.is_loopback() || ip.is_unspecified();
    let rule = match source {
        _ if own.contains(address) => DialRule::OwnListener,
        AddressSource::ClientName if is_here || ip.is_multicast() => DialRule::ClientName,
        AddressSource::Name if is_here && mode == Mode::Gateway => DialRule::GatewayLoopback,
        _ => return Dialable::Allowed,
    };
    let address = SocketAddr::new(ip, address.port());
    Dialable::Refused(DialRefusal { address, rule })
}

/// The sockets that a proxy with this configuration listens on, at the addresses of its workload.
pub fn own_sockets(snapshot: &Snapshot) -> OwnSockets<'_> {
    OwnSockets {
        listeners: &snapshot.own_listeners,
        addresses: &snapshot.own_addresses,
    }
}

/// Why the proxy may not connect to the original destination `to`; `None` where it may be.
pub(crate) fn original(snapshot: &Snapshot, to: OriginalDestination) -> Option<DialRefusal> {
    let source = AddressSource::OriginalDst;
    match dialable(to.0, source, snapshot.workload.mode, own_sockets(snapshot)) {
        Dialable::Refused(refusal) => Some(refusal),
        Dialable::Allowed => None,
    }
}

/// Why a cluster that goes to the original destination `to` may not connect to it; `None` where it may, and for all other
/// clusters.
pub(crate) fn original_of(
    snapshot: &Snapshot,
    cluster: &Cluster,
    to: OriginalDestination,
) -> Option<DialRefusal> {
    let port = match &cluster.discovery {
        _ if cluster.policy.load_balancer == LoadBalancer::Passthrough => None,
        Discovery::Original { port } => *port,
        Discovery::Members(_) | Discovery::Names { .. } | Discovery::PerCall { .. } => return None,
    };
    let port = port.unwrap_or(to.port());
    match snapshot.workload.mode {
        Mode::Sidecar => {
            let to = SocketAddr::new(to.ip(), port);
            original(snapshot, OriginalDestination(to))
        }
        // A gateway has no original destination.
        Mode::Gateway => None,
    }
}

#[cfg(test)]
mod tests;
