//! Why rules exist: the comment a user sees in a listing, and the row of the documented decisions.

use std::fmt;

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
    Dns,
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
    AlreadyMarked,
    LoopbackUnmarked,
    EstablishedInbound,
    NoListener,
    MarkedLeaving,
    MarkSelfCall,
    RestoreMark,
    ProxyQuestion,
    ProxyAnswer,
    AppQuestion,
    ServerAnswer,
    QuicLoopback,
    QuicBlocked,
    Ipv6Loopback,
    Ipv6Blocked,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

impl Reason {
    /// The comment a user sees in a listing of the rules.
    pub fn text(self) -> &'static str {
        match self {
            Self::Ipv6Off => "IPv6 is off: not captured",
            Self::Invalid => "packets that belong to no tracked connection",
            Self::ExcludedInterface => "excluded interface",
            Self::ExcludedOutboundPort => "excluded outbound ports",
            Self::PassThrough => "proxy passes inbound calls on to the application",
            Self::SelfCall => "application calls its own service through the proxy",
            Self::LocalCall => "application calls itself directly",
            Self::Proxy => "the proxy's own connections",
            Self::ExcludedGroup => "excluded owner group",
            Self::IncludedGroup => "captured owner group",
            Self::AllGroups => "all other owners",
            Self::Dns => "questions to name servers",
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
            Self::AlreadyMarked => "proxy speaks with a client's address: remember the connection",
            Self::LoopbackUnmarked => "application calls itself directly",
            Self::EstablishedInbound => "captured inbound connections go on",
            Self::NoListener => "captured inbound, and the proxy does not listen",
            Self::MarkedLeaving => "proxy speaks with a client's address",
            Self::MarkSelfCall => "application calls its own service through the proxy",
            Self::RestoreMark => "answers to a client whose address the proxy borrowed",
            Self::ProxyQuestion => "the proxy asks a name server",
            Self::ProxyAnswer => "the proxy answers an application",
            Self::AppQuestion => "an application asks a name server",
            Self::ServerAnswer => "a name server answers the proxy",
            Self::QuicLoopback => "QUIC inside the pod",
            Self::QuicBlocked => "QUIC would pass by the proxy: clients fall back to TCP",
            Self::Ipv6Loopback => "IPv6 inside the pod",
            Self::Ipv6Blocked => "IPv6 would pass by the proxy",
        }
    }

    /// The row of the decisions that istio-iptables makes, as the project's notes number them: `outbound 1` to
    /// `outbound 12`, `inbound 1` to `inbound 7`. Rules for packets that are decided elsewhere have none.
    pub fn row(self) -> Option<&'static str> {
        Some(match self {
            Self::ExcludedOutboundPort => "outbound 2",
            Self::PassThrough => "outbound 3",
            Self::SelfCall => "outbound 4a",
            Self::LocalCall => "outbound 4b",
            Self::Proxy => "outbound 4c",
            Self::ExcludedGroup | Self::IncludedGroup | Self::AllGroups => "outbound 6",
            Self::Dns => "outbound 7",
            Self::Localhost => "outbound 8",
            Self::ExcludedRange => "outbound 9",
            Self::IncludedOutboundPort => "outbound 10",
            Self::IncludedRange | Self::AllOutbound => "outbound 11",
            Self::VirtualInterfaceRange | Self::VirtualInterfaceAll => "inbound 1",
            Self::VirtualInterfaceRest => "inbound 2",
            Self::Tunnel => "inbound 5",
            Self::ExcludedInboundPort | Self::AllInbound => "inbound 6",
            Self::IncludedInboundPort => "inbound 7",
            _ => return None,
        })
    }
}
