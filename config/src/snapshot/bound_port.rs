//! Ports that egret listens on.

use std::net::IpAddr;

/// A port of the configuration that egret itself must listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoundPort {
    /// The address; `None` is all.
    pub bind: Option<IpAddr>,
    /// The port listened on (a Service's target port when one selects the gateway).
    pub port: u16,
}
