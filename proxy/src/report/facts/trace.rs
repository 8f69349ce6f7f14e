//! The facts about a call that is traced.

use std::borrow::Cow;
use std::sync::Arc;

use egret_config::header_names::{CLIENT_TRACE_ID, DOWNSTREAM_CLUSTER, GRPC_TIMEOUT, TRACESTATE};
use egret_config::model::telemetry::CustomTag;
use egret_config::snapshot::telemetry::Tracing;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::Instant;

/// The ids of a call's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// Of the trace.
    pub trace: u128,
    /// Of the span.
    pub span: u64,
}

/// Facts that only the span of a sampled call has.
#[derive(Clone, Debug, Default)]
pub struct TraceFacts {
    /// The span that is its parent.
    pub parent: Option<u64>,
    /// Its name.
    pub name: Box<str>,
    /// The scheme of the request.
    pub scheme: Box<str>,
    /// Headers of the request for the span.
    pub headers: TracedHeaders,
    /// `grpc-message` of the response.
    pub grpc_message: Option<HeaderValue>,
    /// The tries that have spans of their own.
    pub tries: Vec<TryFacts>,
}

/// Headers of a request for its span.
#[derive(Clone, Debug, Default)]
pub struct TracedHeaders {
    /// `x-client-trace-id`.
    pub client_trace_id: Option<HeaderValue>,
    /// `x-envoy-downstream-service-cluster`.
    pub downstream_cluster: Option<HeaderValue>,
    /// `content-type`.
    pub content_type: Option<HeaderValue>,
    /// `grpc-timeout`.
    pub grpc_timeout: Option<HeaderValue>,
    /// `tracestate`.
    pub tracestate: Option<HeaderValue>,
    /// Tags that the user takes from headers, by name; without those whose header is missing.
    pub tags: Vec<(Arc<str>, HeaderValue)>,
}

/// A try that has a span of its own.
#[derive(Clone, Debug)]
pub struct TryFacts {
    /// The span.
    pub span: u64,
    /// When the try began.
    pub began: Instant,
    /// When it ended; `None` if it ended with the call.
    pub ended: Option<Instant>,
    /// Its place among the attempts of the call; `None` where no endpoint was found.
    pub attempt: Option<usize>,
    /// The status of the response.
    pub code: Option<StatusCode>,
    /// Why it failed.
    pub failure: Option<Cow<'static, str>>,
}

impl TracedHeaders {
    /// Those of a request, as it is sent upstream.
    pub fn of(headers: &HeaderMap, tracing: &Tracing) -> Self {
        let tags = tracing.custom_tags.iter().filter_map(|(tag, from)| {
            let CustomTag::Header { name, .. } = from else {
                return None;
            };
            Some((Arc::clone(tag), headers.get(name)?.clone()))
        });
        Self {
            client_trace_id: headers.get(CLIENT_TRACE_ID).cloned(),
            downstream_cluster: headers.get(DOWNSTREAM_CLUSTER).cloned(),
            content_type: headers.get(CONTENT_TYPE).cloned(),
            grpc_timeout: headers.get(GRPC_TIMEOUT).cloned(),
            tracestate: headers.get(TRACESTATE).cloned(),
            tags: tags.collect(),
        }
    }
}
