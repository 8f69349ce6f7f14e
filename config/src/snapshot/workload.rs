//! The workload that a snapshot is for.

use std::net::IpAddr;
use std::sync::Arc;

use crate::address::OriginalDestination;
use crate::labels::Labels;

/// Whether egret runs beside an application or as a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Beside an application: takes redirected connections.
    Sidecar,
    /// A gateway: listens on the ports of Gateway objects.
    Gateway,
}

/// The workload that a snapshot is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Sidecar or gateway.
    pub mode: Mode,
    /// The pod's namespace.
    pub namespace: Arc<str>,
    /// The pod's labels.
    pub labels: Labels,
    /// The pod's addresses.
    pub addresses: Vec<IpAddr>,
    /// Ports that egret itself listens on: no HTTP service on them gets a listener of every address, and a call to them
    /// at an address of the pod is refused.
    pub own_ports: Vec<u16>,
    /// Ports that redirected connections arrive at: a call to them is refused whatever its address, since it could come
    /// back for ever.
    pub redirect_ports: Vec<u16>,
    /// Whether the pod's DNS queries come to egret (istio-iptables `--redirect-dns`), so that it answers for the services
    /// it knows.
    pub dns_capture: bool,
}

impl Workload {
    /// A workload without labels, addresses and ports, whose DNS queries go elsewhere.
    pub fn new(mode: Mode, namespace: impl Into<Arc<str>>) -> Self {
        Self {
            mode,
            namespace: namespace.into(),
            labels: Labels::default(),
            addresses: Vec::new(),
            own_ports: Vec::new(),
            redirect_ports: Vec::new(),
            dns_capture: false,
        }
    }

    /// Whether a call is addressed to egret itself.
    pub fn is_own(&self, to: OriginalDestination) -> bool {
        let ip = to.ip();
        let here = || ip.is_loopback() || ip.is_unspecified() || self.addresses.contains(&ip);
        self.redirect_ports.contains(&to.port()) || (self.own_ports.contains(&to.port()) && here())
    }
}
