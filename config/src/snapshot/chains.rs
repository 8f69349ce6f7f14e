//! What a listener does with byte streams: chains chosen by destination address and server name.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::meta::Meta;
use crate::snapshot::patterns::PatternMap;
use crate::snapshot::target::{Split, Target};

/// Where byte streams go: clusters by weight.
pub(crate) type StreamRoute = Split<Target>;

/// Where a chain comes from.
#[derive(Clone, Debug)]
pub enum ChainOrigin {
    /// The service's own.
    Service(Arc<Meta>),
    /// A `tls` rule of a VirtualService.
    Tls {
        /// The VirtualService.
        object: Arc<Meta>,
        /// Index in its `tls` list.
        rule: usize,
        /// Index in the rule's `match` list.
        matching: usize,
    },
    /// A `tcp` rule of a VirtualService.
    Tcp {
        /// The VirtualService.
        object: Arc<Meta>,
        /// Index in its `tcp` list.
        rule: usize,
        /// Index in the rule's `match` list, if it has one.
        matching: Option<usize>,
    },
    /// A server of a Gateway.
    Server {
        /// The Gateway.
        object: Arc<Meta>,
        /// Index in its `servers` list.
        server: usize,
    },
}

impl ChainOrigin {
    /// Whether both are the same match of the same `tls` rule.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let key = |origin: &Self| match origin {
            Self::Tls {
                object,
                rule,
                matching,
            } => Some((Arc::as_ptr(object), *rule, *matching)),
            Self::Service(_) | Self::Tcp { .. } | Self::Server { .. } => None,
        };
        key(self).is_some() && key(self) == key(other)
    }

    /// The object.
    pub fn object(&self) -> &Arc<Meta> {
        match self {
            Self::Service(object)
            | Self::Tls { object, .. }
            | Self::Tcp { object, .. }
            | Self::Server { object, .. } => object,
        }
    }
}

impl fmt::Display for ChainOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.object();
        write!(f, "{} {}", object.kind, object.name)?;
        match self {
            Self::Service(_) => Ok(()),
            Self::Tls { rule, matching, .. } => write!(f, " tls[{rule}].match[{matching}]"),
            Self::Tcp {
                rule,
                matching: Some(matching),
                ..
            } => write!(f, " tcp[{rule}].match[{matching}]"),
            Self::Tcp { rule, .. } => write!(f, " tcp[{rule}]"),
            Self::Server { server, .. } => write!(f, " servers[{server}]"),
        }
    }
}

/// One chain: its conditions, where it comes from, and what it does (`A`).
#[derive(Clone, Debug)]
pub(crate) struct Chain<A> {
    /// Destination ranges; empty is every address.
    pub(crate) subnets: Vec<IpNet>,
    /// Server names; empty is everything, TLS or not.
    pub(crate) sni: Vec<HostPattern>,
    /// Takes TLS whose name no other chain lists, and only that.
    pub(crate) unlisted: bool,
    /// Where it comes from.
    pub(crate) origin: ChainOrigin,
    /// What it does.
    pub(crate) action: A,
}

/// What is known of a byte stream when a chain is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StreamHint<'w> {
    /// A TLS ClientHello with its server name.
    Tls(Option<&'w str>),
    /// Anything else.
    Plain,
}

/// The chains of a listener, indexed. Of two chains with one condition in common the first has it.
#[derive(Clone, Debug)]
pub(crate) struct FilterChains<A> {
    list: Vec<Chain<A>>,
    /// Prefix lengths that occur, longest first, IPv4 and IPv6 apart.
    lengths: [Vec<u8>; 2],
    by_subnet: HashMap<IpNet, Names>,
    anywhere: Names,
}

/// Chains by server name; `*` means chains without names.
#[derive(Clone, Debug, Default)]
struct Names {
    by_name: PatternMap<u32>,
    unlisted: Option<u32>,
}

impl<A> Default for FilterChains<A> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            lengths: [Vec::new(), Vec::new()],
            by_subnet: HashMap::new(),
            anywhere: Names::default(),
        }
    }
}

impl<A> FilterChains<A> {
    /// Adds a chain. Returns the index of the chain that has one of its conditions already, if one does; when all are
    /// taken, the new chain is not added.
    pub(crate) fn add(&mut self, mut chain: Chain<A>) -> Option<usize> {
        let index = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        if chain.sni.contains(&HostPattern::Any) {
            chain.sni.clear();
        }
        for net in &mut chain.subnets {
            *net = net.trunc();
        }
        let mut holder = None;
        let mut added = false;
        let (sni, unlisted) = (&chain.sni, chain.unlisted);
        let mut insert = |names: &mut Names| {
            let (free, other) = names.insert(sni, unlisted, index);
            added |= free;
            holder = holder.or(other);
        };
        if chain.subnets.is_empty() {
            insert(&mut self.anywhere);
        }
        for net in &chain.subnets {
            let lengths = &mut self.lengths[usize::from(net.addr().is_ipv6())];
            if let Err(at) = lengths.binary_search_by(|length| net.prefix_len().cmp(length)) {
                lengths.insert(at, net.prefix_len());
            }
            insert(self.by_subnet.entry(*net).or_default());
        }
        if added {
            self.list.push(chain);
        }
        holder.map(|at| at as usize)
    }

    /// The chain for a stream to `to`: the longest range that has a chain for it, then chains without range. A range
    /// whose chains do not fit hides nothing.
    pub(crate) fn find(&self, to: IpAddr, hint: StreamHint<'_>) -> Option<&Chain<A>> {
        self.find_in_range(to, hint)
            .or_else(|| self.find_anywhere(hint))
    }

    /// The chain for a stream to `to`, of those with ranges.
    pub(crate) fn find_in_range(&self, to: IpAddr, hint: StreamHint<'_>) -> Option<&Chain<A>> {
        self.ranges(to)
            .find_map(|names| names.find(hint))
            .and_then(|at| self.list.get(at as usize))
    }

    /// The chain for a stream, of those without ranges.
    pub(crate) fn find_anywhere(&self, hint: StreamHint<'_>) -> Option<&Chain<A>> {
        self.anywhere
            .find(hint)
            .and_then(|at| self.list.get(at as usize))
    }

    /// Whether the first bytes make a difference for streams to `to`.
    pub(crate) fn depend_on_bytes(&self, to: IpAddr) -> bool {
        self.ranges(to)
            .chain([&self.anywhere])
            .any(Names::depend_on_bytes)
    }

    /// All chains, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Chain<A>> {
        self.list.iter()
    }

    /// The chain at an index.
    pub(crate) fn at(&self, index: usize) -> Option<&Chain<A>> {
        self.list.get(index)
    }

    /// The chain without ranges that has one of these server names.
    pub(crate) fn holder(&self, sni: &[HostPattern]) -> Option<&Chain<A>> {
        let index_of = |name| self.anywhere.by_name.get(name);
        sni.iter()
            .find_map(index_of)
            .and_then(|at| self.at(*at as usize))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn ranges(&self, to: IpAddr) -> impl Iterator<Item = &Names> {
        self.lengths[usize::from(to.is_ipv6())]
            .iter()
            .filter_map(move |length| {
                let net = IpNet::new(to, *length).ok()?.trunc();
                self.by_subnet.get(&net)
            })
    }
}

impl Names {
    /// Claims what is free for the chain at `index`: whether anything was, and which chain has the rest.
    fn insert(&mut self, sni: &[HostPattern], unlisted: bool, index: u32) -> (bool, Option<u32>) {
        if unlisted {
            let earlier = self.unlisted;
            self.unlisted = earlier.or(Some(index));
            return (earlier.is_none(), earlier);
        }
        let mut free = false;
        let mut earlier = None;
        let any = [HostPattern::Any];
        for pattern in if sni.is_empty() { &any } else { sni } {
            let holder = *self.by_name.entry(pattern, || {
                free = true;
                index
            });
            if holder != index {
                earlier = earlier.or(Some(holder));
            }
        }
        (free, earlier)
    }

    fn find(&self, hint: StreamHint<'_>) -> Option<u32> {
        let any = self.by_name.any().copied();
        let StreamHint::Tls(sni) = hint else {
            return any;
        };
        sni.and_then(|sni| self.by_name.find_named(sni).copied())
            .or(self.unlisted)
            .or(any)
    }

    fn depend_on_bytes(&self) -> bool {
        self.by_name.has_names() || self.unlisted.is_some()
    }
}
