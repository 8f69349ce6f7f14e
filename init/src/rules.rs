//! The rule model: one table of chains and sets, in the kernel's terms but in no tool's syntax.
//!
//! It knows neither flags nor netlink. `plan` writes it; `netlink` loads it and `render` prints it.

use std::fmt;
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The name of our table, of family `inet`, so that IPv4 and IPv6 share chains.
pub const TABLE: &str = "egret";

/// Everything that is loaded: the table's sets and chains in the order they must be created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet {
    /// The named sets the rules look into.
    pub sets: Vec<Set>,
    /// The chains; a chain comes before the chains that go to it.
    pub chains: Vec<Chain>,
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
    /// First packets of connections made here: who is left alone.
    Output,
    /// What remains of [`ChainName::Output`]: which destinations are captured.
    Outbound,
    /// First packets of connections arriving here.
    Prerouting,
    /// All arriving packets, before [`ChainName::Prerouting`].
    Arriving,
}

/// Where the kernel enters a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hook {
    /// The place on a packet's way.
    pub place: Place,
    /// What the chain may do.
    pub kind: ChainKind,
    /// The order among the chains of a place, ascending.
    pub priority: i32,
}

/// Places on a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Packets that arrive, before routing.
    Prerouting,
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
    /// The source address is inside; implies the family.
    Source(IpNet),
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
    /// Connection tracking cannot make sense of it.
    Invalid,
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
    /// The packet goes where it was going; no further rule of ours is asked.
    Leave,
    /// The connection goes to this local port.
    Redirect(u16),
    /// The rules of another chain decide.
    Goto(ChainName),
    /// The packet is gone.
    Drop,
}

/// Why a rule exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    Ipv6Off,
    Invalid,
    ExcludedInterface,
    ExcludedOutboundPort,
    PassThrough,
    SelfCall,
    LocalCall,
    Proxy,
    ExcludedGroup,
    IncludedGroup,
    AllGroups,
    Localhost,
    ExcludedRange,
    IncludedOutboundPort,
    IncludedRange,
    AllOutbound,
    VirtualInterfaceRange,
    VirtualInterfaceAll,
    VirtualInterfaceRest,
    Tunnel,
    ExcludedInboundPort,
    AllInbound,
    IncludedInboundPort,
}

impl RuleSet {
    /// The number of rules in all chains.
    pub fn rule_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.rules.len()).sum()
    }
}

impl ChainName {
    /// Where the kernel enters the chain; `None` when only other chains go to it.
    pub fn hook(self) -> Option<Hook> {
        // The priorities are those of iptables' tables, of nat and of mangle.
        let (place, kind, priority) = match self {
            Self::Output => (Place::Output, ChainKind::Nat, -100),
            Self::Prerouting => (Place::Prerouting, ChainKind::Nat, -100),
            Self::Arriving => (Place::Prerouting, ChainKind::Filter, -150),
            Self::Outbound => return None,
        };
        Some(Hook {
            place,
            kind,
            priority,
        })
    }
}

/// The name in the kernel.
impl fmt::Display for ChainName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Output => "output",
            Self::Outbound => "outbound",
            Self::Prerouting => "prerouting",
            Self::Arriving => "arriving",
        })
    }
}

/// The name in the kernel.
impl fmt::Display for SetName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::OutboundExcludePorts => "outbound_exclude_ports",
            Self::OutboundIncludePorts => "outbound_include_ports",
            Self::OutboundExcludeIpv4 => "outbound_exclude_ipv4",
            Self::OutboundExcludeIpv6 => "outbound_exclude_ipv6",
            Self::OutboundIncludeIpv4 => "outbound_include_ipv4",
            Self::OutboundIncludeIpv6 => "outbound_include_ipv6",
            Self::InboundExcludePorts => "inbound_exclude_ports",
            Self::InboundIncludePorts => "inbound_include_ports",
        })
    }
}

impl SetName {
    /// The family of a set of addresses; `None` for ports.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::OutboundExcludeIpv4 | Self::OutboundIncludeIpv4 => Some(Family::Ipv4),
            Self::OutboundExcludeIpv6 | Self::OutboundIncludeIpv6 => Some(Family::Ipv6),
            Self::OutboundExcludePorts
            | Self::OutboundIncludePorts
            | Self::InboundExcludePorts
            | Self::InboundIncludePorts => None,
        }
    }
}

/// The comment a user sees in a listing of the rules.
impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ipv6Off => "IPv6 is off: left alone",
            Self::Invalid => "packets of no known connection",
            Self::ExcludedInterface => "excluded interface",
            Self::ExcludedOutboundPort => "excluded outbound ports",
            Self::PassThrough => "proxy passes inbound calls on to the application",
            Self::SelfCall => "application calls its own service through the proxy",
            Self::LocalCall => "application calls itself directly",
            Self::Proxy => "the proxy's own connections",
            Self::ExcludedGroup => "excluded owner group",
            Self::IncludedGroup => "captured owner group",
            Self::AllGroups => "all other owners",
            Self::Localhost => "containers talk over localhost",
            Self::ExcludedRange => "excluded outbound ranges",
            Self::IncludedOutboundPort => "captured outbound ports",
            Self::IncludedRange => "captured outbound ranges",
            Self::AllOutbound => "all other outbound TCP",
            Self::VirtualInterfaceRange => "captured ranges called from a virtual machine",
            Self::VirtualInterfaceAll => "TCP from a virtual machine is outbound",
            Self::VirtualInterfaceRest => "anything else from a virtual machine",
            Self::Tunnel => "tunnel port is served directly",
            Self::ExcludedInboundPort => "excluded inbound ports",
            Self::AllInbound => "all other inbound TCP",
            Self::IncludedInboundPort => "captured inbound ports",
        })
    }
}
