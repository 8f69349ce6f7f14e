//! Which rule decides a packet, and what becomes of it: the kernel's walk through the rules, on paper.

use std::fmt;
use std::net::IpAddr;

use crate::rules::{
    Action, Chain, ChainName, Elements, Family, Interface, Match, Protocol, Reason, Rule, RuleSet,
    SetName,
};

/// The first packet of a connection, or a datagram before any answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Whence it comes.
    pub origin: Origin,
    /// The transport protocol; `None` for others than TCP and UDP.
    pub protocol: Option<Protocol>,
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The destination port.
    pub port: u16,
    /// Whether the destination is an address of this host.
    pub is_for_this_host: bool,
}

/// Whence a packet comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A process of this host.
    Process {
        /// Its user and group when it made the socket; packets may come without a socket.
        owner: Option<(u32, u32)>,
        /// The interface the packet leaves through.
        through: String,
    },
    /// The interface it arrives from.
    Interface(String),
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes where it was going.
    Untouched,
    /// It goes to the proxy's listener on this port.
    Proxy(u16),
    /// It is gone.
    Dropped,
    /// It is gone, and its sender learns of it.
    Refused,
}

/// What becomes of a packet, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// What becomes of it.
    pub verdict: Verdict,
    /// The chain whose decision this is.
    pub chain: ChainName,
    /// The rule that decides, with its number in its chain, from 1. `None` when no rule matches.
    pub rule: Option<(usize, &'a Rule)>,
    /// Whether the rules apply to packets of its family.
    pub is_seen: bool,
}

/// Says what becomes of a packet.
pub fn explain<'a>(rules: &'a RuleSet, packet: &Packet) -> Explanation<'a> {
    let mut walk = Walk {
        rules,
        packet,
        mark: 0,
        loops: false,
    };
    match &packet.origin {
        Origin::Process { through, .. } => {
            walk.enter(ChainName::Marking);
            let decision = walk.enter(ChainName::Output);
            if decision.verdict != Verdict::Untouched {
                return decision;
            }
            let leaving = walk.enter(ChainName::Leaving);
            if leaving.verdict != Verdict::Untouched {
                return leaving;
            }
            // What leaves through the loopback interface arrives from it, where it was redirected already.
            if through == "lo" {
                walk.loops = true;
                let arriving = walk.enter(ChainName::Arriving);
                if arriving.verdict != Verdict::Untouched {
                    return arriving;
                }
            }
            decision
        }
        Origin::Interface(_) => {
            let arriving = walk.enter(ChainName::Arriving);
            if arriving.verdict != Verdict::Untouched {
                return arriving;
            }
            let decision = walk.enter(ChainName::Prerouting);
            if decision.verdict != Verdict::Untouched {
                return decision;
            }
            let last = if packet.is_for_this_host {
                ChainName::Entering
            } else {
                ChainName::Passing
            };
            let closed = walk.enter(last);
            if closed.verdict != Verdict::Untouched {
                return closed;
            }
            // In TPROXY mode the chain before has the reason why a packet is left alone.
            if decision.rule.is_none() && arriving.rule.is_some() {
                return arriving;
            }
            decision
        }
    }
}

struct Walk<'a, 'p> {
    rules: &'a RuleSet,
    packet: &'p Packet,
    mark: u32,
    /// Whether the packet has left through the loopback interface and arrives again.
    loops: bool,
}

impl<'a> Walk<'a, '_> {
    fn enter(&mut self, name: ChainName) -> Explanation<'a> {
        let untouched = Explanation {
            verdict: Verdict::Untouched,
            chain: name,
            rule: None,
            is_seen: self.is_seen(),
        };
        if !untouched.is_seen {
            return untouched;
        }
        let Some(Chain { rules, .. }) = self.rules.chain(name) else {
            return untouched;
        };
        for (number, rule) in (1..).zip(rules) {
            if !rule.matches.iter().all(|condition| self.holds(condition)) {
                continue;
            }
            let verdict = match rule.action {
                Action::Leave | Action::SaveMark | Action::Zone(_) => Verdict::Untouched,
                Action::Redirect(port) | Action::Deliver { port, .. } => Verdict::Proxy(port),
                Action::Drop => Verdict::Dropped,
                Action::Reject => Verdict::Refused,
                Action::Goto(next) => {
                    let decision = self.enter(next);
                    return match decision.rule {
                        Some(_) => decision,
                        None => Explanation {
                            rule: Some((number, rule)),
                            ..untouched
                        },
                    };
                }
                Action::Divert(mark) => {
                    self.mark = mark;
                    Verdict::Untouched
                }
                Action::Mark(mark) => {
                    self.mark = mark;
                    continue;
                }
                // A connection's first packet finds no mark there.
                Action::RestoreMark => continue,
            };
            return Explanation {
                verdict,
                rule: Some((number, rule)),
                ..untouched
            };
        }
        untouched
    }

    fn is_seen(&self) -> bool {
        let family = match self.packet.destination {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        };
        self.rules.family.sees(family)
    }

    fn holds(&self, condition: &Match) -> bool {
        let packet = self.packet;
        let ports = |protocol: Protocol| packet.protocol == Some(protocol);
        let same_family = |ipv4: bool| ipv4 == packet.destination.is_ipv4();
        match condition {
            Match::Family(family) => same_family(*family == Family::Ipv4),
            Match::From(interface) => self.arrives().is_some_and(|name| is_named(interface, name)),
            Match::Through(interface) => {
                self.leaves().is_some_and(|name| is_named(interface, name))
            }
            Match::Protocol(protocol) => ports(*protocol),
            Match::PortIn(protocol, set) => ports(*protocol) && self.has_port(*set),
            Match::PortIs(protocol, port) => ports(*protocol) && packet.port == *port,
            Match::PortIsNot(protocol, port) => ports(*protocol) && packet.port != *port,
            // Answers come from well-known ports, first packets do not.
            Match::SourcePortIs(..) => false,
            Match::Source(range) => range.contains(&packet.source),
            Match::SourceIn(set) => self.has_address(*set, packet.source),
            Match::Destination(range) => range.contains(&packet.destination),
            Match::DestinationOutside(range) => {
                same_family(range.addr().is_ipv4()) && !range.contains(&packet.destination)
            }
            Match::DestinationIn(set) => self.has_address(*set, packet.destination),
            Match::User(owner) => self.owner().is_some_and(|(uid, _)| owner.contains(&uid)),
            Match::Group(owner) => self.owner().is_some_and(|(_, gid)| owner.contains(&gid)),
            Match::MarkIs(mark) => self.mark == *mark,
            Match::MarkIsNot(mark) => self.mark != *mark,
            Match::ConnectionMarkIs(_) | Match::Invalid | Match::Established => false,
            Match::Original => true,
        }
    }

    fn arrives(&self) -> Option<&str> {
        match &self.packet.origin {
            Origin::Interface(name) => Some(name),
            Origin::Process { .. } => self.loops.then_some("lo"),
        }
    }

    fn leaves(&self) -> Option<&str> {
        match &self.packet.origin {
            Origin::Process { through, .. } if !self.loops => Some(through),
            _ => None,
        }
    }

    fn owner(&self) -> Option<(u32, u32)> {
        match self.packet.origin {
            Origin::Process { owner, .. } if !self.loops => owner,
            _ => None,
        }
    }

    fn has_port(&self, set: SetName) -> bool {
        let ports = self.rules.elements(set);
        matches!(ports, Some(Elements::Ports(ports)) if ports.iter().any(|ports| ports.contains(&self.packet.port)))
    }

    fn has_address(&self, set: SetName, address: IpAddr) -> bool {
        match (self.rules.elements(set), address) {
            (Some(Elements::Ipv4(ranges)), IpAddr::V4(address)) => {
                ranges.iter().any(|range| range.contains(&address))
            }
            (Some(Elements::Ipv6(ranges)), IpAddr::V6(address)) => {
                ranges.iter().any(|range| range.contains(&address))
            }
            _ => false,
        }
    }
}

fn is_named(interface: &Interface, name: &str) -> bool {
    match interface {
        Interface::Loopback => name == "lo",
        Interface::Named(own) => name == own,
        Interface::Prefixed(stem) => name.starts_with(stem),
    }
}

impl Explanation<'_> {
    /// The row of the documented decisions, such as `outbound 4b`.
    fn row(&self) -> Option<&'static str> {
        if !self.is_seen {
            return None;
        }
        let Some((_, rule)) = self.rule else {
            return match self.chain {
                ChainName::Output => Some("outbound 12"),
                ChainName::Prerouting => Some("inbound 7"),
                _ => None,
            };
        };
        match (rule.reason, self.chain) {
            (Reason::ExcludedInterface, ChainName::Output) => Some("outbound 1"),
            (Reason::ExcludedInterface, _) => Some("inbound 3"),
            // Which chain decides destinations was the last rule that matched; none in it did.
            (Reason::AllGroups | Reason::IncludedGroup, _) => Some("outbound 12"),
            (reason, _) => reason.row(),
        }
    }
}

/// Two lines: what happens to the packet, and by which rule.
impl fmt::Display for Explanation<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Untouched => {
                out.write_str("not captured: goes to its original destination")?
            }
            Verdict::Proxy(port) => write!(out, "captured: goes to the proxy's port {port}")?,
            Verdict::Dropped => out.write_str("dropped")?,
            Verdict::Refused => out.write_str("refused: the sender gets ICMP port unreachable")?,
        }
        out.write_str("\nbecause: ")?;
        match self.rule {
            Some((_, rule)) if matches!(rule.action, Action::Goto(_)) => {
                out.write_str("no rule captures this destination")?;
            }
            Some((_, rule)) => write!(out, "{}", rule.reason)?,
            None if !self.is_seen => write!(out, "{}", Reason::Ipv6Off)?,
            None => out.write_str("no rule matches")?,
        }
        if let Some(row) = self.row() {
            write!(out, " (row {row})")?;
        }
        if let Some((number, _)) = self.rule {
            write!(out, "\nrule {number} of chain {}", self.chain)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
