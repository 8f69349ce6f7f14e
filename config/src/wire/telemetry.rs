//! `Telemetry`, telemetry.istio.io.

use std::collections::BTreeMap;

use super::destination_rule::MatchLabels;
use super::reading::Loose;

object! {
    /// `spec` of a Telemetry.
    pub struct Telemetry {
        pub selector: Option<MatchLabels>,
        pub target_ref: Option<Loose>,
        pub target_refs: Vec<Loose>,
        pub tracing: Vec<Tracing>,
        pub metrics: Vec<Metrics>,
        pub access_logging: Vec<AccessLogging>,
    }
}

object! {
    /// `Tracing`.
    pub struct Tracing {
        pub selector as "match": Option<ModeSelector>,
        pub providers: Vec<ProviderRef>,
        pub random_sampling_percentage: Option<f64>,
        pub disable_span_reporting: Option<bool>,
        pub custom_tags: BTreeMap<String, CustomTag>,
        pub enable_istio_tags: Option<bool>,
        pub use_request_id_for_trace_sampling: Option<bool>,
        pub disable_context_propagation: Option<bool>,
    }
}

object! {
    /// `Tracing.TracingSelector` and `AccessLogging.LogSelector`.
    pub struct ModeSelector {
        pub mode: String,
    }
}

object! {
    /// `ProviderRef`.
    pub struct ProviderRef {
        pub name: String,
    }
}

object! {
    /// `Tracing.CustomTag`, and that of ProxyConfig's `tracing`.
    pub struct CustomTag {
        pub literal: Option<LiteralTag>,
        pub environment: Option<NamedTag>,
        pub header: Option<NamedTag>,
        pub formatter: Option<LiteralTag>,
    }
}

object! {
    /// `Tracing.Literal` and `Tracing.Formatter`.
    pub struct LiteralTag {
        pub value: String,
    }
}

object! {
    /// `Tracing.Environment` and `Tracing.RequestHeader`.
    pub struct NamedTag {
        pub name: String,
        pub default_value: String,
    }
}

object! {
    /// `Metrics`.
    pub struct Metrics {
        pub providers: Vec<ProviderRef>,
        pub overrides: Vec<MetricsOverride>,
        pub reporting_interval: Option<String>,
    }
}

object! {
    /// `MetricsOverrides`.
    pub struct MetricsOverride {
        pub selector as "match": Option<MetricSelector>,
        pub disabled: Option<bool>,
        pub tag_overrides: BTreeMap<String, TagOverride>,
    }
}

object! {
    /// `MetricSelector`.
    pub struct MetricSelector {
        pub metric: String,
        pub custom_metric: String,
        pub mode: String,
    }
}

object! {
    /// `MetricsOverrides.TagOverride`.
    pub struct TagOverride {
        pub operation: String,
        pub value: String,
    }
}

object! {
    /// `AccessLogging`.
    pub struct AccessLogging {
        pub selector as "match": Option<ModeSelector>,
        pub providers: Vec<ProviderRef>,
        pub disabled: Option<bool>,
        pub filter: Option<Filter>,
    }
}

object! {
    /// `AccessLogging.Filter`.
    pub struct Filter {
        pub expression: String,
    }
}
