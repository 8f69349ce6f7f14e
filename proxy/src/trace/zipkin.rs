//! Spans as Zipkin's JSON has them (version 2).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::{QueuedSpan, Span, SpanKind};

/// A list of these spans.
pub(in crate::trace) fn body(plan: &SpanPlan, spans: &[QueuedSpan]) -> Vec<u8> {
    let spans = spans.iter().map(|queued| span(plan, &queued.span));
    Value::Array(spans.collect()).to_string().into_bytes()
}

fn span(plan: &SpanPlan, span: &Span) -> Value {
    // An id of 64 bits is shorter.
    let trace = match u64::try_from(span.trace_id) {
        Ok(short) => format!("{short:016x}"),
        Err(_) => format!("{:032x}", span.trace_id),
    };
    let start = microseconds(span.start);
    let tags = span.attributes.iter();
    let tags: Map<String, Value> = tags
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let mut shown = json!({
        "traceId": trace,
        "id": format!("{:016x}", span.span_id),
        "name": *span.name,
        "kind": match span.kind {
            SpanKind::Server => "SERVER",
            SpanKind::Client => "CLIENT",
        },
        "timestamp": start,
        // Zipkin takes 0 for unknown.
        "duration": microseconds(span.end).saturating_sub(start).max(1),
        "localEndpoint": {"serviceName": *plan.service_name},
        "tags": tags,
    });
    if let Some(parent) = span.parent {
        shown["parentId"] = format!("{parent:016x}").into();
    }
    shown
}

fn microseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
