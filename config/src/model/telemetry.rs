//! Telemetry: which calls are logged, measured and traced, and how.

mod types;

pub use crate::model::telemetry::types::{
    AccessLogging, CustomTag, Metric, MetricOverride, Metrics, TagOverride, Telemetry, Tracing,
};
