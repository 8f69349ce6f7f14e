//! [`Intent`]: what shall be captured, validated. Nothing downstream sees a string again.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use egret_config::cidr::CidrSet;
use ipnet::Ipv4Net;

use crate::accounts::Accounts;
use crate::args::Flags;
use crate::rules::{Interface, Owner};

mod parse;
mod summary;

/// What the machine contributes to an intent.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// User and group names.
    pub accounts: Accounts,
    /// The pod's usable addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
}

/// What shall be captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Port of the proxy's outbound listener.
    pub outbound_port: u16,
    /// Port of the proxy's inbound listener.
    pub inbound_port: u16,
    /// HBONE port: never captured inbound.
    pub tunnel_port: u16,
    /// The proxy's users, in the order given; the first has privileges the others lack.
    pub proxy_users: Vec<Owner>,
    /// The proxy's groups.
    pub proxy_groups: Vec<Owner>,
    /// Which connections made here are captured.
    pub outbound: Outbound,
    /// Which connections arriving here are captured.
    pub inbound: Inbound,
    /// Whether arriving packets of no known connection are dropped.
    pub drop_invalid: bool,
    /// Interfaces whose traffic is captured in neither direction.
    pub excluded_interfaces: Vec<Interface>,
    /// Interfaces of virtual machines: what arrives from them is outbound.
    pub virtual_interfaces: Vec<Interface>,
    /// The IPv4 addresses that count as localhost.
    pub loopback: Ipv4Net,
    /// Whether IPv6 is captured as well.
    pub ipv6: Ipv6,
}

/// Which connections made here are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Never to these ports.
    pub exclude_ports: Ports,
    /// To these ports whatever the address.
    pub include_ports: Ports,
    /// Not to these addresses.
    pub exclude: CidrSet,
    /// To these addresses.
    pub include: CidrSet,
    /// Made by these groups.
    pub groups: Groups,
}

/// Disjoint port ranges in ascending order.
pub type Ports = Vec<RangeInclusive<u16>>;

/// Whose connections are captured, by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// All but these.
    Except(Vec<Owner>),
    /// Only these.
    Only(Vec<Owner>),
}

/// Which connections arriving here are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// None.
    Nothing,
    /// To all ports but these.
    Except(Ports),
    /// To these ports.
    Only(Ports),
}

/// Whether IPv6 is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6 {
    /// IPv6 goes where it was going.
    Off,
    /// IPv6 is treated as IPv4 is.
    On,
    /// As [`Ipv6::Off`], although the pod has an IPv6 address: its traffic passes by the proxy.
    Uncaptured,
}

/// Something a user must change: which flag, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The long name of the flag with its dashes, or the environment variable.
    pub place: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl Intent {
    /// Validates the flags.
    ///
    /// # Errors
    /// All faults, in the order of the flags; nothing is to be applied then.
    pub fn new(flags: &Flags, surroundings: &Surroundings) -> Result<Self, Vec<Fault>> {
        let mut parser = parse::Parser::new(&surroundings.accounts);
        parser.refuse_unsupported(flags);
        let default_user = surroundings
            .accounts
            .uid(&flags.envoy_user)
            .unwrap_or(PROXY_UID);
        let proxy_users = if flags.proxy_uid.is_empty() {
            vec![default_user..=default_user]
        } else {
            parser.users("--proxy-uid", &flags.proxy_uid)
        };
        let proxy_groups = if flags.proxy_gid.is_empty() {
            if flags.proxy_uid.is_empty() {
                proxy_users.clone()
            } else {
                parser.groups_like_users(&flags.proxy_uid)
            }
        } else {
            parser.groups("--proxy-gid", &flags.proxy_gid)
        };
        let intent = Self {
            outbound_port: parser.port("--envoy-port", &flags.envoy_port),
            inbound_port: parser.port("--inbound-capture-port", &flags.inbound_capture_port),
            tunnel_port: parser.port("--inbound-tunnel-port", &flags.inbound_tunnel_port),
            proxy_users,
            proxy_groups,
            outbound: parser.outbound(flags),
            inbound: parser.inbound(flags),
            drop_invalid: flags.drop_invalid,
            excluded_interfaces: parser
                .interfaces("--istio-exclude-interfaces", &flags.exclude_interfaces),
            virtual_interfaces: parser
                .interfaces("--kube-virt-interfaces", &flags.kube_virt_interfaces),
            loopback: parser.loopback(&flags.ipv4_loopback_cidr),
            ipv6: parser.ipv6(&surroundings.addresses, flags.dual_stack),
        };
        let faults = parser.into_faults();
        if faults.is_empty() {
            Ok(intent)
        } else {
            Err(faults)
        }
    }

    /// What deserves a user's attention although it is applied.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.ipv6 == Ipv6::Uncaptured {
            warnings.push(
                "this pod has an IPv6 address whose traffic passes by the proxy: \
                 use --dual-stack or ISTIO_DUAL_STACK=true to capture it",
            );
        }
        if self.outbound.groups == Groups::Only(Vec::new()) {
            warnings.push(
                "ISTIO_OUTBOUND_OWNER_GROUPS names no group: no outbound connection is captured",
            );
        }
        warnings
    }
}

/// The uid and gid of Istio's proxy images.
const PROXY_UID: u32 = 1337;

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.reason)
    }
}

#[cfg(test)]
mod tests;
