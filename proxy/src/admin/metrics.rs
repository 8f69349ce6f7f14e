//! All metrics of the process: those of calls, and those that are read from the state of the process when somebody scrapes.

pub mod configuration;
pub mod server;

use std::sync::atomic::Ordering;

use crate::admin::state::Admin;
use crate::dns::names;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::envoy::{cluster_families, downstream_families};
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::{dns, istio, limits, own, spans};

static LOG_LINES: Definition = Definition {
    name: "egret_access_log_lines_total",
    kind: Kind::Counter,
    help: "Lines of the access log that were written.",
    labels: &[],
    stat: "",
};

static LOG_LINES_DROPPED: Definition = Definition {
    name: "egret_access_log_dropped_lines_total",
    kind: Kind::Counter,
    help: "Lines of the access log that were dropped, because too much waited or the file failed.",
    labels: &[],
    stat: "",
};

/// All families that there are, in the order of the documentation.
pub fn definitions() -> Vec<&'static Definition> {
    let mut all: Vec<&Definition> = istio::FAMILIES.iter().collect();
    all.push(&istio::BUILD);
    all.extend(cluster_families::definitions());
    all.extend(downstream_families::DEFINITIONS);
    all.extend(server::DEFINITIONS);
    all.extend(configuration::DEFINITIONS);
    all.extend(own::DEFINITIONS);
    all.extend([&limits::LIMIT_HITS, &spans::EXPORTED, &spans::DROPPED]);
    all.extend([&dns::QUERIES, &dns::DURATION, &dns::CAPTURED]);
    all.extend([&LOG_LINES, &LOG_LINES_DROPPED]);
    all
}

/// All families at this moment.
pub(super) fn families(admin: &Admin) -> Vec<Family> {
    let scraped = admin.metrics.scrape();
    let mut families = scraped.families;
    families.extend(server::families(admin, scraped.connections));
    families.extend(configuration::families(admin));
    families.extend(admin.names.queries.families());
    if let Some(captured) = &admin.captured_queries {
        families.push(captured.captured());
    }
    let lines = admin.access_log.counts();
    let spans = admin.metrics.spans.queue_full.load(Ordering::Relaxed);
    for (limit, count) in [
        ("access_log_queue", lines.dropped),
        ("span_queue", spans),
        ("dns_names", names::times_full()),
    ] {
        limits::add_to(&mut families, limit, count);
    }
    for (definition, count) in [
        (&LOG_LINES, lines.written),
        (&LOG_LINES_DROPPED, lines.dropped),
    ] {
        families.push(Family::single(definition, Value::Integer(count)));
    }
    families
}
