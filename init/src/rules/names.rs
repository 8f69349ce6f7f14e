//! What tables' families, chains and sets are called in the kernel.

use std::fmt;

use crate::rules::rule_set::{ChainName, SetName, TableFamily};

impl fmt::Display for TableFamily {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ip => "ip",
            Self::Inet => "inet",
        })
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl ChainName {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Outbound => "outbound",
            Self::Prerouting => "prerouting",
            Self::Arriving => "arriving",
            Self::Marking => "marking",
            Self::ZonesOutput => "zones_output",
            Self::ZonesPrerouting => "zones_prerouting",
            Self::Leaving => "leaving",
            Self::Quic => "quic",
            Self::Entering => "entering",
            Self::Passing => "passing",
        }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl SetName {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutboundExcludePorts => "outbound_exclude_ports",
            Self::OutboundIncludePorts => "outbound_include_ports",
            Self::OutboundExcludeIpv4 => "outbound_exclude_ipv4",
            Self::OutboundExcludeIpv6 => "outbound_exclude_ipv6",
            Self::OutboundIncludeIpv4 => "outbound_include_ipv4",
            Self::OutboundIncludeIpv6 => "outbound_include_ipv6",
            Self::InboundExcludePorts => "inbound_exclude_ports",
            Self::InboundIncludePorts => "inbound_include_ports",
            Self::DnsServersIpv4 => "dns_servers_ipv4",
            Self::DnsServersIpv6 => "dns_servers_ipv6",
        }
    }
}
