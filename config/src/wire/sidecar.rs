//! `Sidecar`, networking.istio.io.

use super::destination_rule::ConnectionPool;
use super::gateway::ServerTls;
use super::shared::{Destination, Port, WorkloadSelector};

object! {
    /// `spec` of a Sidecar.
    pub struct Sidecar {
        pub workload_selector: Option<WorkloadSelector>,
        pub ingress: Vec<IngressListener>,
        pub egress: Vec<EgressListener>,
        pub inbound_connection_pool: Option<ConnectionPool>,
        pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    }
}

object! {
    /// `IstioIngressListener`.
    pub struct IngressListener {
        pub port: Option<Port>,
        pub bind: String,
        pub capture_mode: String,
        pub default_endpoint: String,
        pub tls: Option<ServerTls>,
        pub connection_pool: Option<ConnectionPool>,
    }
}

object! {
    /// `IstioEgressListener`.
    pub struct EgressListener {
        pub port: Option<Port>,
        pub bind: String,
        pub capture_mode: String,
        pub hosts: Vec<String>,
    }
}

object! {
    /// `OutboundTrafficPolicy` of a Sidecar.
    pub struct OutboundTrafficPolicy {
        pub mode: String,
        pub egress_proxy: Option<Destination>,
    }
}
