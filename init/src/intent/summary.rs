//! An intent in words: the lines a user reads in the init container's log.

use std::fmt;

use crate::intent::{Groups, Inbound, Intent, Ipv6, Ports};
use crate::rules::{Interface, Owner};

/// Two lines, outbound and inbound.
impl fmt::Display for Intent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = if self.ipv6 == Ipv6::On {
            "IPv4 and IPv6"
        } else {
            "IPv4"
        };
        writeln!(
            out,
            "outbound: {families} TCP {} -> port {}",
            self.captured_outbound(),
            self.outbound_port
        )?;
        let inbound = match &self.inbound {
            Inbound::Nothing => return write!(out, "inbound: nothing is captured"),
            Inbound::Except(ports) if ports.is_empty() => "to all ports".to_owned(),
            Inbound::Except(ports) => {
                format!("to all ports except {}", list(ports.iter().map(port_range)))
            }
            Inbound::Only(ports) => format!("to ports {}", list(ports.iter().map(port_range))),
        };
        write!(
            out,
            "inbound: {families} TCP {inbound} -> port {}",
            self.inbound_port
        )?;
        if !self.virtual_interfaces.is_empty() {
            let from = list(self.virtual_interfaces.iter().map(interface));
            write!(
                out,
                "\nvirtual machines: what arrives from {from} is outbound"
            )?;
        }
        if !self.excluded_interfaces.is_empty() {
            write!(
                out,
                "\nleft alone: interfaces {}",
                list(self.excluded_interfaces.iter().map(interface))
            )?;
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
            _ => format!("to {}", list([&outbound.include])),
        };
        let mut add = |word: &str, values: String| {
            if !values.is_empty() {
                text.push_str(word);
                text.push_str(&values);
            }
        };
        let ports = |ports: &Ports| list(ports.iter().map(port_range));
        add(" and to ports ", ports(&outbound.include_ports));
        add(" except ", outbound.exclude.to_string());
        add(" except ports ", ports(&outbound.exclude_ports));
        match &outbound.groups {
            Groups::Only(groups) => add(" of groups ", list(groups.iter().map(owner))),
            Groups::Except(groups) => add(" except of groups ", list(groups.iter().map(owner))),
        }
        add(" except by uid ", list(self.proxy_users.iter().map(owner)));
        add(" and gid ", list(self.proxy_groups.iter().map(owner)));
        text
    }
}

fn list(words: impl IntoIterator<Item = impl ToString>) -> String {
    words
        .into_iter()
        .map(|word| word.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

fn port_range(ports: &std::ops::RangeInclusive<u16>) -> String {
    if ports.start() == ports.end() {
        ports.start().to_string()
    } else {
        format!("{}-{}", ports.start(), ports.end())
    }
}

fn owner(owner: &Owner) -> String {
    if owner.start() == owner.end() {
        owner.start().to_string()
    } else {
        format!("{}-{}", owner.start(), owner.end())
    }
}

fn interface(interface: &Interface) -> String {
    match interface {
        Interface::Loopback => "lo".to_owned(),
        Interface::Named(name) => name.clone(),
        Interface::Prefixed(stem) => format!("{stem}*"),
    }
}
