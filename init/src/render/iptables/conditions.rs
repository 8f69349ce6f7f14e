//! The conditions of a rule as the options of iptables lines.

use std::fmt::Write as _;

use crate::rules::{Elements, Interface, Match, Owner, Protocol, RuleSet, SetName};

/// The conditions of one line, in the order iptables-save prints them.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    source: String,
    destination: String,
    from: String,
    through: String,
    protocol: Option<Protocol>,
    ports: String,
    other_than: Vec<u16>,
    others: String,
}

impl Conditions {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}{}{}{}",
            self.source, self.destination, self.from, self.through
        );
        if let Some(protocol) = self.protocol {
            let _ = write!(text, "-p {} ", protocol_name(protocol));
        }
        text.push_str(&self.ports);
        match self.other_than[..] {
            [] => {}
            [port] => {
                let protocol = self.protocol.map_or("tcp", protocol_name);
                let _ = write!(text, "-m {protocol} ! --dport {port} ");
            }
            _ => {
                let ports: Vec<String> = self.other_than.iter().map(ToString::to_string).collect();
                let _ = write!(text, "-m multiport ! --dports {} ", ports.join(","));
            }
        }
        text.push_str(&self.others);
        text
    }
}

/// The conditions as lines of which one must match; more than one where a set has several elements.
pub(super) fn alternatives(rules: &RuleSet, matches: &[Match]) -> Vec<Conditions> {
    let mut all = vec![Conditions::default()];
    for condition in matches {
        let apply = |all: &mut Vec<Conditions>, change: &dyn Fn(&mut Conditions)| {
            all.iter_mut().for_each(change);
        };
        match condition {
            Match::Family(_) => {}
            Match::From(interface) => {
                apply(&mut all, &|line| {
                    line.from = format!("-i {} ", interface_name(interface))
                });
            }
            Match::Through(interface) => {
                apply(&mut all, &|line| {
                    line.through = format!("-o {} ", interface_name(interface))
                });
            }
            Match::Protocol(protocol) => apply(&mut all, &|line| line.protocol = Some(*protocol)),
            Match::PortIn(protocol, set) => {
                apply(&mut all, &|line| line.protocol = Some(*protocol));
                let ports = ports(rules, *set, *protocol);
                all = product(&all, &ports, |line, ports| line.ports.clone_from(ports));
            }
            Match::PortIs(protocol, port) => apply(&mut all, &|line| {
                line.protocol = Some(*protocol);
                line.ports = format!("-m {} --dport {port} ", protocol_name(*protocol));
            }),
            Match::SourcePortIs(protocol, port) => apply(&mut all, &|line| {
                line.protocol = Some(*protocol);
                line.ports = format!("-m {} --sport {port} ", protocol_name(*protocol));
            }),
            Match::PortIsNot(protocol, port) => apply(&mut all, &|line| {
                line.protocol = Some(*protocol);
                line.other_than.push(*port);
            }),
            Match::Source(range) => apply(&mut all, &|line| line.source = format!("-s {range} ")),
            Match::Destination(range) => {
                apply(&mut all, &|line| line.destination = format!("-d {range} "));
            }
            Match::DestinationOutside(range) => {
                apply(&mut all, &|line| {
                    line.destination = format!("! -d {range} ")
                });
            }
            Match::SourceIn(set) => {
                all = product(&all, &ranges(rules, *set), |line, range| {
                    line.source = format!("-s {range} ");
                });
            }
            Match::DestinationIn(set) => {
                all = product(&all, &ranges(rules, *set), |line, range| {
                    line.destination = format!("-d {range} ");
                });
            }
            other => {
                let module = module(other);
                apply(&mut all, &|line| line.others.push_str(&module));
            }
        }
    }
    all
}

fn product(
    lines: &[Conditions],
    values: &[String],
    change: impl Fn(&mut Conditions, &String),
) -> Vec<Conditions> {
    let mut all = Vec::with_capacity(lines.len() * values.len());
    for line in lines {
        for value in values {
            let mut line = line.clone();
            change(&mut line, value);
            all.push(line);
        }
    }
    all
}

/// The conditions that need a module of their own.
fn module(condition: &Match) -> String {
    match condition {
        Match::User(owner) => format!("-m owner --uid-owner {} ", owners(owner)),
        Match::Group(owner) => format!("-m owner --gid-owner {} ", owners(owner)),
        Match::MarkIs(mark) => format!("-m mark --mark {mark:#x} "),
        Match::MarkIsNot(mark) => format!("-m mark ! --mark {mark:#x} "),
        Match::ConnectionMarkIs(mark) => format!("-m connmark --mark {mark:#x} "),
        Match::Invalid => "-m conntrack --ctstate INVALID ".to_owned(),
        Match::Established => "-m conntrack --ctstate RELATED,ESTABLISHED ".to_owned(),
        Match::Original => "-m conntrack --ctdir ORIGINAL ".to_owned(),
        _ => String::new(),
    }
}

fn owners(owner: &Owner) -> String {
    if owner.start() == owner.end() {
        owner.start().to_string()
    } else {
        format!("{}-{}", owner.start(), owner.end())
    }
}

fn interface_name(interface: &Interface) -> String {
    match interface {
        Interface::Loopback => "lo".to_owned(),
        Interface::Named(name) => name.clone(),
        Interface::Prefixed(stem) => format!("{stem}+"),
    }
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn ranges(rules: &RuleSet, set: SetName) -> Vec<String> {
    match rules.elements(set) {
        Some(Elements::Ipv4(ranges)) => ranges.iter().map(ToString::to_string).collect(),
        Some(Elements::Ipv6(ranges)) => ranges.iter().map(ToString::to_string).collect(),
        Some(Elements::Ports(_)) | None => Vec::new(),
    }
}

/// How many numbers fit into one `multiport`; a range counts twice.
const MULTIPORT_MAX: usize = 15;

fn ports(rules: &RuleSet, set: SetName, protocol: Protocol) -> Vec<String> {
    let Some(Elements::Ports(ranges)) = rules.elements(set) else {
        return Vec::new();
    };
    let mut groups: Vec<(usize, Vec<String>)> = Vec::new();
    for range in ranges {
        let (first, last) = (range.start(), range.end());
        let (size, text) = if first == last {
            (1, first.to_string())
        } else {
            (2, format!("{first}:{last}"))
        };
        match groups.last_mut() {
            Some((used, group)) if *used + size <= MULTIPORT_MAX => {
                *used += size;
                group.push(text);
            }
            _ => groups.push((size, vec![text])),
        }
    }
    let groups = groups.into_iter().map(|(_, group)| match &group[..] {
        [port] => format!("-m {} --dport {port} ", protocol_name(protocol)),
        ports => format!("-m multiport --dports {} ", ports.join(",")),
    });
    groups.collect()
}
