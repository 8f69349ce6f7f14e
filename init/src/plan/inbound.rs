//! Connections arriving here: which are captured.

use crate::intent::{Inbound, Intent, Mode};
use crate::plan::outbound;
use crate::plan::parts::{Sets, base_chain};
use crate::rules::{Action, Chain, ChainName, Elements, Match, Protocol, Reason, SetName};

/// What arrives, from virtual machines as from elsewhere.
pub(super) fn prerouting(intent: &Intent, sets: &mut Sets) -> Chain {
    let mut chain = base_chain(ChainName::Prerouting, intent);
    // All captures come before the first exit, so that they also beat an excluded interface.
    virtual_captures(&mut chain, intent, sets);
    for interface in &intent.virtual_interfaces {
        chain.push(
            [Match::From(interface.clone())],
            Action::Leave,
            Reason::VirtualInterfaceRest,
        );
    }
    for interface in &intent.excluded_interfaces {
        chain.push(
            [Match::From(interface.clone())],
            Action::Leave,
            Reason::ExcludedInterface,
        );
    }
    // In TPROXY mode `plan::tproxy` captures, and the tunnel port with all others.
    if intent.mode != Mode::Redirect {
        return chain;
    }
    if intent.inbound != Inbound::Nothing {
        chain.push(
            [Match::PortIs(Protocol::Tcp, intent.tunnel_port)],
            Action::Leave,
            Reason::Tunnel,
        );
    }
    let capture = Action::Redirect(intent.inbound_port);
    match &intent.inbound {
        Inbound::Nothing => {}
        Inbound::Except(ports) => {
            if sets.add(SetName::InboundExcludePorts, Elements::Ports(ports.clone())) {
                let matches = [Match::PortIn(Protocol::Tcp, SetName::InboundExcludePorts)];
                chain.push(matches, Action::Leave, Reason::ExcludedInboundPort);
            }
            chain.push(
                [Match::Protocol(Protocol::Tcp)],
                capture,
                Reason::AllInbound,
            );
        }
        Inbound::Only(ports) => {
            if sets.add(SetName::InboundIncludePorts, Elements::Ports(ports.clone())) {
                let matches = [Match::PortIn(Protocol::Tcp, SetName::InboundIncludePorts)];
                chain.push(matches, capture, Reason::IncludedInboundPort);
            }
        }
    }
    chain
}

fn virtual_captures(chain: &mut Chain, intent: &Intent, sets: &mut Sets) {
    let capture = Action::Redirect(intent.outbound_port);
    for interface in &intent.virtual_interfaces {
        let from = Match::From(interface.clone());
        if intent.outbound.include.is_every() {
            chain.push(
                [from, Match::Protocol(Protocol::Tcp)],
                capture,
                Reason::VirtualInterfaceAll,
            );
        } else {
            for set in outbound::included(intent, sets) {
                let matches = [
                    from.clone(),
                    Match::Protocol(Protocol::Tcp),
                    Match::DestinationIn(set),
                ];
                chain.push(matches, capture, Reason::VirtualInterfaceRange);
            }
        }
    }
}
