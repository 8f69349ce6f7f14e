//! What the chains are made of and share.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::intent::{Intent, Ipv6};
use crate::rules::{Action, Chain, ChainName, Elements, Family, Match, Reason, Rule, Set, SetName};

/// The source addresses of the proxy's calls to the application, so that the rules can distinguish them from others.
pub const PASS_THROUGH: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(127, 0, 0, 6),
    Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6),
);

/// The sets the rules made so far look into.
#[derive(Default)]
pub(in crate::plan) struct Sets(Vec<Set>);

impl Sets {
    /// All of them.
    pub(in crate::plan) fn into_vec(self) -> Vec<Set> {
        self.0
    }

    /// Adds a set once and returns whether it has any element; a set without elements is not loaded.
    pub(in crate::plan) fn add(&mut self, name: SetName, elements: Elements) -> bool {
        let is_empty = match &elements {
            Elements::Ipv4(ranges) => ranges.is_empty(),
            Elements::Ipv6(ranges) => ranges.is_empty(),
            Elements::Ports(ports) => ports.is_empty(),
        };
        if !is_empty && self.0.iter().all(|set| set.name != name) {
            self.0.push(Set { name, elements });
        }
        !is_empty
    }
}

/// A chain that begins with what all chains entered by the kernel begin with.
pub(in crate::plan) fn base_chain(name: ChainName, intent: &Intent) -> Chain {
    let mut chain = Chain::empty(name);
    if intent.ipv6 == Ipv6::Blocked {
        chain.push(
            [Match::Family(Family::Ipv6)],
            Action::Leave,
            Reason::Ipv6Off,
        );
    }
    chain
}

impl Chain {
    pub(in crate::plan) fn empty(name: ChainName) -> Self {
        Self {
            name,
            rules: Vec::new(),
        }
    }

    pub(in crate::plan) fn push(
        &mut self,
        matches: impl Into<Vec<Match>>,
        action: Action,
        reason: Reason,
    ) {
        self.rules.push(Rule {
            matches: matches.into(),
            action,
            reason,
        });
    }
}

/// The localhost ranges of the families that are on.
pub(in crate::plan) fn localhosts(intent: &Intent) -> Vec<IpNet> {
    on(intent, intent.loopback, Ipv6Addr::LOCALHOST.into())
}

/// The addresses of [`PASS_THROUGH`] of the families that are on.
pub(in crate::plan) fn pass_through(intent: &Intent) -> Vec<IpNet> {
    on(intent, PASS_THROUGH.0.into(), PASS_THROUGH.1.into())
}

fn on(intent: &Intent, ipv4: Ipv4Net, ipv6: Ipv6Net) -> Vec<IpNet> {
    let mut ranges = vec![IpNet::V4(ipv4)];
    if intent.ipv6 == Ipv6::On {
        ranges.push(IpNet::V6(ipv6));
    }
    ranges
}
