//! Rules in nft's own syntax: what `--dry-run` prints, and what `nft -f` loads to the same effect.

use std::fmt::{self, Display, Write as _};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::rules::{
    Action, Chain, ChainKind, Elements, Family, HookPoint, Interface, Match, Protocol, Rule,
    RuleSet, Set, SetName, TABLE, TableFamily,
};

/// Writes a script that replaces our table, which may have had another family before.
pub fn render(rules: &RuleSet) -> String {
    let family = rules.family;
    let mut text = removal();
    text.push_str(&format!("table {family} {TABLE} {{\n"));
    let sets = rules.sets.iter().map(set);
    let chains = rules.chains.iter().map(|rules| chain(rules, family));
    text.push_str(&sets.chain(chains).collect::<Vec<_>>().join("\n"));
    text.push_str("}\n");
    text
}

/// Writes a script that removes our table. Naming it first makes the removal succeed where it is not.
pub fn removal() -> String {
    TableFamily::ALL
        .map(|family| format!("table {family} {TABLE}\ndelete table {family} {TABLE}\n"))
        .concat()
}

fn set(set: &Set) -> String {
    let (kind, elements) = match &set.elements {
        Elements::Ipv4(ranges) => ("ipv4_addr", list(ranges)),
        Elements::Ipv6(ranges) => ("ipv6_addr", list(ranges)),
        Elements::Ports(ports) => ("inet_service", list(ports.iter().map(Range))),
    };
    format!(
        "\tset {} {{\n\t\ttype {kind}\n\t\tflags interval\n\t\telements = {{ {elements} }}\n\t}}\n",
        set.name
    )
}

fn chain(chain: &Chain, family: TableFamily) -> String {
    let mut text = format!("\tchain {} {{\n", chain.name);
    if let Some(hook) = chain.name.hook() {
        let point = match hook.point {
            HookPoint::Prerouting => "prerouting",
            HookPoint::Input => "input",
            HookPoint::Forward => "forward",
            HookPoint::Output => "output",
        };
        let kind = match hook.kind {
            ChainKind::Nat => "nat",
            ChainKind::Filter => "filter",
            ChainKind::Route => "route",
        };
        let priority = hook.priority;
        text.push_str(&format!(
            "\t\ttype {kind} hook {point} priority {priority}; policy accept;\n"
        ));
    }
    for rule in &chain.rules {
        text.push_str(&format!("\t\t{}\n", Line(rule, family)));
    }
    text.push_str("\t}\n");
    text
}

fn list(elements: impl IntoIterator<Item = impl Display>) -> String {
    elements
        .into_iter()
        .map(|element| element.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// One rule on one line, in a table of a family.
struct Line<'a>(&'a Rule, TableFamily);

impl Display for Line<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.0.matches {
            write_match(out, condition)?;
            out.write_char(' ')?;
        }
        out.write_str("counter ")?;
        match self.0.action {
            Action::Leave => out.write_str("accept")?,
            Action::Redirect(port) => write!(out, "redirect to :{port}")?,
            Action::Deliver { port, mark } => {
                // nft requires the family again, where the table has more than one.
                let family = match self.0.family() {
                    _ if self.1 == TableFamily::Ip => "",
                    Some(Family::Ipv4) => "ip ",
                    Some(Family::Ipv6) => "ip6 ",
                    None => "",
                };
                write!(out, "tproxy {family}to :{port} meta mark set {mark} accept")?;
            }
            Action::Divert(mark) => write!(out, "meta mark set {mark} accept")?,
            Action::Mark(mark) => write!(out, "meta mark set {mark}")?,
            Action::SaveMark => out.write_str("ct mark set meta mark accept")?,
            Action::RestoreMark => out.write_str("meta mark set ct mark")?,
            Action::Zone(zone) => write!(out, "ct zone set {zone} accept")?,
            Action::Reject => {
                let kind = match self.1 {
                    TableFamily::Ip => "icmp",
                    TableFamily::Inet => "icmpx",
                };
                write!(out, "reject with {kind} type port-unreachable")?;
            }
            Action::Goto(chain) => write!(out, "goto {chain}")?,
            Action::Drop => out.write_str("drop")?,
        }
        write!(out, " comment \"{}\"", self.0.reason)
    }
}

fn write_match(out: &mut fmt::Formatter<'_>, condition: &Match) -> fmt::Result {
    match condition {
        Match::Family(Family::Ipv4) => out.write_str("meta nfproto ipv4"),
        Match::Family(Family::Ipv6) => out.write_str("meta nfproto ipv6"),
        Match::From(from) => write!(out, "iifname {}", Name(from)),
        Match::Through(through) => write!(out, "oifname {}", Name(through)),
        Match::Protocol(protocol) => write!(out, "meta l4proto {}", protocol_name(*protocol)),
        Match::PortIn(protocol, set) => write!(out, "{} dport @{set}", protocol_name(*protocol)),
        Match::PortIs(protocol, port) => write!(out, "{} dport {port}", protocol_name(*protocol)),
        Match::PortIsNot(protocol, port) => {
            write!(out, "{} dport != {port}", protocol_name(*protocol))
        }
        Match::SourcePortIs(protocol, port) => {
            write!(out, "{} sport {port}", protocol_name(*protocol))
        }
        Match::Source(range) => write!(out, "{} saddr {}", header(range), shortest(range)),
        Match::Destination(range) => write!(out, "{} daddr {}", header(range), shortest(range)),
        Match::DestinationOutside(range) => {
            write!(out, "{} daddr != {}", header(range), shortest(range))
        }
        Match::SourceIn(set) => write!(out, "{} saddr @{set}", set_header(*set)),
        Match::DestinationIn(set) => write!(out, "{} daddr @{set}", set_header(*set)),
        Match::User(owner) => write!(out, "meta skuid {}", Range(owner)),
        Match::Group(owner) => write!(out, "meta skgid {}", Range(owner)),
        Match::MarkIs(mark) => write!(out, "meta mark {mark}"),
        Match::MarkIsNot(mark) => write!(out, "meta mark != {mark}"),
        Match::ConnectionMarkIs(mark) => write!(out, "ct mark {mark}"),
        Match::Invalid => out.write_str("ct state invalid"),
        Match::Established => out.write_str("ct state established,related"),
        Match::Original => out.write_str("ct direction original"),
    }
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn header(range: &IpNet) -> &'static str {
    if range.addr().is_ipv4() { "ip" } else { "ip6" }
}

fn set_header(set: SetName) -> &'static str {
    if set.family() == Some(Family::Ipv6) {
        "ip6"
    } else {
        "ip"
    }
}

/// nft lists a single address without its prefix length.
fn shortest(range: &IpNet) -> String {
    if range.prefix_len() == range.max_prefix_len() {
        range.addr().to_string()
    } else {
        range.to_string()
    }
}

struct Name<'a>(&'a Interface);

impl Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Interface::Loopback => out.write_str("\"lo\""),
            Interface::Named(name) => write!(out, "\"{name}\""),
            Interface::Prefixed(stem) => write!(out, "\"{stem}*\""),
        }
    }
}

struct Range<'a, T>(&'a RangeInclusive<T>);

impl<T: Display + PartialEq> Display for Range<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last {
            write!(out, "{first}")
        } else {
            write!(out, "{first}-{last}")
        }
    }
}
