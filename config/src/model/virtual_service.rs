//! VirtualServices: which rules apply to which hosts, for whom.

pub(crate) mod generated;
pub(crate) mod parse;

use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::destination::Destination;
use crate::model::meta::{ExportTo, Meta};
use crate::model::route::HttpRoute;
use crate::model::source::{GatewayName, SourceMatch};

/// A VirtualService. One without hosts is a delegate.
#[derive(Clone, Debug)]
pub struct VirtualService {
    /// The object.
    pub meta: Arc<Meta>,
    /// Hosts, completed if they were short.
    pub hosts: Vec<HostPattern>,
    /// Where it applies; never empty (`mesh` when nothing was written).
    pub gateways: Vec<GatewayName>,
    /// `http` rules, in order.
    pub http: Vec<Arc<HttpRoute>>,
    /// `tls` rules, in order.
    pub tls: Vec<Arc<TlsRoute>>,
    /// `tcp` rules, in order.
    pub tcp: Vec<Arc<TcpRoute>>,
    /// Who sees it; `None` means MeshConfig `defaultVirtualServiceExportTo`.
    pub export_to: Option<ExportTo>,
}

/// A `tls` rule.
#[derive(Clone, Debug)]
pub struct TlsRoute {
    /// Alternatives; never empty.
    pub matches: Vec<TlsMatch>,
    /// Where to, by weight.
    pub destinations: Vec<WeightedDestination>,
}

/// One alternative of a `tls` rule.
#[derive(Clone, Debug)]
pub struct TlsMatch {
    /// `sniHosts`; never empty.
    pub sni: Vec<HostPattern>,
    /// `destinationSubnets`.
    pub subnets: Vec<IpNet>,
    /// The caller.
    pub source: SourceMatch,
}

/// A `tcp` rule.
#[derive(Clone, Debug)]
pub struct TcpRoute {
    /// Alternatives; none is always.
    pub matches: Vec<TcpMatch>,
    /// Where to, by weight.
    pub destinations: Vec<WeightedDestination>,
}

/// One alternative of a `tcp` rule.
#[derive(Clone, Debug)]
pub struct TcpMatch {
    /// `destinationSubnets`.
    pub subnets: Vec<IpNet>,
    /// The caller.
    pub source: SourceMatch,
}

/// A destination with its share.
#[derive(Clone, Debug)]
pub struct WeightedDestination {
    /// Where to.
    pub destination: Destination,
    /// Its share of the sum; ignored when it is the only one.
    pub weight: u32,
}
