//! What differs from Istio's metrics.

use crate::model::telemetry::{Metric, MetricOverride, Telemetry};
use crate::snapshot::telemetry::providers::{Named, Provider, Providers, Purpose};
use crate::snapshot::telemetry::types::MetricOverrides;

/// Merges `metrics` of all levels: overrides apply in order of level and list, later ones win. Metrics are there also
/// where no provider is named.
pub(super) fn metrics(levels: &[&Telemetry], providers: &mut Providers<'_, '_>) -> MetricOverrides {
    let defaults = Named::defaults("metrics", &providers.mesh.default_providers.metrics);
    is_scraped(defaults, providers);
    let mut overrides = MetricOverrides::default();
    // Whether settings without a provider apply to Prometheus.
    let mut scraped = true;
    for level in levels {
        for one in &level.metrics {
            let named = Named::all(&level.meta, "metrics", one.index, &one.providers);
            if !named.is_empty() {
                scraped = is_scraped(named, providers);
            }
            if !scraped {
                continue;
            }
            overrides.reporting_interval = one.reporting_interval.or(overrides.reporting_interval);
            for one in &one.overrides {
                apply(one, &mut overrides);
            }
        }
    }
    overrides
}

/// Whether one of the names means Prometheus. An unknown name may be a typing error, and counts as Prometheus.
fn is_scraped(named: Vec<Named<'_>>, providers: &mut Providers<'_, '_>) -> bool {
    let mut scraped = false;
    for named in named {
        let effect = match providers.find(&named.name) {
            Provider::Prometheus => {
                scraped = true;
                continue;
            }
            Provider::Unknown => {
                scraped = true;
                "prometheus is meant instead"
            }
            Provider::File(_) | Provider::Tracer(_) | Provider::Unsupported(_) => {
                "no metrics go there; they are scraped by Prometheus"
            }
        };
        providers.report_unusable(&named, Purpose::Metrics, effect);
    }
    scraped
}

fn apply(one: &MetricOverride, overrides: &mut MetricOverrides) {
    let of_one = |metric: &Metric| one.metric.is_none_or(|only| only == *metric);
    for metric in Metric::ALL.into_iter().filter(of_one) {
        let settings = overrides.of_mut(metric);
        settings.disabled = one.disabled.unwrap_or(settings.disabled);
        let tags = one.tags.iter();
        settings
            .tags
            .extend(tags.map(|(name, tag)| (name.clone(), tag.clone())));
    }
}
