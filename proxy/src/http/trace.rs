//! The trace of a request: whether it is sampled, its ids, and the headers by which the upstream knows it.

use egret_config::decide::verdict::RequestDecision;
use egret_config::header_names::{FORWARDED_PROTO, REQUEST_ID};
use egret_config::snapshot::workload::Mode;
use egret_config::trace::context::TraceContext;
use egret_config::trace::decision::is_sampled;
use egret_config::trace::incoming::Incoming;
use egret_config::trace::request_id;
use http::HeaderMap;
use tokio::time::Instant;

use crate::dice;
use crate::http::attempt::{AttemptError, UpstreamResponse};
use crate::http::downstream::ExchangeContext;
use crate::http::outgoing::Outgoing;
use crate::http::request_trace::RequestTrace;
use crate::report::facts::{SpanIds, TraceFacts, TracedHeaders, TryFacts};

/// Decides whether a request is sampled, and gives it a span. Nothing happens where calls are not traced.
pub fn begin(
    outgoing: &mut Outgoing,
    decision: &RequestDecision<'_>,
    context: &mut ExchangeContext<'_>,
) {
    let Some(tracing) = &context.snapshot.telemetry.tracing else {
        return;
    };
    let headers = &mut outgoing.parts.headers;
    let incoming = Incoming::of(headers);
    let sampled = is_sampled(&incoming, headers, tracing.sampling(), dice::number());
    let fresh = u128::from(id()) << 64 | u128::from(id());
    let trace = TraceContext::new(&incoming, tracing.propagation(), sampled, fresh);
    let span = id();
    context.facts.span = Some(SpanIds {
        trace: trace.trace_id,
        span,
    });
    if sampled {
        if tracing.use_request_id && tracing.context_propagation {
            mark(headers, context);
        }
        let scheme = headers
            .get(FORWARDED_PROTO)
            .and_then(|scheme| scheme.to_str().ok());
        context.facts.trace = Some(Box::new(TraceFacts {
            parent: trace.parent,
            name: match &decision.operation {
                Some(operation) => operation.to_string().into(),
                None => format!("egress {}", outgoing.authority.to_str().unwrap_or("-")).into(),
            },
            scheme: scheme
                .unwrap_or(context.downstream.downstream().scheme())
                .into(),
            headers: TracedHeaders::of(headers, tracing),
            ..TraceFacts::default()
        }));
    }
    context.trace = Some(RequestTrace {
        tracing,
        context: trace,
        span,
        has_try_spans: context.snapshot.workload.mode == Mode::Gateway,
    });
}

/// Marks `x-request-id` as that of a sampled call.
fn mark(headers: &mut HeaderMap, context: &mut ExchangeContext<'_>) {
    if let Some(id) = headers.get(REQUEST_ID).and_then(request_id::marked) {
        context.facts.request.request_id = Some(id.clone());
        headers.insert(REQUEST_ID, id);
    }
}

/// Writes the headers by which the upstream and mirrors know the request. To be called once the route's own changes are
/// made.
pub fn propagate(headers: &mut HeaderMap, context: &mut ExchangeContext<'_>) {
    let Some(trace) = &context.trace else { return };
    if trace.tracing.context_propagation {
        trace.context.write(trace.span, headers);
    }
    if let Some(facts) = &mut context.facts.trace {
        facts.headers = TracedHeaders::of(headers, trace.tracing);
    }
}

/// Begins a try, whose headers are these: where tries have spans, the upstream knows that of the try.
pub fn begin_try(headers: &mut HeaderMap, context: &mut ExchangeContext<'_>) {
    let Some(trace) = context.trace.filter(|trace| trace.has_try_spans) else {
        return;
    };
    let span = id();
    if trace.tracing.context_propagation {
        trace.context.child_of(trace.span).write(span, headers);
    }
    let attempt = context.facts.attempts.iter().count();
    if let Some(facts) = &mut context.facts.trace {
        facts.tries.push(TryFacts {
            span,
            began: Instant::now(),
            ended: None,
            attempt: Some(attempt),
            code: None,
            failure: None,
        });
    }
}

/// Notes what came of a try, and ends it, unless its response is the one that the client gets.
pub fn end_try(
    outcome: &Result<UpstreamResponse, AttemptError>,
    is_last: bool,
    context: &mut ExchangeContext<'_>,
) {
    let facts = &mut **context.facts;
    let Some(one) = facts
        .trace
        .as_mut()
        .and_then(|trace| trace.tries.last_mut())
    else {
        return;
    };
    let made = facts.attempts.iter().count();
    one.attempt = one.attempt.filter(|attempt| *attempt < made);
    match outcome {
        Ok(reply) => one.code = Some(reply.response.status()),
        Err(failed) => one.failure = Some(failed.failure.details()),
    }
    if !is_last || outcome.is_err() {
        one.ended = Some(Instant::now());
    }
}

/// The id of a new span, which is not zero.
fn id() -> u64 {
    dice::number().max(1)
}
