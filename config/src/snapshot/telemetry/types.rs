//! The telemetry of one workload, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::expression::Expression;
use crate::model::mesh::{FormatSource, TracerProtocol, TracingServiceName};
use crate::model::telemetry::{CustomTag, Metric, TagOverride};
use crate::trace::context::Propagation;
use crate::trace::decision::Sampling;

/// What is logged, measured and traced for a workload.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    /// Where access-log lines go; empty is off. Two of them may have one path.
    pub access_logs: Vec<AccessLogTarget>,
    /// What differs from Istio's metrics.
    pub metrics: MetricOverrides,
    /// `None`: no spans, and headers of traces are neither added, taken nor changed.
    pub tracing: Option<Tracing>,
}

/// A file that access-log lines are written to, and which.
#[derive(Clone, Debug)]
pub struct AccessLogTarget {
    /// The name of the provider; `None` for `accessLogFile` of MeshConfig.
    pub provider: Option<Arc<str>>,
    /// The file.
    pub path: Arc<str>,
    /// What a line is.
    pub format: FormatSource,
    /// What has no value is left out.
    pub omit_empty: bool,
    /// Only calls for which it holds; `None` is all.
    pub filter: Option<Arc<Expression>>,
}

/// What differs from Istio's metrics.
#[derive(Clone, Debug, Default)]
pub struct MetricOverrides {
    settings: [MetricSettings; Metric::ALL.len()],
    /// `reportingInterval`: how often the bytes of open streams are counted; `None` is the default pace.
    pub reporting_interval: Option<Duration>,
}

/// What differs for one metric.
#[derive(Clone, Debug, Default)]
pub struct MetricSettings {
    /// It is not counted.
    pub disabled: bool,
    /// Its labels that differ, by name; one that Istio does not have is added.
    pub tags: BTreeMap<Arc<str>, TagOverride>,
}

impl MetricOverrides {
    /// What differs for a metric.
    pub fn of(&self, metric: Metric) -> &MetricSettings {
        &self.settings[metric as usize]
    }

    /// What differs for a metric, to be changed.
    pub fn of_mut(&mut self, metric: Metric) -> &mut MetricSettings {
        &mut self.settings[metric as usize]
    }

    /// The expressions that are values of labels. One that several metrics have is listed several times.
    pub fn expressions(&self) -> impl Iterator<Item = &Arc<Expression>> {
        let tags = self.settings.iter().flat_map(|one| one.tags.values());
        tags.filter_map(|tag| match tag {
            TagOverride::Upsert(expression) => Some(expression),
            TagOverride::Remove => None,
        })
    }
}

/// How calls are traced.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// The name of the provider.
    pub provider: Arc<str>,
    /// The cluster of the collector, one of the snapshot's.
    pub cluster: Arc<str>,
    /// The host of the collector.
    pub authority: Arc<str>,
    /// The port of the collector.
    pub port: u16,
    /// Its protocol.
    pub protocol: TracerProtocol,
    /// The share of calls that are sampled where no earlier decision exists, in millionths.
    pub sampling: u32,
    /// Tags that the user adds, by name.
    pub custom_tags: BTreeMap<Arc<str>, CustomTag>,
    /// Spans have Istio's own tags.
    pub istio_tags: bool,
    /// The 15th character of `x-request-id` decides, and is set.
    pub use_request_id: bool,
    /// Headers of traces are sent to the destination.
    pub context_propagation: bool,
    /// What `service.name` of spans is made of.
    pub service_name: TracingServiceName,
    /// Characters of the path in a span.
    pub max_tag_length: u32,
}

impl Tracing {
    /// Which calls are sampled.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            share: self.sampling,
            use_request_id: self.use_request_id,
        }
    }

    /// Which headers the next hop gets.
    pub fn propagation(&self) -> Propagation {
        match self.protocol {
            TracerProtocol::OtlpGrpc { .. } | TracerProtocol::OtlpHttp { .. } => Propagation::W3c,
            TracerProtocol::Zipkin {
                short_trace_id,
                w3c,
                ..
            } => Propagation::B3 {
                short: short_trace_id,
                w3c,
            },
        }
    }
}
