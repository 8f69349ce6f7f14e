//! What is logged, measured and traced for one workload: MeshConfig and the Telemetry objects of three levels, merged.

mod types;

pub use crate::snapshot::telemetry::types::{
    AccessLogTarget, MetricOverrides, MetricSettings, Telemetry, Tracing,
};

use std::sync::Arc;

use crate::model::mesh::{AccessLogEncoding, FormatSource, Mesh};
use crate::model::objects::Objects;
use crate::snapshot::findings::Findings;
use crate::snapshot::workload::Workload;

/// Merges what MeshConfig and Telemetry objects say for a workload.
pub(crate) fn telemetry(
    objects: &Objects,
    _workload: &Workload,
    _findings: &mut Findings,
) -> Telemetry {
    Telemetry {
        access_logs: of_mesh(&objects.mesh).into_iter().collect(),
        metrics: MetricOverrides::default(),
        tracing: None,
    }
}

/// The log of `accessLogFile`.
fn of_mesh(mesh: &Mesh) -> Option<AccessLogTarget> {
    (!mesh.access_log_file.is_empty()).then(|| AccessLogTarget {
        path: Arc::clone(&mesh.access_log_file),
        format: match mesh.access_log_encoding {
            AccessLogEncoding::Text => FormatSource::DefaultText,
            AccessLogEncoding::Json => FormatSource::DefaultJson,
        },
        omit_empty: false,
        filter: None,
    })
}
