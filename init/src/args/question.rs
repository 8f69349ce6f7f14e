//! The arguments of `egret-init explain`.

use std::net::{IpAddr, SocketAddr};

/// A packet to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user of the process that sends it.
    pub uid: Option<u32>,
    /// The group of the process that sends it.
    pub gid: Option<u32>,
    /// Where it goes.
    pub to: SocketAddr,
    /// Whether it is UDP rather than TCP.
    pub udp: bool,
    /// Its source address.
    pub from: Option<IpAddr>,
    /// The interface it arrives from; without one, a process of this host sends it.
    pub from_interface: Option<String>,
    /// The interface it leaves through.
    pub through: Option<String>,
}
