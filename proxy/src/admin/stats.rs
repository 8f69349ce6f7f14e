//! Metrics as pages.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::admin::application::{Scraped, merge, process_families};
use crate::admin::metrics;
use crate::admin::page::Page;
use crate::admin::state::Admin;
use crate::report::metrics::exposition;

/// All metrics in Prometheus' text format, without those of the families that are left out.
pub(super) fn prometheus(admin: &Admin, without: &BTreeSet<String>) -> Page {
    let mut families = metrics::families(admin);
    families.retain(|family| !without.contains(family.definition.name));
    Page {
        content_type: exposition::CONTENT_TYPE,
        ..Page::text(StatusCode::OK, exposition::text(&families))
    }
}

/// All metrics, then those of the application. They are said to be of the application's format, as with Istio's agent:
/// readers of OpenMetrics take ours, too.
pub(super) fn merged(admin: &Admin, theirs: &[Scraped]) -> Page {
    let ours = prometheus(admin, &process_families(theirs));
    let (body, is_open_metrics) = merge(ours.body, theirs);
    Page {
        content_type: match is_open_metrics {
            true => OPEN_METRICS,
            false => ours.content_type,
        },
        ..Page::text(StatusCode::OK, body)
    }
}

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
