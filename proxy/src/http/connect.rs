//! CONNECT, which is refused.

use egret_config::decide;
use egret_config::decide::normalize::downstream::Downstream;
use egret_config::decide::verdict::{Refusal, RequestVerdict};
use egret_config::snapshot::Snapshot;
use http::request::Parts;

use crate::client::body::Received;
use crate::failure::{Cause, Failure};
use crate::http::downstream::ExchangeContext;

/// What `explain` and the log say of a CONNECT that no route allows.
pub const NO_ROUTE: &str = "no route allows CONNECT";

/// Why a CONNECT is refused. The caller is told which entry registers the proxy that it called: it knows the address.
pub fn refuse(
    parts: &Parts,
    downstream: &Downstream<'_>,
    snapshot: &Snapshot,
    told: &mut ExchangeContext<'_>,
) -> Failure {
    // What a client sends behind its CONNECT is for the other side, and read by nobody.
    told.received = Received::begin();
    let decision = decide::connect(snapshot, downstream, &parts.uri, &parts.headers);
    told.facts.decision.route.clone_from(&decision.route);
    told.facts.set_reasons(&decision.trail);
    if !matches!(decision.verdict, RequestVerdict::Refuse(Refusal::Blackhole)) {
        return Failure::new(Cause::Refused(Refusal::NoRoute), NO_ROUTE);
    }
    let to = downstream.arrival.original_dst;
    Failure::from(Refusal::Blackhole).telling(format!(
        "no service is registered for the proxy {to} and the outbound policy is REGISTRY_ONLY; a ServiceEntry with address \
         {} and port {} of protocol TCP allows it",
        to.ip(),
        to.port(),
    ))
}
