//! From an [`Intent`] to the rules: all redirect logic, once, without touching anything.
//!
//! The rules decide as those of istio-iptables do, its oddities included, because users' annotations rely on them.
//! Both families share the chains; where IPv6 is off, the table sees none of it.
//! The chains that redirect see the first packet of a connection only, so replies never meet them.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::intent::{Intent, Ipv6};
use crate::rules::{
    Action, Chain, ChainName, Elements, Family, Match, Reason, Rule, RuleSet, Set, SetName,
    TableFamily,
};

pub use self::dns::LISTENER as DNS_LISTENER;

mod closed;
mod dns;
mod inbound;
mod outbound;
mod tproxy;

/// The source addresses of the proxy's calls to the application, so that the rules can tell them from others.
pub const PASS_THROUGH: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(127, 0, 0, 6),
    Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6),
);

/// Makes the rules for an intent.
pub fn plan(intent: &Intent) -> RuleSet {
    let mut sets = Sets::default();
    // A chain must exist before another goes to it.
    let mut chains = vec![
        outbound::outbound(intent, &mut sets),
        outbound::output(intent, &mut sets),
        inbound::prerouting(intent, &mut sets),
    ];
    chains.extend(tproxy::arriving(intent, &mut sets));
    chains.extend(tproxy::marking(intent));
    chains.extend(dns::zones_output(intent, &mut sets));
    chains.extend(dns::zones_prerouting(intent, &mut sets));
    chains.extend(closed::quic(intent, &mut sets));
    chains.extend(closed::leaving(intent));
    chains.extend(closed::entering(intent));
    chains.extend(closed::passing(intent, &mut sets));
    chains.iter_mut().for_each(Chain::forget_unreached);
    RuleSet {
        family: family(intent),
        sets: sets.0,
        chains,
    }
}

/// IPv6 that is neither captured nor refused is nothing to the table.
fn family(intent: &Intent) -> TableFamily {
    match intent.ipv6 {
        Ipv6::Off | Ipv6::Uncaptured => TableFamily::Ip,
        Ipv6::On | Ipv6::Blocked => TableFamily::Inet,
    }
}

/// The sets the rules made so far look into.
#[derive(Default)]
struct Sets(Vec<Set>);

impl Sets {
    /// Adds a set once and says whether it has any element; a set without elements is not loaded.
    fn add(&mut self, name: SetName, elements: Elements) -> bool {
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
fn base_chain(name: ChainName, intent: &Intent) -> Chain {
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
    /// Drops the rules that no packet reaches, since a rule before them that asks for less ends the walk: mostly those of
    /// istio-iptables for groups, behind a rule of its own that leaves all of the loopback interface alone.
    fn forget_unreached(&mut self) {
        let mut kept: Vec<Rule> = Vec::with_capacity(self.rules.len());
        for rule in self.rules.drain(..) {
            let is_reached = !kept.iter().any(|earlier| earlier.ends_walk_of(&rule));
            if is_reached {
                kept.push(rule);
            }
        }
        self.rules = kept;
    }

    fn empty(name: ChainName) -> Self {
        Self {
            name,
            rules: Vec::new(),
        }
    }

    fn push(&mut self, matches: impl Into<Vec<Match>>, action: Action, reason: Reason) {
        self.rules.push(Rule {
            matches: matches.into(),
            action,
            reason,
        });
    }
}

impl Rule {
    /// Whether no packet that would match a later rule gets past this one.
    fn ends_walk_of(&self, later: &Self) -> bool {
        let ends = !matches!(
            self.action,
            Action::Deliver { .. } | Action::Mark(_) | Action::RestoreMark
        );
        // Marks may change between the two.
        let is_lasting =
            |condition: &Match| !matches!(condition, Match::MarkIs(_) | Match::MarkIsNot(_));
        let mut conditions = self.matches.iter();
        ends && conditions
            .all(|condition| is_lasting(condition) && later.matches.contains(condition))
    }
}

/// The localhost ranges of the families that are on.
fn localhosts(intent: &Intent) -> Vec<IpNet> {
    on(intent, intent.loopback, Ipv6Addr::LOCALHOST.into())
}

/// The addresses of [`PASS_THROUGH`] of the families that are on.
fn pass_through(intent: &Intent) -> Vec<IpNet> {
    on(intent, PASS_THROUGH.0.into(), PASS_THROUGH.1.into())
}

fn on(intent: &Intent, ipv4: Ipv4Net, ipv6: Ipv6Net) -> Vec<IpNet> {
    let mut ranges = vec![IpNet::V4(ipv4)];
    if intent.ipv6 == Ipv6::On {
        ranges.push(IpNet::V6(ipv6));
    }
    ranges
}

#[cfg(test)]
mod tests;
