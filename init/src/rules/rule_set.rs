//! A set of rules: its types.

use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::rules::reason::Reason;

/// The name of our table.
pub const TABLE: &str = "egret";

/// Everything that is loaded: the table's sets and chains in the order they must be created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet {
    /// The packets that the table sees.
    pub family: TableFamily,
    /// The named sets the rules look into.
    pub sets: Vec<Set>,
    /// The chains; a chain comes before the chains that go to it.
    pub chains: Vec<Chain>,
}

/// Which packets a table sees. The kernel spends time on those, and tracks their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableFamily {
    /// IPv4 alone.
    Ip,
    /// IPv4 and IPv6, which share chains.
    #[default]
    Inet,
}

impl TableFamily {
    /// Those that a table of ours may have.
    pub const ALL: [Self; 2] = [Self::Ip, Self::Inet];

    /// Whether packets of a family are matched.
    pub fn sees(self, family: Family) -> bool {
        self == Self::Inet || family == Family::Ipv4
    }
}

/// A named set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// What it is called in the table.
    pub name: SetName,
    /// What is in it.
    pub elements: Elements,
}

/// The sets a plan may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SetName {
    OutboundExcludePorts,
    OutboundIncludePorts,
    OutboundExcludeIpv4,
    OutboundExcludeIpv6,
    OutboundIncludeIpv4,
    OutboundIncludeIpv6,
    InboundExcludePorts,
    InboundIncludePorts,
    DnsServersIpv4,
    DnsServersIpv6,
}

/// The elements of a set: disjoint ranges in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elements {
    /// IPv4 ranges.
    Ipv4(Vec<Ipv4Net>),
    /// IPv6 ranges.
    Ipv6(Vec<Ipv6Net>),
    /// Port ranges.
    Ports(Vec<RangeInclusive<u16>>),
}

/// An ordered list of rules. Without a matching rule the packet goes where it was going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Which chain this is.
    pub name: ChainName,
    /// Tried in order; the first whose matches all hold acts.
    pub rules: Vec<Rule>,
}

/// The chains a plan may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainName {
    /// First packets of connections made here: those that are left alone.
    Output,
    /// What remains of [`ChainName::Output`]: which destinations are captured.
    Outbound,
    /// First packets of connections arriving here.
    Prerouting,
    /// All arriving packets, before [`ChainName::Prerouting`].
    Arriving,
    /// All packets made here, before [`ChainName::Output`]; what it marks is routed anew.
    Marking,
    /// DNS packets made here, before connection tracking sees them.
    ZonesOutput,
    /// DNS packets arriving here, before connection tracking sees them.
    ZonesPrerouting,
    /// All packets made here, after [`ChainName::Output`]: what must not leave.
    Leaving,
    /// What remains of [`ChainName::Leaving`]: which QUIC must not leave.
    Quic,
    /// All packets for this host: what must not come in.
    Entering,
    /// All packets passing through this host, from virtual machines.
    Passing,
}

/// Where the kernel enters a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// The hook of netfilter.
    pub point: HookPoint,
    /// What the chain may do.
    pub kind: ChainKind,
    /// The order among the chains of a hook, ascending.
    pub priority: i32,
}

/// Places on a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPoint {
    /// Packets that arrive, before routing.
    Prerouting,
    /// Packets that arrive for this host.
    Input,
    /// Packets that pass through this host.
    Forward,
    /// Packets made by this host's processes.
    Output,
}

/// What a chain may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Sees first packets and may redirect the connection.
    Nat,
    /// Sees every packet and may drop it.
    Filter,
    /// Sees every packet made here and may change its route by marking it.
    Route,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// All must hold.
    pub matches: Vec<Match>,
    /// What happens then.
    pub action: Action,
    /// Why the rule is there; loaded as its comment.
    pub reason: Reason,
}

/// A condition on a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// IPv4 or IPv6.
    Family(Family),
    /// The interface it arrived from.
    From(Interface),
    /// The interface it leaves through.
    Through(Interface),
    /// The transport protocol.
    Protocol(Protocol),
    /// That protocol, and the destination port is in a set.
    PortIn(Protocol, SetName),
    /// That protocol, and the destination port is this one.
    PortIs(Protocol, u16),
    /// That protocol, and the destination port is another.
    PortIsNot(Protocol, u16),
    /// That protocol, and the source port is this one.
    SourcePortIs(Protocol, u16),
    /// The source address is inside; implies the family.
    Source(IpNet),
    /// The source address is in a set; implies the family.
    SourceIn(SetName),
    /// The destination address is inside; implies the family.
    Destination(IpNet),
    /// The destination address is of the same family and outside.
    DestinationOutside(IpNet),
    /// The destination address is in a set; implies the family.
    DestinationIn(SetName),
    /// The user that made the socket.
    User(Owner),
    /// The group of the process that made the socket.
    Group(Owner),
    /// The packet carries this mark.
    MarkIs(u32),
    /// The packet carries another mark or none.
    MarkIsNot(u32),
    /// The packet's connection carries this mark.
    ConnectionMarkIs(u32),
    /// Connection tracking cannot make sense of it.
    Invalid,
    /// It belongs to a connection that has been answered, or is related to one.
    Established,
    /// It goes the way of its connection's first packet.
    Original,
}

/// Network families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    Ipv4,
    Ipv6,
}

/// Transport protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// A network interface by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// The loopback interface.
    Loopback,
    /// The one with this name.
    Named(String),
    /// All whose names begin so; istio-iptables writes it with a final `+`.
    Prefixed(String),
}

/// A user or group id, or a range of them.
pub type Owner = RangeInclusive<u32>;

/// What a rule does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The packet goes where it was going; no further rule of this chain is checked.
    Leave,
    /// The connection goes to this local port.
    Redirect(u16),
    /// The packet goes, unchanged and marked, to the transparent listener on this local port, if there is one; without
    /// a listener the next rule is checked.
    Deliver {
        /// The listener's port.
        port: u16,
        /// The mark by which the packet is routed here.
        mark: u32,
    },
    /// The packet is marked, and no further rule of this chain is checked.
    Divert(u32),
    /// The packet is marked, and the next rule is checked.
    Mark(u32),
    /// The connection gets the packet's mark, and no further rule of this chain is checked.
    SaveMark,
    /// The packet gets its connection's mark, and the next rule is checked.
    RestoreMark,
    /// Connection tracking keeps the packet's connection in this zone.
    Zone(u16),
    /// The rules of another chain decide.
    Goto(ChainName),
    /// The packet is gone.
    Drop,
    /// The packet is dropped, and its sender gets ICMP port unreachable.
    Reject,
}

impl RuleSet {
    /// The number of rules in all chains.
    pub fn rule_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.rules.len()).sum()
    }

    /// The chain of a name.
    pub fn chain(&self, name: ChainName) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    /// The elements of a set.
    pub fn elements(&self, name: SetName) -> Option<&Elements> {
        let set = self.sets.iter().find(|set| set.name == name)?;
        Some(&set.elements)
    }
}

impl Rule {
    /// The only family a rule can match, if its conditions imply one.
    pub fn family(&self) -> Option<Family> {
        self.matches.iter().find_map(Match::family)
    }
}

impl Match {
    /// The family a condition implies.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Family(family) => Some(*family),
            Self::Source(range) | Self::Destination(range) | Self::DestinationOutside(range) => {
                Some(if range.addr().is_ipv4() {
                    Family::Ipv4
                } else {
                    Family::Ipv6
                })
            }
            Self::SourceIn(set) | Self::DestinationIn(set) => set.family(),
            _ => None,
        }
    }
}

impl ChainName {
    /// Where the kernel enters the chain; `None` when only other chains go to it.
    pub fn hook(self) -> Option<Hook> {
        // The priorities are those of iptables' tables: raw, mangle, nat and filter.
        let (point, kind, priority) = match self {
            Self::ZonesOutput => (HookPoint::Output, ChainKind::Filter, -300),
            Self::ZonesPrerouting => (HookPoint::Prerouting, ChainKind::Filter, -300),
            Self::Arriving => (HookPoint::Prerouting, ChainKind::Filter, -150),
            Self::Marking => (HookPoint::Output, ChainKind::Route, -150),
            Self::Output => (HookPoint::Output, ChainKind::Nat, -100),
            Self::Prerouting => (HookPoint::Prerouting, ChainKind::Nat, -100),
            Self::Leaving => (HookPoint::Output, ChainKind::Filter, 0),
            Self::Entering => (HookPoint::Input, ChainKind::Filter, 0),
            Self::Passing => (HookPoint::Forward, ChainKind::Filter, 0),
            Self::Outbound | Self::Quic => return None,
        };
        Some(Hook {
            point,
            kind,
            priority,
        })
    }
}

impl SetName {
    /// The family of a set of addresses; `None` for ports.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::OutboundExcludeIpv4 | Self::OutboundIncludeIpv4 | Self::DnsServersIpv4 => {
                Some(Family::Ipv4)
            }
            Self::OutboundExcludeIpv6 | Self::OutboundIncludeIpv6 | Self::DnsServersIpv6 => {
                Some(Family::Ipv6)
            }
            Self::OutboundExcludePorts
            | Self::OutboundIncludePorts
            | Self::InboundExcludePorts
            | Self::InboundIncludePorts => None,
        }
    }
}
