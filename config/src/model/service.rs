//! Services: what a Kubernetes Service and a host of a ServiceEntry have in common.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::endpoint::Endpoint;
use crate::model::meta::{ExportTo, Meta};
use crate::port::Protocol;

/// One host that may be called.
///
/// A ServiceEntry with several hosts yields one service a host; all of its addresses belong to each.
#[derive(Clone, Debug)]
pub struct Service {
    /// The object it comes from.
    pub meta: Arc<Meta>,
    /// The host: `name.namespace.svc.cluster.local` for Kubernetes, as written (and maybe a wildcard) for a ServiceEntry.
    pub host: HostPattern,
    /// Virtual addresses and ranges. Kubernetes: clusterIPs. Empty when there are none.
    pub addresses: Vec<IpNet>,
    /// Addresses that Istio has given to a ServiceEntry without any (`status.addresses`). They count only where DNS is
    /// captured, since no other name server has them.
    pub given: Vec<IpAddr>,
    /// The ports, in order.
    pub ports: Vec<ServicePort>,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Kubernetes `clusterIP: None`.
    pub headless: bool,
    /// `trafficDistribution`, or the annotation: the nearest endpoints serve, where no `localityLbSetting` overrides it.
    pub near: bool,
    /// ServiceEntry `location: MESH_EXTERNAL`.
    pub external: bool,
    /// Members written in the ServiceEntry itself.
    pub endpoints: Vec<Endpoint>,
    /// Kubernetes `spec.selector`, ServiceEntry `workloadSelector`; `None` selects nothing.
    pub selector: Option<Labels>,
    /// Who sees it; `None` means MeshConfig `defaultServiceExportTo`.
    pub export_to: Option<ExportTo>,
    /// ServiceEntry `subjectAltNames`: verified when a DestinationRule originates TLS without naming any.
    pub subject_alt_names: Vec<Arc<str>>,
    /// The labels of the object (not of its pods).
    pub labels: Labels,
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The number that clients use.
    pub number: u16,
    /// The name, unique within the service.
    pub name: Arc<str>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Port of the endpoints, when it differs and is a number.
    pub target: Option<u16>,
    /// Kubernetes `targetPort` given as a name.
    pub target_name: Option<Arc<str>>,
    /// Where the port is called, when not at the addresses of the service: a host in several ServiceEntries has the
    /// ports of each at the addresses of each.
    pub addresses: Option<Vec<IpNet>>,
}

/// How the endpoints of a service are found (`ServiceEntry.resolution`, and what Kubernetes services amount to).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Connect to the original destination.
    None,
    /// Listed endpoints; for a Kubernetes service those of its EndpointSlices.
    Static,
    /// All addresses of the endpoints' names, or of the host itself.
    Dns,
    /// One address at a time of a single name.
    DnsRoundRobin,
    /// The name of each call, resolved then (wildcard hosts).
    DynamicDns,
    /// Kubernetes ExternalName: another name for this host.
    Alias(Arc<str>),
}
