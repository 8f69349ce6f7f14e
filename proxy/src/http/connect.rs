//! CONNECT, which is refused.

use egret_config::decide;
use egret_config::decide::outcome::OutcomeKind;
use egret_config::decide::verdict::{Refusal, RequestVerdict};
use http::request::Parts;
use tracing::debug;

use crate::client::body::Received;
use crate::failure::{Cause, Failure};
use crate::http::downstream::ExchangeContext;
use crate::report::call_destination::CallDestination;

/// What `explain` and the log say of a CONNECT that no route allows.
pub const NO_ROUTE: &str = "no route allows CONNECT";

/// The failure of a CONNECT. Its message for the client names the entry that registers the called proxy, which the
/// client knows.
pub fn refuse(parts: &Parts, context: &mut ExchangeContext<'_>) -> Failure {
    // What a client sends behind its CONNECT is for the other side, and is not read.
    context.received = Received::begin();
    let downstream = context.downstream.downstream();
    let decision = decide::connect(context.snapshot, &downstream, &parts.uri, &parts.headers);
    context.facts.decision.route.clone_from(&decision.route);
    let is_unknown = matches!(decision.verdict, RequestVerdict::Refuse(Refusal::Blackhole));
    context.facts.decision.verdict = Some(match is_unknown {
        true => OutcomeKind::Blackhole,
        false => OutcomeKind::NotFound,
    });
    context.facts.set_reasons(&decision.trail);
    debug!(destination = %CallDestination(&context.facts), reasons = %decision.trail, "CONNECT decided");
    if !is_unknown {
        return Failure::new(Cause::Refused(Refusal::NoRoute), NO_ROUTE);
    }
    let to = downstream.arrival.original_dst;
    Failure::from(Refusal::Blackhole).with_client_message(format!(
        "no service is registered for the proxy {to} and the outbound policy is REGISTRY_ONLY; a ServiceEntry with address \
         {} and port {} of protocol TCP allows it",
        to.ip(),
        to.port(),
    ))
}
