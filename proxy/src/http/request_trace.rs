//! The trace that a request belongs to.

use egret_config::snapshot::telemetry::Tracing;
use egret_config::trace::context::TraceContext;

/// The trace of a request under way.
#[derive(Clone, Copy, Debug)]
pub struct RequestTrace<'s> {
    /// How calls are traced.
    pub tracing: &'s Tracing,
    /// The trace.
    pub context: TraceContext,
    /// The span of the request.
    pub span: u64,
    /// Each try has a span of its own: on gateways.
    pub has_try_spans: bool,
}
