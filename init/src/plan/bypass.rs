//! What would pass by the proxy and is refused instead, on request: QUIC, and IPv6 where it is not captured.

use crate::intent::{Groups, Intent, Ipv6};
use crate::plan::outbound;
use crate::plan::parts::{Sets, base_chain};
use crate::rules::{Action, Chain, ChainName, Family, Interface, Match, Protocol, Reason};

/// The port of HTTP/3.
const QUIC: u16 = 443;

/// QUIC of applications to where their TCP would be captured. Their clients then fall back to TCP at once.
pub(super) fn quic(intent: &Intent, sets: &mut Sets) -> Option<Chain> {
    if !blocks_quic(intent) {
        return None;
    }
    let mut chain = Chain::empty(ChainName::Quic);
    chain.push(
        [Match::Through(Interface::Loopback)],
        Action::Leave,
        Reason::QuicLoopback,
    );
    let leave = |chain: &mut Chain, condition, reason| {
        chain.push([condition], Action::Leave, reason);
    };
    for interface in &intent.excluded_interfaces {
        let through = Match::Through(interface.clone());
        leave(&mut chain, through, Reason::ExcludedInterface);
    }
    for owner in proxy(intent) {
        leave(&mut chain, owner, Reason::Proxy);
    }
    for set in outbound::excluded(intent, sets) {
        leave(&mut chain, Match::DestinationIn(set), Reason::ExcludedRange);
    }
    let owners = match &intent.outbound.groups {
        Groups::Except(groups) => {
            for group in groups {
                let group = Match::Group(group.clone());
                leave(&mut chain, group, Reason::ExcludedGroup);
            }
            vec![None]
        }
        Groups::Only(groups) => groups.iter().cloned().map(Match::Group).map(Some).collect(),
    };
    let anywhere = intent.outbound.include.is_every()
        || intent
            .outbound
            .include_ports
            .iter()
            .any(|ports| ports.contains(&QUIC));
    let destinations = if anywhere {
        vec![None]
    } else {
        let sets = outbound::included(intent, sets);
        sets.into_iter()
            .map(Match::DestinationIn)
            .map(Some)
            .collect()
    };
    for owner in owners {
        for destination in &destinations {
            let matches: Vec<Match> = owner
                .clone()
                .into_iter()
                .chain(destination.clone())
                .collect();
            chain.push(matches, Action::Reject, Reason::QuicBlocked);
        }
    }
    Some(chain)
}

/// What must not leave.
pub(super) fn leaving(intent: &Intent) -> Option<Chain> {
    if intent.ipv6 != Ipv6::Blocked && !blocks_quic(intent) {
        return None;
    }
    let mut chain = if intent.ipv6 == Ipv6::Blocked {
        let mut chain = Chain::empty(ChainName::Leaving);
        ipv6_inside(&mut chain, intent, Match::Through);
        for owner in proxy(intent) {
            let matches = [Match::Family(Family::Ipv6), owner];
            chain.push(matches, Action::Leave, Reason::Proxy);
        }
        refuse_ipv6(&mut chain);
        chain
    } else {
        base_chain(ChainName::Leaving, intent)
    };
    if blocks_quic(intent) {
        chain.push(
            quic_packet(),
            Action::Goto(ChainName::Quic),
            Reason::QuicBlocked,
        );
    }
    Some(chain)
}

/// What must not come in.
pub(super) fn entering(intent: &Intent) -> Option<Chain> {
    if intent.ipv6 != Ipv6::Blocked {
        return None;
    }
    let mut chain = Chain::empty(ChainName::Entering);
    ipv6_inside(&mut chain, intent, Match::From);
    // Answers to the proxy's own connections.
    chain.push(
        [Match::Family(Family::Ipv6), Match::Established],
        Action::Leave,
        Reason::Proxy,
    );
    refuse_ipv6(&mut chain);
    Some(chain)
}

/// QUIC of virtual machines, which passes through.
pub(super) fn passing(intent: &Intent, sets: &mut Sets) -> Option<Chain> {
    if !intent.block_quic || intent.virtual_interfaces.is_empty() {
        return None;
    }
    let mut chain = base_chain(ChainName::Passing, intent);
    for interface in &intent.virtual_interfaces {
        let mut matches = vec![Match::From(interface.clone())];
        matches.extend(quic_packet());
        if intent.outbound.include.is_every() {
            chain.push(matches, Action::Reject, Reason::QuicBlocked);
        } else {
            for set in outbound::included(intent, sets) {
                let mut matches = matches.clone();
                matches.push(Match::DestinationIn(set));
                chain.push(matches, Action::Reject, Reason::QuicBlocked);
            }
        }
    }
    Some(chain)
}

/// Whether there is any QUIC to refuse: a port that is excluded passes by the proxy with TCP as well.
fn blocks_quic(intent: &Intent) -> bool {
    let excluded = &intent.outbound.exclude_ports;
    intent.block_quic && !excluded.iter().any(|ports| ports.contains(&QUIC))
}

/// Answers of a QUIC server go to a client's port, and that may be any.
fn quic_packet() -> Vec<Match> {
    vec![Match::PortIs(Protocol::Udp, QUIC), Match::Original]
}

fn proxy(intent: &Intent) -> impl Iterator<Item = Match> {
    let users = intent.proxy_users.iter().cloned().map(Match::User);
    users.chain(intent.proxy_groups.iter().cloned().map(Match::Group))
}

fn ipv6_inside(chain: &mut Chain, intent: &Intent, at: fn(Interface) -> Match) {
    let ipv6 = Match::Family(Family::Ipv6);
    let matches = [ipv6.clone(), at(Interface::Loopback)];
    chain.push(matches, Action::Leave, Reason::Ipv6Loopback);
    for interface in &intent.excluded_interfaces {
        let matches = [ipv6.clone(), at(interface.clone())];
        chain.push(matches, Action::Leave, Reason::ExcludedInterface);
    }
}

/// ICMPv6 goes on, since without it IPv6 would not even be refused.
fn refuse_ipv6(chain: &mut Chain) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let matches = [Match::Family(Family::Ipv6), Match::Protocol(protocol)];
        chain.push(matches, Action::Reject, Reason::Ipv6Blocked);
    }
}
