//! Every arriving packet: what is dropped and, in TPROXY mode, what is delivered to the proxy with its addresses intact.
//!
//! In that mode the proxy calls the application from the client's address. The packet mark (SO_MARK) keeps such connections apart: a packet
//! with the inbound mark is routed to this host whatever its destination, and a connection with the mark gives it to
//! the application's answers, which so come back to the proxy.

use crate::intent::{Inbound, Intent, Mode};
use crate::plan::parts::{Sets, base_chain, localhosts, pass_through};
use crate::rules::{
    Action, Chain, ChainName, Elements, Interface, Match, Protocol, Reason, SetName,
};

/// The mark of packets that the proxy sends to a service of its own pod.
pub(super) const SELF_CALL_MARK: u32 = 1338;

/// What arrives.
pub(super) fn arriving(intent: &Intent, sets: &mut Sets) -> Option<Chain> {
    let mut chain = base_chain(ChainName::Arriving, intent);
    if intent.mode != Mode::Redirect {
        for interface in &intent.excluded_interfaces {
            chain.push(
                [Match::From(interface.clone())],
                Action::Leave,
                Reason::ExcludedInterface,
            );
        }
    }
    // Otherwise it would be answered with a reset, which ends a connection that is only out of step.
    if intent.drop_invalid {
        chain.push([Match::Invalid], Action::Drop, Reason::Invalid);
    }
    if let Mode::Tproxy { mark, .. } = intent.mode {
        let tcp = Match::Protocol(Protocol::Tcp);
        chain.push(
            [tcp.clone(), Match::MarkIs(mark)],
            Action::SaveMark,
            Reason::AlreadyMarked,
        );
        if intent.inbound != Inbound::Nothing {
            for source in pass_through(intent) {
                let matches = [
                    tcp.clone(),
                    Match::From(Interface::Loopback),
                    Match::Source(source),
                ];
                chain.push(matches, Action::Leave, Reason::PassThrough);
            }
            let matches = [
                tcp,
                Match::From(Interface::Loopback),
                Match::MarkIsNot(SELF_CALL_MARK),
            ];
            chain.push(matches, Action::Leave, Reason::LoopbackUnmarked);
            deliver(&mut chain, intent, sets, mark);
        }
    }
    (intent.drop_invalid || intent.mode != Mode::Redirect).then_some(chain)
}

/// Hands connections to the proxy.
fn deliver(chain: &mut Chain, intent: &Intent, sets: &mut Sets, mark: u32) {
    let (ports, reason) = match &intent.inbound {
        Inbound::Nothing => return,
        Inbound::Except(ports) => {
            if sets.add(SetName::InboundExcludePorts, Elements::Ports(ports.clone())) {
                let matches = [Match::PortIn(Protocol::Tcp, SetName::InboundExcludePorts)];
                chain.push(matches, Action::Leave, Reason::ExcludedInboundPort);
            }
            (Match::Protocol(Protocol::Tcp), Reason::AllInbound)
        }
        Inbound::Only(ports) => {
            if !sets.add(SetName::InboundIncludePorts, Elements::Ports(ports.clone())) {
                return;
            }
            let listed = Match::PortIn(Protocol::Tcp, SetName::InboundIncludePorts);
            (listed, Reason::IncludedInboundPort)
        }
    };
    chain.push(
        [ports.clone(), Match::Established],
        Action::Divert(mark),
        Reason::EstablishedInbound,
    );
    let port = intent.inbound_port;
    for localhost in localhosts(intent) {
        let matches = [ports.clone(), Match::DestinationOutside(localhost)];
        chain.push(matches.clone(), Action::Deliver { port, mark }, reason);
        // iptables drops what it cannot deliver. Passing it on would let clients talk to the application directly while
        // the proxy starts.
        chain.push(matches, Action::Drop, Reason::NoListener);
    }
}

/// What is sent: marks that route it.
pub(super) fn marking(intent: &Intent) -> Option<Chain> {
    let Mode::Tproxy { mark, .. } = intent.mode else {
        return None;
    };
    let mut chain = base_chain(ChainName::Marking, intent);
    for interface in &intent.excluded_interfaces {
        chain.push(
            [Match::Through(interface.clone())],
            Action::Leave,
            Reason::ExcludedInterface,
        );
    }
    let tcp = Match::Protocol(Protocol::Tcp);
    let through_loopback = Match::Through(Interface::Loopback);
    chain.push(
        [tcp.clone(), through_loopback.clone(), Match::MarkIs(mark)],
        Action::Leave,
        Reason::MarkedLeaving,
    );
    let users = intent.proxy_users.iter().cloned().map(Match::User);
    let groups = intent.proxy_groups.iter().cloned().map(Match::Group);
    for owner in users.chain(groups) {
        for localhost in localhosts(intent) {
            let matches = [
                tcp.clone(),
                through_loopback.clone(),
                Match::DestinationOutside(localhost),
                owner.clone(),
            ];
            chain.push(matches, Action::Mark(SELF_CALL_MARK), Reason::MarkSelfCall);
        }
    }
    chain.push(
        [tcp, Match::ConnectionMarkIs(mark)],
        Action::RestoreMark,
        Reason::RestoreMark,
    );
    Some(chain)
}
