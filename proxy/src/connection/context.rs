//! The context of a connection during its decision.

use std::sync::Arc;

use egret_config::decide;
use egret_config::decide::call::{ClientHello, Connection, Layer, Terminated};
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{ConnectionDecision, Refusal, Verdict};
use egret_config::snapshot::Snapshot;
use tracing::debug;

use crate::dice;
use crate::http::downstream::DownstreamConnection;
use crate::proxy::Proxy;
use crate::report::call_destination::CallDestination;
use crate::report::facts::CallProtocol;
use crate::report::reporter::FactsGuard;

/// The context of a connection during its decision. It is dropped before the connection is relayed or carries requests.
/// That may last for days, so no part of the configuration is kept.
#[derive(Debug)]
pub struct ConnectionContext<'c> {
    /// The client's side.
    pub downstream: DownstreamConnection,
    /// The configuration that decides.
    pub snapshot: &'c Snapshot,
    /// The handles of this worker.
    pub proxy: &'c Proxy,
    /// The facts of the connection.
    pub facts: &'c mut FactsGuard,
}

impl<'c> ConnectionContext<'c> {
    /// The decision for the connection as it was accepted, or for the stream inside its terminated TLS.
    pub(in crate::connection) fn decide(
        &self,
        layer: &Layer,
        terminated: Option<&Terminated>,
    ) -> ConnectionDecision<'c> {
        let call = Connection {
            arrival: self.downstream.arrival,
            layer,
            terminated,
        };
        decide::connection(self.snapshot, &call, &mut dice::roll)
    }

    /// Notes that the connection carries HTTP.
    pub(in crate::connection) fn set_http(&mut self) {
        let port = self.downstream.arrival.original_dst.port();
        let counters = self.proxy.shard.downstream.http(port);
        self.facts.downstream.http = Some(counters);
    }

    /// Notes what the connection carries and where it goes. A cluster that does not exist is not named.
    pub(in crate::connection) fn set_decision(
        &mut self,
        layer: &Layer,
        decision: &ConnectionDecision<'_>,
    ) {
        let facts = &mut *self.facts;
        if let Layer::Tls(ClientHello { sni, .. }) = layer {
            facts.protocol = CallProtocol::Tls;
            facts.downstream.requested_server_name.clone_from(sni);
        }
        facts.decision.verdict = OutcomeKind::of_stream(decision);
        facts.set_reasons(&decision.trail);
        if let Some(verdict) = facts.decision.verdict {
            debug!(
                destination = %CallDestination(facts),
                verdict = verdict.name(),
                reasons = %decision.trail,
                "connection decided"
            );
        }
        facts.decision.cluster = match decision.verdict {
            Verdict::Refuse(Refusal::NoCluster(_)) => None,
            _ => decision.cluster.map(Arc::from),
        };
    }
}
