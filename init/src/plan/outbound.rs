//! Connections made here: which are captured.

use egret_config::cidr::CidrSet;

use crate::intent::{Groups, Intent, Ipv6};
use crate::plan::dns;
use crate::plan::parts::{Sets, base_chain, localhosts, pass_through};
use crate::rules::{
    Action, Chain, ChainName, Elements, Interface, Match, Owner, Protocol, Reason, SetName,
};

/// Who is left alone; everything else goes on to [`outbound`].
pub(super) fn output(intent: &Intent, sets: &mut Sets) -> Chain {
    let mut chain = base_chain(ChainName::Output, intent);
    for interface in &intent.excluded_interfaces {
        chain.push(
            [Match::Through(interface.clone())],
            Action::Leave,
            Reason::ExcludedInterface,
        );
    }
    // Before everything else, so that a port listed here is not even redirected on the proxy's calls to itself.
    if sets.add(
        SetName::OutboundExcludePorts,
        Elements::Ports(intent.outbound.exclude_ports.clone()),
    ) {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let matches = [Match::PortIn(protocol, SetName::OutboundExcludePorts)];
            chain.push(matches, Action::Leave, Reason::ExcludedOutboundPort);
        }
    }
    for source in pass_through(intent) {
        let matches = [Match::Through(Interface::Loopback), Match::Source(source)];
        chain.push(matches, Action::Leave, Reason::PassThrough);
    }
    let users = intent.proxy_users.iter().cloned().map(Match::User);
    let groups = intent.proxy_groups.iter().cloned().map(Match::Group);
    let owners: Vec<Match> = users.chain(groups).collect();
    if intent.equal_owners {
        for owner in &owners {
            self_calls(&mut chain, intent, owner);
        }
        for owner in &owners {
            chain.push([owner.clone()], Action::Leave, Reason::Proxy);
        }
        local_calls(&mut chain, intent);
    } else {
        // The exit for local calls means "not this owner", since the rule before took the owner's packets. A
        // negated owner match would miss packets without a socket, which istio-iptables leaves alone. It also hides the
        // self-call rules of all later owners.
        for owner in &owners {
            self_calls(&mut chain, intent, owner);
            chain.push([owner.clone()], Action::Leave, Reason::Proxy);
            local_calls(&mut chain, intent);
        }
    }
    by_group(&mut chain, &intent.outbound.groups);
    chain
}

/// The application called its own service: the proxy's outbound side must reach its own inbound side.
fn self_calls(chain: &mut Chain, intent: &Intent, owner: &Match) {
    // The proxy's DNS questions to a server of this pod go to the server; istio-iptables does so for users only.
    let spares_dns = matches!(owner, Match::User(_)) || intent.equal_owners;
    for localhost in localhosts(intent) {
        let mut matches = vec![
            Match::Through(Interface::Loopback),
            Match::DestinationOutside(localhost),
            Match::PortIsNot(Protocol::Tcp, intent.tunnel_port),
        ];
        if spares_dns && intent.dns.is_captured() {
            matches.push(Match::PortIsNot(Protocol::Tcp, dns::PORT));
        }
        matches.push(owner.clone());
        chain.push(
            matches,
            Action::Redirect(intent.inbound_port),
            Reason::SelfCall,
        );
    }
}

/// The application calls itself, unless calls to localhost are captured too.
fn local_calls(chain: &mut Chain, intent: &Intent) {
    if intent.outbound.include.names_loopback() {
        return;
    }
    let mut matches = vec![Match::Through(Interface::Loopback)];
    // DNS servers may be on this host, and questions to them are captured further down.
    if intent.dns.is_captured() {
        matches.push(Match::PortIsNot(Protocol::Tcp, dns::PORT));
    }
    chain.push(matches, Action::Leave, Reason::LocalCall);
}

/// Sends on the connections that may be captured.
fn by_group(chain: &mut Chain, groups: &Groups) {
    let group = |group: &Owner| [Match::Group(group.clone())];
    let go_on = Action::Goto(ChainName::Outbound);
    match groups {
        Groups::Except(excluded) => {
            for excluded in excluded {
                chain.push(group(excluded), Action::Leave, Reason::ExcludedGroup);
            }
            chain.push([], go_on, Reason::AllGroups);
        }
        Groups::Only(included) => {
            for included in included {
                chain.push(group(included), go_on, Reason::IncludedGroup);
            }
        }
    }
}

/// Which destinations are captured.
pub(super) fn outbound(intent: &Intent, sets: &mut Sets) -> Chain {
    let mut chain = Chain::empty(ChainName::Outbound);
    dns::capture(&mut chain, intent, sets);
    let capture = Action::Redirect(intent.outbound_port);
    for localhost in localhosts(intent) {
        chain.push(
            [Match::Destination(localhost)],
            Action::Leave,
            Reason::Localhost,
        );
    }
    for set in excluded(intent, sets) {
        chain.push(
            [Match::DestinationIn(set)],
            Action::Leave,
            Reason::ExcludedRange,
        );
    }
    if sets.add(
        SetName::OutboundIncludePorts,
        Elements::Ports(intent.outbound.include_ports.clone()),
    ) {
        let matches = [Match::PortIn(Protocol::Tcp, SetName::OutboundIncludePorts)];
        chain.push(matches, capture, Reason::IncludedOutboundPort);
    }
    if intent.outbound.include.is_every() {
        chain.push(
            [Match::Protocol(Protocol::Tcp)],
            capture,
            Reason::AllOutbound,
        );
    }
    for set in included(intent, sets) {
        chain.push(
            [Match::Protocol(Protocol::Tcp), Match::DestinationIn(set)],
            capture,
            Reason::IncludedRange,
        );
    }
    chain
}

/// The sets of the ranges not to capture, of the families that are on.
pub(super) fn excluded(intent: &Intent, sets: &mut Sets) -> Vec<SetName> {
    ranges(
        intent,
        sets,
        &intent.outbound.exclude,
        (SetName::OutboundExcludeIpv4, SetName::OutboundExcludeIpv6),
    )
}

/// The sets of the ranges to capture, of the families that are on.
pub(super) fn included(intent: &Intent, sets: &mut Sets) -> Vec<SetName> {
    ranges(
        intent,
        sets,
        &intent.outbound.include,
        (SetName::OutboundIncludeIpv4, SetName::OutboundIncludeIpv6),
    )
}

fn ranges(
    intent: &Intent,
    sets: &mut Sets,
    ranges: &CidrSet,
    (ipv4, ipv6): (SetName, SetName),
) -> Vec<SetName> {
    let mut used = Vec::new();
    if sets.add(ipv4, Elements::Ipv4(ranges.ipv4())) {
        used.push(ipv4);
    }
    if intent.ipv6 == Ipv6::On && sets.add(ipv6, Elements::Ipv6(ranges.ipv6())) {
        used.push(ipv6);
    }
    used
}
