//! Types of a Sidecar.

use std::net::IpAddr;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::outbound_policy::OutboundPolicy;

/// A Sidecar.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// The object.
    pub meta: Arc<Meta>,
    /// `workloadSelector.labels`; `None` is every workload of the namespace.
    pub selector: Option<Labels>,
    /// Egress listeners; empty means one that imports `*/*`.
    pub egress: Vec<EgressListener>,
    /// `outboundTrafficPolicy`; `None` inherits the mesh's.
    pub outbound_policy: Option<OutboundPolicy>,
    /// `outboundTrafficPolicy.egressProxy`: host (completed), port, subset.
    pub egress_proxy: Option<EgressProxy>,
}

/// `egressProxy`: where unknown calls go instead of their original destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProxy {
    /// The service's host.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// A subset of it.
    pub subset: Option<Arc<str>>,
}

/// One egress listener.
#[derive(Clone, Debug)]
pub struct EgressListener {
    /// Only this port; `None` is every port of the imported services.
    pub port: Option<EgressPort>,
    /// An address to listen on instead of the service's.
    pub bind: Option<IpAddr>,
    /// `captureMode: NONE` with a port: applications dial `bind` themselves, so egret listens there.
    pub dialled: bool,
    /// Imported hosts.
    pub hosts: Vec<Import>,
}

/// The port of an egress listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPort {
    /// The number.
    pub number: u16,
    /// The protocol.
    pub protocol: crate::port::Protocol,
    /// The name.
    pub name: Arc<str>,
    /// The protocol was HTTP_PROXY: services of every port are called here, by the port in their authority.
    pub proxies: bool,
}

/// `namespace/host` of an egress listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Whose services.
    pub namespace: ImportFrom,
    /// Which hosts.
    pub host: HostPattern,
    /// `~ns/host` or `~/host`: takes them out again.
    pub exclude: bool,
}

/// The namespace part of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportFrom {
    /// `*`.
    Any,
    /// `~/*`: nothing at all.
    Nothing,
    /// A namespace; `.` has become the workload's own at selection, see [`ImportFrom::Own`].
    Namespace(Arc<str>),
    /// `.`: the namespace of the workload that the Sidecar is evaluated for.
    Own,
}
