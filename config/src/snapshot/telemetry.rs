//! What is logged, measured and traced for one workload: MeshConfig and the Telemetry objects of three levels, merged.

mod access_logs;
mod collectors;
mod levels;
mod metrics;
mod providers;
mod tracing;
mod types;

pub use crate::snapshot::telemetry::types::{
    AccessLogTarget, MetricOverrides, MetricSettings, Telemetry, Tracing,
};

use crate::model::objects::Objects;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::telemetry::access_logs::access_logs;
use crate::snapshot::telemetry::levels::levels;
use crate::snapshot::telemetry::metrics::metrics;
use crate::snapshot::telemetry::providers::Providers;
use crate::snapshot::telemetry::tracing::tracing;
use crate::snapshot::workload::Workload;

/// Merges the settings of MeshConfig and Telemetry objects for a workload, and adds a collector's cluster to `clusters`.
pub(crate) fn telemetry(
    objects: &Objects,
    workload: &Workload,
    clusters: &mut Clusters<'_, '_>,
    problems: &mut ProblemSet,
) -> Telemetry {
    let levels = levels(objects, workload, problems);
    let mut providers = Providers::new(&objects.mesh, problems);
    Telemetry {
        access_logs: access_logs(&levels, &mut providers),
        metrics: metrics(&levels, &mut providers),
        tracing: tracing(&levels, &workload.namespace, &mut providers, clusters),
    }
}

#[cfg(test)]
mod tests;
