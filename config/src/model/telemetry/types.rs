//! The settings of a Telemetry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::expression::Expression;
use crate::labels::Labels;
use crate::model::meta::Meta;

/// A Telemetry. Parts that are for calls that arrive (`mode: SERVER`) are left out.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The object.
    pub meta: Arc<Meta>,
    /// `selector.matchLabels`; `None` where it has none, and means its whole namespace.
    pub selector: Option<Labels>,
    /// It has `accessLogging`, of whatever mode.
    pub logs: bool,
    /// `accessLogging`, in order.
    pub access_logging: Vec<AccessLogging>,
    /// `metrics`, in order.
    pub metrics: Vec<Metrics>,
    /// It has `tracing`, of whatever mode.
    pub traces: bool,
    /// `tracing`, in order.
    pub tracing: Vec<Tracing>,
}

/// One of `accessLogging`.
#[derive(Clone, Debug)]
pub struct AccessLogging {
    /// `providers[].name`; empty means those in force.
    pub providers: Vec<Arc<str>>,
    /// `disabled`.
    pub disabled: Option<bool>,
    /// `filter.expression`; `None` logs every call.
    pub filter: Option<Arc<Expression>>,
    /// Its index in the document.
    pub index: usize,
}

/// One of `metrics`.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// `providers[].name`; empty means those in force.
    pub providers: Vec<Arc<str>>,
    /// `overrides`, in order.
    pub overrides: Vec<MetricOverride>,
    /// `reportingInterval`, at least one second.
    pub reporting_interval: Option<Duration>,
    /// Its index in the document.
    pub index: usize,
}

/// One of `overrides`.
#[derive(Clone, Debug)]
pub struct MetricOverride {
    /// `match.metric`; `None` is all of them.
    pub metric: Option<Metric>,
    /// `disabled`.
    pub disabled: Option<bool>,
    /// `tagOverrides`, by name of the label.
    pub tags: BTreeMap<Arc<str>, TagOverride>,
}

/// What becomes of a label of a metric.
#[derive(Clone, Debug)]
pub enum TagOverride {
    /// `REMOVE`: the label is left out, and series that differ in nothing else are one.
    Remove,
    /// `UPSERT`: the label has the value of this expression, `unknown` where it has none.
    Upsert(Arc<Expression>),
}

/// The metrics that Telemetry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// `istio_requests_total`.
    RequestCount,
    /// `istio_request_duration_milliseconds`.
    RequestDuration,
    /// `istio_request_bytes`.
    RequestSize,
    /// `istio_response_bytes`.
    ResponseSize,
    /// `istio_tcp_connections_opened_total`.
    TcpOpenedConnections,
    /// `istio_tcp_connections_closed_total`.
    TcpClosedConnections,
    /// `istio_tcp_sent_bytes_total`.
    TcpSentBytes,
    /// `istio_tcp_received_bytes_total`.
    TcpReceivedBytes,
    /// `istio_request_messages_total`.
    GrpcRequestMessages,
    /// `istio_response_messages_total`.
    GrpcResponseMessages,
}

impl Metric {
    /// All of them; the position of each is its number.
    pub const ALL: [Self; 10] = [
        Self::RequestCount,
        Self::RequestDuration,
        Self::RequestSize,
        Self::ResponseSize,
        Self::TcpOpenedConnections,
        Self::TcpClosedConnections,
        Self::TcpSentBytes,
        Self::TcpReceivedBytes,
        Self::GrpcRequestMessages,
        Self::GrpcResponseMessages,
    ];

    /// The name of the family that is scraped.
    pub const fn family(self) -> &'static str {
        match self {
            Self::RequestCount => "istio_requests_total",
            Self::RequestDuration => "istio_request_duration_milliseconds",
            Self::RequestSize => "istio_request_bytes",
            Self::ResponseSize => "istio_response_bytes",
            Self::TcpOpenedConnections => "istio_tcp_connections_opened_total",
            Self::TcpClosedConnections => "istio_tcp_connections_closed_total",
            Self::TcpSentBytes => "istio_tcp_sent_bytes_total",
            Self::TcpReceivedBytes => "istio_tcp_received_bytes_total",
            Self::GrpcRequestMessages => "istio_request_messages_total",
            Self::GrpcResponseMessages => "istio_response_messages_total",
        }
    }
}

/// One of `tracing`. What is `None` is inherited.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// `providers[0].name`.
    pub provider: Option<Arc<str>>,
    /// `randomSamplingPercentage`, in millionths.
    pub sampling: Option<u32>,
    /// `disableSpanReporting`.
    pub disable_span_reporting: Option<bool>,
    /// `customTags`; empty inherits.
    pub custom_tags: BTreeMap<Arc<str>, CustomTag>,
    /// `enableIstioTags`.
    pub istio_tags: Option<bool>,
    /// `useRequestIdForTraceSampling`.
    pub use_request_id: Option<bool>,
    /// `disableContextPropagation`.
    pub disable_context_propagation: Option<bool>,
    /// Its index in the document.
    pub index: usize,
}

/// The value of a tag that a user adds to spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomTag {
    /// `literal.value`.
    Literal(Arc<str>),
    /// `environment`: an environment variable of the proxy; without it the default, or no tag.
    Environment {
        /// The variable's name.
        name: Arc<str>,
        /// `defaultValue`.
        default: Option<Arc<str>>,
    },
    /// `header`: a header of the request; without it the default, or no tag.
    Header {
        /// The header's name.
        name: HeaderName,
        /// `defaultValue`.
        default: Option<Arc<str>>,
    },
    /// `formatter.value`: a format of the access log.
    Formatter(Arc<str>),
}
