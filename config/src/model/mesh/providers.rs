//! `extensionProviders` and `defaultProviders`: where logs, metrics and spans can go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One of `extensionProviders`.
#[derive(Clone, Debug)]
pub struct ExtensionProvider {
    /// `name`, which Telemetry and `defaultProviders` use.
    pub name: Arc<str>,
    /// What it is.
    pub kind: ProviderKind,
}

/// What a provider is.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// `envoyFileAccessLog`.
    AccessLogFile(AccessLogFile),
    /// `opentelemetry` or `zipkin`.
    Tracer(Tracer),
    /// `prometheus`.
    Prometheus,
    /// A kind that egret does not support, by its name in MeshConfig; empty where it has none.
    Unsupported(&'static str),
}

/// A file that access-log lines are written to.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessLogFile {
    /// The path.
    pub path: Arc<str>,
    /// What a line is; `None` where nothing is written about it.
    pub format: Option<FormatSource>,
    /// `omitEmptyValues`: what has no value is left out.
    pub omit_empty: bool,
}

/// What a line of the access log is, as a user wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum FormatSource {
    /// Istio's default text.
    DefaultText,
    /// Istio's default keys, as JSON.
    DefaultJson,
    /// A format. It may lack the newline at its end, which is added.
    Text(Arc<str>),
    /// An object whose strings are formats, with its order and nesting.
    Json(Arc<serde_json::Map<String, serde_json::Value>>),
}

/// A collector of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracer {
    /// The namespace before the `/` of `service`.
    pub namespace: Option<Arc<str>>,
    /// The host of `service`.
    pub host: Arc<str>,
    /// `port`.
    pub port: u16,
    /// `maxTagLength`: characters of the path in a span.
    pub max_tag_length: u32,
    /// The protocol.
    pub protocol: TracerProtocol,
}

/// The protocol of a collector.
#[derive(Clone, Debug, PartialEq)]
pub enum TracerProtocol {
    /// OTLP over gRPC.
    OtlpGrpc {
        /// `grpc.timeout`; `None` is unset.
        timeout: Option<Duration>,
        /// `grpc.initialMetadata`, by name in lower case.
        metadata: Vec<(Arc<str>, SecretValue)>,
    },
    /// OTLP over HTTP.
    OtlpHttp {
        /// `http.path`.
        path: Arc<str>,
        /// `http.timeout`; `None` is unset.
        timeout: Option<Duration>,
        /// `http.headers`, by name in lower case.
        headers: Vec<(Arc<str>, SecretValue)>,
    },
    /// Zipkin's JSON, version 2.
    Zipkin {
        /// `path`.
        path: Arc<str>,
        /// `enable64bitTraceId`: ids of traces have 64 bits.
        short_trace_id: bool,
        /// `traceContextOption` USE_B3_WITH_W3C_PROPAGATION: `traceparent` beside `x-b3-*`.
        w3c: bool,
        /// `timeout`; `None` is unset.
        timeout: Option<Duration>,
        /// `headers`, by name in lower case.
        headers: Vec<(Arc<str>, SecretValue)>,
    },
}

/// The value of a header for a collector, which is on no page and in no log.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// The value itself.
    Literal(Arc<str>),
    /// `envName`: the value of an environment variable of the proxy.
    Environment(Arc<str>),
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("[redacted]"),
            Self::Environment(name) => write!(f, "${name}"),
        }
    }
}

/// `defaultProviders`: what counts where no Telemetry names a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultProviders {
    /// `accessLogging`.
    pub access_logging: Vec<Arc<str>>,
    /// `metrics`.
    pub metrics: Vec<Arc<str>>,
    /// `tracing`.
    pub tracing: Vec<Arc<str>>,
}
