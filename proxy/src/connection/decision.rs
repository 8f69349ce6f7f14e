//! Decisions about a connection: asked for, noted, and carried out.

use std::sync::Arc;

use egret_config::decide;
use egret_config::decide::call::{Arrival, ClientHello, Connection, Layer};
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{ConnectionDecision, Refusal, Verdict};
use egret_config::snapshot::Snapshot;

use crate::connection::tcp;
use crate::connection::tcp::UpstreamConnection;
use crate::dice;
use crate::failure::{Cause, Failure};
use crate::http::downstream::DownstreamConnection;
use crate::proxy::Proxy;
use crate::report::facts::{CallProtocol, Facts};
use crate::report::reporter::FactsGuard;

/// Asks what happens to a connection as it came in.
pub(super) fn decide_layer<'s>(
    layer: &Layer,
    arrival: Arrival,
    snapshot: &'s Snapshot,
) -> ConnectionDecision<'s> {
    let call = Connection {
        arrival,
        layer,
        terminated: None,
    };
    decide::connection(snapshot, &call, &mut dice::roll)
}

/// Notes what the connection carries and where it goes. A cluster that does not exist is not named.
pub(super) fn set_decision(
    facts: &mut FactsGuard,
    layer: &Layer,
    decision: &ConnectionDecision<'_>,
) {
    if let Layer::Tls(ClientHello { sni, .. }) = layer {
        facts.protocol = CallProtocol::Tls;
        facts.downstream.requested_server_name.clone_from(sni);
    }
    facts.decision.verdict = OutcomeKind::of_stream(decision);
    facts.set_reasons(&decision.trail);
    facts.decision.cluster = match decision.verdict {
        Verdict::Refuse(Refusal::NoCluster(_)) => None,
        _ => decision.cluster.map(Arc::from),
    };
}

/// Connects to where a verdict for bytes sends them. `name` is the client's SNI.
pub(super) async fn connect_upstream(
    verdict: Verdict<'_>,
    name: Option<&str>,
    downstream: &DownstreamConnection,
    proxy: &Proxy,
    snapshot: &Snapshot,
    facts: &mut Facts,
) -> Result<UpstreamConnection, Failure> {
    match verdict {
        Verdict::Pass => tcp::pass(downstream.arrival, proxy, snapshot, facts).await,
        Verdict::Forward(cluster) => {
            tcp::forward(cluster, downstream, name, proxy, snapshot, facts).await
        }
        Verdict::Refuse(refusal) => Err(refusal.into()),
        Verdict::Http | Verdict::Terminate { .. } => Err(Failure::new(
            Cause::Internal,
            "bytes were decided to be what they are not",
        )),
    }
}
