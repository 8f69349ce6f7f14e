//! Spans as OpenTelemetry's protocol has them.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::{QueuedSpan, Span, SpanKind};
use crate::trace::messages;
use crate::trace::messages::{
    AnyValue, ExportTraceServiceRequest, ExportTraceServiceResponse, InstrumentationScope,
    KeyValue, Resource, ResourceSpans, ScopeSpans, Status, Value,
};

/// What the spans are said to come from.
const SCOPE: &str = "egret";

/// The method of gRPC that takes spans.
pub(in crate::trace) const GRPC_PATH: &str =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The length of what stands before a message of gRPC.
const GRPC_PREFIX: usize = 5;

/// The request that carries these spans.
pub(in crate::trace) fn request(
    plan: &SpanPlan,
    spans: &[QueuedSpan],
) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        ("service.name", &*plan.service_name),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", SCOPE),
        ("telemetry.sdk.version", version),
    ];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: resource.map(attribute).into(),
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: SCOPE.to_owned(),
                    version: version.to_owned(),
                }),
                spans: spans.iter().map(|queued| span(&queued.span)).collect(),
            }],
        }],
    }
}

/// The body of a call of gRPC with this message.
pub(in crate::trace) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut body = BytesMut::with_capacity(GRPC_PREFIX + length);
    // Not compressed.
    body.put_u8(0);
    body.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    body.put_slice(&message.encode_to_vec());
    body.freeze()
}

/// How many spans the collector refused, by its answer; `framed` is as gRPC has it. An answer that cannot be read says
/// nothing.
pub(in crate::trace) fn rejected(body: &[u8], framed: bool) -> u64 {
    let message = match framed {
        true => body.get(GRPC_PREFIX..).unwrap_or_default(),
        false => body,
    };
    let response = ExportTraceServiceResponse::decode(message).unwrap_or_default();
    let rejected = response
        .partial_success
        .map(|partial| partial.rejected_spans);
    u64::try_from(rejected.unwrap_or_default()).unwrap_or_default()
}

fn span(span: &Span) -> messages::Span {
    let parent = span.parent.map(|parent| parent.to_be_bytes().to_vec());
    messages::Span {
        trace_id: span.trace_id.to_be_bytes().to_vec(),
        span_id: span.span_id.to_be_bytes().to_vec(),
        trace_state: span.trace_state.as_str().to_owned(),
        parent_span_id: parent.unwrap_or_default(),
        name: span.name.to_string(),
        kind: match span.kind {
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        start_time_unix_nano: nanoseconds(span.start),
        end_time_unix_nano: nanoseconds(span.end),
        attributes: span.attributes.iter().map(attribute).collect(),
        status: span.error.then_some(Status { code: 2 }),
    }
}

fn attribute((name, value): (&str, &str)) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::String(value.to_owned())),
        }),
    }
}

fn nanoseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
