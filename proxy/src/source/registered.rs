//! Services that a configuration registers, whether a workload sees them or not: what names them, and no more.

use std::sync::Arc;

use egret_config::host::HostPattern;
use egret_config::model::meta::Meta;
use egret_config::model::service::Service;
use egret_config::port::Protocol;

/// One service.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The object it comes from.
    pub meta: Arc<Meta>,
    /// Its host.
    pub host: HostPattern,
    /// The numbers of its ports, and what is spoken on each.
    pub ports: Vec<(u16, Protocol)>,
}

impl Registered {
    /// All of these services.
    pub fn all(services: &[Arc<Service>]) -> Vec<Self> {
        let registered = |service: &Arc<Service>| Self {
            meta: Arc::clone(&service.meta),
            host: service.host.clone(),
            ports: service
                .ports
                .iter()
                .map(|port| (port.number, port.protocol))
                .collect(),
        };
        services.iter().map(registered).collect()
    }
}
