//! From an [`Intent`] to the rules: all redirect logic, once, without touching anything.
//!
//! The rules decide as those of istio-iptables do, its oddities included, because users' annotations rely on them.
//! Both families share the chains; where IPv6 is off, the table sees none of it.
//! The chains that redirect see the first packet of a connection only, so replies never pass them.

use crate::intent::{Intent, Ipv6};
use crate::rules::{Action, Chain, Match, Rule, RuleSet, TableFamily};

pub use crate::plan::dns::LISTENER as DNS_LISTENER;
pub use crate::plan::parts::PASS_THROUGH;
use crate::plan::parts::Sets;

mod bypass;
mod dns;
mod inbound;
mod outbound;
mod parts;
mod tproxy;

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
    chains.extend(bypass::quic(intent, &mut sets));
    chains.extend(bypass::leaving(intent));
    chains.extend(bypass::entering(intent));
    chains.extend(bypass::passing(intent, &mut sets));
    chains.iter_mut().for_each(Chain::remove_unreachable);
    RuleSet {
        family: family(intent),
        sets: sets.into_vec(),
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

impl Chain {
    /// Drops the rules that no packet reaches, since a rule before them with fewer conditions ends the walk: mostly
    /// those of istio-iptables for groups, behind a rule of its own that leaves all of the loopback interface alone.
    fn remove_unreachable(&mut self) {
        let mut kept: Vec<Rule> = Vec::with_capacity(self.rules.len());
        for rule in self.rules.drain(..) {
            let is_reached = !kept.iter().any(|earlier| earlier.ends_walk_of(&rule));
            if is_reached {
                kept.push(rule);
            }
        }
        self.rules = kept;
    }
}

impl Rule {
    /// Whether no packet that would match a later rule gets past this one.
    fn ends_walk_of(&self, later: &Self) -> bool {
        let ends = !matches!(
            self.action,
            Action::Deliver { .. } | Action::Mark(_) | Action::RestoreMark
        );
        // The packet's mark may change between the two.
        let is_lasting =
            |condition: &Match| !matches!(condition, Match::MarkIs(_) | Match::MarkIsNot(_));
        let mut conditions = self.matches.iter();
        ends && conditions
            .all(|condition| is_lasting(condition) && later.matches.contains(condition))
    }
}

#[cfg(test)]
mod tests;
