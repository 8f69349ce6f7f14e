//! The summary of an intent: the lines in the init container's log.

use std::fmt;
use std::ops::RangeInclusive;

use egret_config::cidr::CidrSet;
use egret_config::port::well_known::DNS;

use crate::intent::model::{Dns, Groups, Inbound, Intent, Ipv6, Mode};
use crate::rules::Interface;

/// One line for each direction, and one for each kind of special interface.
impl fmt::Display for Intent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tcp = if self.ipv6 == Ipv6::On {
            "IPv4 and IPv6 TCP"
        } else {
            "IPv4 TCP"
        };
        writeln!(
            out,
            "outbound to port {}: {tcp} {}",
            self.outbound_port,
            self.captured_outbound()
        )?;
        write!(out, "inbound to port {}: ", self.inbound_port)?;
        match &self.inbound {
            Inbound::Nothing => write!(out, "nothing")?,
            Inbound::Except(ports) if ports.is_empty() => write!(out, "{tcp} to all ports")?,
            Inbound::Except(ports) => write!(out, "{tcp} to all ports; not to {}", numbers(ports))?,
            Inbound::Only(ports) => write!(out, "{tcp} to ports {}", numbers(ports))?,
        }
        if let Mode::Tproxy { mark, table } = self.mode {
            write!(
                out,
                "; delivered transparently, mark {mark}, routing table {table}"
            )?;
        }
        match &self.dns {
            Dns::Off | Dns::NoServers => {}
            Dns::Every => write!(out, "\nDNS to port {DNS}: queries to any server")?,
            Dns::Servers { ipv4, ipv6 } => {
                let ipv4 = ipv4.iter().map(|server| server.addr().to_string());
                let ipv6 = ipv6.iter().map(|server| server.addr().to_string());
                write!(
                    out,
                    "\nDNS to port {DNS}: queries to {}",
                    list(ipv4.chain(ipv6))
                )?;
            }
        }
        if self.block_quic {
            write!(out, "\nrefused: QUIC to where TCP is captured")?;
        }
        if self.ipv6 == Ipv6::Blocked {
            write!(out, "\nrefused: IPv6 but that of the proxy")?;
        }
        if self.drop_invalid {
            write!(
                out,
                "\ndropped: arriving packets that belong to no tracked connection"
            )?;
        }
        if !self.virtual_interfaces.is_empty() {
            let names = list(self.virtual_interfaces.iter().map(name));
            write!(out, "\noutbound too: what arrives from interface {names}")?;
        }
        if !self.excluded_interfaces.is_empty() {
            let names = list(self.excluded_interfaces.iter().map(name));
            write!(out, "\nnot captured: interface {names}")?;
        }
        Ok(())
    }
}

impl Intent {
    fn captured_outbound(&self) -> String {
        let outbound = &self.outbound;
        let mut text = match (outbound.include.is_every(), outbound.include.is_empty()) {
            (true, _) => "to all addresses".to_owned(),
            (_, true) => "to no address".to_owned(),
            _ => format!("to {}", ranges(&outbound.include)),
        };
        let groups = match &outbound.groups {
            Groups::Only(groups) => ("; only by gid ", numbers(groups)),
            Groups::Except(groups) => ("; not by gid ", numbers(groups)),
        };
        for (label, values) in [
            ("; to ports ", numbers(&outbound.include_ports)),
            ("; not to ", ranges(&outbound.exclude)),
            ("; not to ports ", numbers(&outbound.exclude_ports)),
            groups,
            ("; not by the proxy, uid ", numbers(&self.proxy_users)),
            (" or gid ", numbers(&self.proxy_groups)),
        ] {
            if !values.is_empty() {
                text.push_str(label);
                text.push_str(&values);
            }
        }
        text
    }
}

/// The ranges of a set that is not `*`.
fn ranges(set: &CidrSet) -> String {
    let ipv4 = set.ipv4().into_iter().map(|range| range.to_string());
    let ipv6 = set.ipv6().into_iter().map(|range| range.to_string());
    list(ipv4.chain(ipv6))
}

/// Ports, users or groups.
fn numbers<T: fmt::Display + PartialEq>(ranges: &[RangeInclusive<T>]) -> String {
    list(
        ranges
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            }),
    )
}

fn name(interface: &Interface) -> String {
    match interface {
        Interface::Loopback => "lo".to_owned(),
        Interface::Named(name) => name.clone(),
        Interface::Prefixed(stem) => format!("{stem}*"),
    }
}

/// Long lists are cut, since the whole is to be read at a glance; `--dry-run` shows all.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    let hidden = items.len().saturating_sub(ITEMS_MAX);
    items.truncate(ITEMS_MAX);
    if hidden > 0 {
        items.push(format!("and {hidden} more"));
    }
    items.join(", ")
}

/// The most elements of a list in a summary.
const ITEMS_MAX: usize = 8;
