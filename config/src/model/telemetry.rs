//! Telemetry: which calls are logged, measured and traced, and how.

mod parse;
pub(crate) mod tags;
mod types;

pub(crate) use crate::model::telemetry::parse::{parse, sampling};
pub use crate::model::telemetry::types::{
    AccessLogging, CustomTag, Metric, MetricOverride, Metrics, TagOverride, Telemetry, Tracing,
};
