//! What shall be captured, as types.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use egret_config::cidr::CidrSet;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::rules::{Interface, Owner};

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
    /// Whether, contrary to istio-iptables, all users and groups of the proxy are equal.
    pub equal_owners: bool,
    /// Which connections made here are captured.
    pub outbound: Outbound,
    /// Which connections arriving here are captured.
    pub inbound: Inbound,
    /// How they are captured.
    pub mode: Mode,
    /// Which DNS questions are captured.
    pub dns: Dns,
    /// Whether QUIC is refused to where TCP is captured.
    pub block_quic: bool,
    /// Whether arriving packets that belong to no tracked connection are dropped.
    pub drop_invalid: bool,
    /// Interfaces whose traffic is captured in neither direction.
    pub excluded_interfaces: Vec<Interface>,
    /// Interfaces of virtual machines: what arrives from them is outbound.
    pub virtual_interfaces: Vec<Interface>,
    /// The IPv4 addresses that count as localhost.
    pub loopback: Ipv4Net,
    /// Whether IPv6 is captured as well.
    pub ipv6: Ipv6,
    /// How the rules are loaded, and how the result is checked.
    pub settings: Settings,
    /// Variables with a value that their flag cannot have, as `NAME=value`.
    pub ignored_variables: Vec<String>,
}

/// How the rules are loaded, and how the result is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How the rules are loaded.
    pub backend: Backend,
    /// Which iptables is used, where one is.
    pub binary: Option<Binary>,
    /// What a dry run prints.
    pub output: Output,
    /// The port that validation connects to.
    pub probe_port: u16,
    /// How long validation may take.
    pub probe_timeout: Duration,
}

/// How the rules are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Nftables, or iptables where the kernel has no nf_tables.
    Auto,
    /// Our own netlink messages.
    Nftables,
    /// The programs iptables-restore and ip6tables-restore.
    Iptables,
}

/// The syntax of rules in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Output {
    Nft,
    Iptables,
}

/// Which of the two programs named iptables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// The one for kernels without nf_tables.
    Legacy,
    /// The one that makes nf_tables rules.
    Nft,
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

/// How connections that arrive are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are redirected; the application sees the proxy's address.
    Redirect,
    /// They are delivered as they are; the application sees the client's address.
    Tproxy {
        /// Mark of packets that are to be routed here.
        mark: u32,
        /// The routing table that does so.
        table: u32,
    },
}

/// Which DNS questions are captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dns {
    /// None.
    Off,
    /// None, since the flags select the name servers of this pod and it has none.
    NoServers,
    /// Those to the name servers of this pod; a family may have none.
    #[allow(missing_docs)]
    Servers {
        ipv4: Vec<Ipv4Net>,
        ipv6: Vec<Ipv6Net>,
    },
    /// Those to port 53 anywhere.
    Every,
}

impl Dns {
    /// Whether any question may be captured.
    pub fn is_captured(&self) -> bool {
        matches!(self, Self::Servers { .. } | Self::Every)
    }
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
    /// As [`Ipv6::Off`], and what would leave the pod or come into it is refused.
    Blocked,
}

/// Something a user must change: which flag, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The long name of the flag with its dashes, or the environment variable.
    pub setting: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl Intent {
    /// Whether any arriving connection may be captured as inbound.
    pub fn captures_inbound(&self) -> bool {
        self.inbound != Inbound::Nothing
    }

    /// Warnings about an intent that is applied all the same.
    pub fn warnings(&self) -> Vec<String> {
        let candidates = [
            (
                self.ipv6 == Ipv6::Uncaptured,
                "this pod has an IPv6 address whose traffic passes by the proxy: \
                 use --dual-stack or ISTIO_DUAL_STACK=true to capture it, or --ipv6 block to refuse it",
            ),
            (
                self.outbound.groups == Groups::Only(Vec::new()),
                "ISTIO_OUTBOUND_OWNER_GROUPS names no group: no outbound connection is captured",
            ),
            (
                self.dns == Dns::NoServers,
                "/etc/resolv.conf names no server: DNS is not captured; \
                 use --capture-all-dns to capture queries to any server",
            ),
            (
                self.block_quic
                    && self.outbound.include.is_empty()
                    && self.outbound.include_ports.is_empty(),
                "--block-quic has no effect, since no outbound TCP is captured",
            ),
        ];
        let candidates = candidates.into_iter().filter(|(holds, _)| *holds);
        let ignored = self.ignored_variables.iter().map(|variable| {
            format!("the environment's {variable} is ignored, since its flag has no such value")
        });
        candidates
            .map(|(_, message)| message.to_owned())
            .chain(ignored)
            .collect()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.setting, self.reason)
    }
}
