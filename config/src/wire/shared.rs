//! Shapes that several kinds share.

use std::collections::BTreeMap;

object! {
    /// `WorkloadSelector` of ServiceEntry and Sidecar.
    pub struct WorkloadSelector {
        pub labels: BTreeMap<String, String>,
    }
}

object! {
    /// `Destination`: the target of a route.
    pub struct Destination {
        pub host: String,
        pub subset: String,
        pub port: Option<PortSelector>,
    }
}

object! {
    /// `PortSelector`.
    pub struct PortSelector {
        pub number: u32,
    }
}

object! {
    /// `Port` of a Gateway server, `SidecarPort`, and `ServicePort` of a ServiceEntry.
    pub struct Port {
        pub number: u32,
        pub protocol: String,
        pub name: String,
        pub target_port: u32,
    }
}

object! {
    /// `Percent`: 0 to 100.
    pub struct Percent {
        pub value: f64,
    }
}

object! {
    /// `TcpKeepalive`.
    pub struct TcpKeepalive {
        pub probes: u32,
        pub time: Option<String>,
        pub interval: Option<String>,
    }
}

object! {
    /// `LocalityLoadBalancerSetting`.
    pub struct LocalityLbSetting {
        pub distribute: Vec<Distribute>,
        pub failover: Vec<Failover>,
        pub failover_priority: Vec<String>,
        pub enabled: Option<bool>,
    }
}

object! {
    /// `LocalityLoadBalancerSetting.Distribute`.
    pub struct Distribute {
        pub from: String,
        pub to: BTreeMap<String, u32>,
    }
}

object! {
    /// `LocalityLoadBalancerSetting.Failover`.
    pub struct Failover {
        pub from: String,
        pub to: String,
    }
}
