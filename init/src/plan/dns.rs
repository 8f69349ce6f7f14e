//! DNS: questions to name servers go to the proxy, and both halves of a question have their own conntrack zone.
//!
//! Without zones, an application and the proxy that ask the same server from the same source port would share one
//! tracked connection: the proxy's question would come back to itself, or the application's would escape.

use egret_config::port::well_known;

use crate::intent::{Dns, Intent, Ipv6};
use crate::plan::parts::{Sets, base_chain};
use crate::rules::{Action, Chain, ChainName, Elements, Match, Protocol, Reason, SetName};

/// The port of DNS.
pub(super) const PORT: u16 = 53;

/// Where the proxy answers DNS, over TCP and UDP.
pub const LISTENER: u16 = well_known::DNS;

/// The proxy's questions to name servers, and the servers' answers.
const UPSTREAM: u16 = 1;

/// The applications' questions, and the proxy's answers.
const DOWNSTREAM: u16 = 2;

/// Captures the questions.
pub(super) fn capture(chain: &mut Chain, intent: &Intent, sets: &mut Sets) {
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for servers in servers(intent, sets) {
            let mut matches = vec![Match::PortIs(protocol, PORT)];
            matches.extend(servers.map(Match::DestinationIn));
            chain.push(matches, Action::Redirect(LISTENER), Reason::Dns);
        }
    }
}

/// The zones of what is sent. The first rule that names a zone decides.
pub(super) fn zones_output(intent: &Intent, sets: &mut Sets) -> Option<Chain> {
    let mut chain = base_chain(ChainName::ZonesOutput, intent);
    let question = Match::PortIs(Protocol::Udp, PORT);
    let users = intent.proxy_users.iter().cloned().map(Match::User);
    let groups = intent.proxy_groups.iter().cloned().map(Match::Group);
    for owner in users.chain(groups) {
        chain.push(
            [question.clone(), owner.clone()],
            Action::Zone(UPSTREAM),
            Reason::ProxyQuestion,
        );
        chain.push(
            [Match::SourcePortIs(Protocol::Udp, LISTENER), owner],
            Action::Zone(DOWNSTREAM),
            Reason::ProxyAnswer,
        );
    }
    for servers in servers(intent, sets) {
        let mut matches = vec![question.clone()];
        matches.extend(servers.map(Match::DestinationIn));
        chain.push(matches, Action::Zone(DOWNSTREAM), Reason::AppQuestion);
    }
    intent.dns.is_captured().then_some(chain)
}

/// The zones of what arrives.
pub(super) fn zones_prerouting(intent: &Intent, sets: &mut Sets) -> Option<Chain> {
    let mut chain = base_chain(ChainName::ZonesPrerouting, intent);
    let servers = servers(intent, sets);
    let is_needed = !servers.is_empty();
    for servers in servers {
        let mut matches = vec![Match::SourcePortIs(Protocol::Udp, PORT)];
        matches.extend(servers.map(Match::SourceIn));
        chain.push(matches, Action::Zone(UPSTREAM), Reason::ServerAnswer);
    }
    is_needed.then_some(chain)
}

/// The servers to which queries are captured, one entry for each rule: a set of them, or all.
fn servers(intent: &Intent, sets: &mut Sets) -> Vec<Option<SetName>> {
    match &intent.dns {
        Dns::Off | Dns::NoServers => Vec::new(),
        Dns::Every => vec![None],
        Dns::Servers { ipv4, ipv6 } => {
            let mut used = Vec::new();
            if sets.add(SetName::DnsServersIpv4, Elements::Ipv4(ipv4.clone())) {
                used.push(Some(SetName::DnsServersIpv4));
            }
            if intent.ipv6 == Ipv6::On
                && sets.add(SetName::DnsServersIpv6, Elements::Ipv6(ipv6.clone()))
            {
                used.push(Some(SetName::DnsServersIpv6));
            }
            used
        }
    }
}
