//! Where access logs go.

use std::sync::Arc;

use crate::expression::Expression;
use crate::model::mesh::FormatSource;
use crate::model::telemetry::{AccessLogging, Telemetry};
use crate::snapshot::telemetry::providers::{ENVOY, Named, Provider, Providers, Purpose};
use crate::snapshot::telemetry::types::AccessLogTarget;

/// A provider that is in force.
struct ActiveProvider<'o> {
    name: Arc<str>,
    filter: Option<&'o Arc<Expression>>,
    disabled: bool,
}

/// Merges `accessLogging` of all levels. A level that names providers replaces the set of the levels above; an element
/// without providers changes those in force. Without any `accessLogging` and any default, `accessLogFile` counts.
pub(super) fn access_logs(
    levels: &[&Telemetry],
    providers: &mut Providers<'_, '_>,
) -> Vec<AccessLogTarget> {
    let defaults = Named::defaults(
        "accessLogging",
        &providers.mesh.default_providers.access_logging,
    );
    if defaults.is_empty() && !levels.iter().any(|level| level.logs) {
        return of_mesh(providers).into_iter().collect();
    }
    let mut active = Vec::new();
    if !defaults.is_empty() {
        active = fresh(usable(defaults, &active, providers));
    }
    for level in levels {
        let named: Vec<Named<'_>> = level
            .access_logging
            .iter()
            .flat_map(|one| names(level, one))
            .collect();
        if !named.is_empty() {
            active = fresh(usable(named, &active, providers));
        }
        for logging in &level.access_logging {
            if active.is_empty() && logging.providers.is_empty() && logging.disabled != Some(true) {
                providers.report_nothing_in_force(&level.meta, logging.index);
            }
            apply(logging, &mut active);
        }
    }
    let targets = active.into_iter().filter(|provider| !provider.disabled);
    targets
        .filter_map(|provider| match providers.find(&provider.name) {
            Provider::File(file) => Some(AccessLogTarget {
                path: file.path,
                format: file.format.unwrap_or(FormatSource::DefaultText),
                omit_empty: file.omit_empty,
                filter: provider.filter.cloned(),
                provider: Some(provider.name),
            }),
            Provider::Tracer(_)
            | Provider::Prometheus
            | Provider::Unsupported(_)
            | Provider::Unknown => None,
        })
        .collect()
}

/// The log of `accessLogFile`.
fn of_mesh(providers: &Providers<'_, '_>) -> Option<AccessLogTarget> {
    let mesh = providers.mesh;
    (!mesh.access_log_file.is_empty()).then(|| AccessLogTarget {
        provider: None,
        path: Arc::clone(&mesh.access_log_file),
        format: mesh.log_format.clone(),
        omit_empty: false,
        filter: None,
    })
}

fn names<'o>(level: &'o Telemetry, logging: &AccessLogging) -> Vec<Named<'o>> {
    Named::all(
        &level.meta,
        "accessLogging",
        logging.index,
        &logging.providers,
    )
}

/// The names that mean something, each once. Where one of the names is unknown, which may be a typing error, and no name
/// is left, those of the levels above stay; the last resort is the log that needs no declaration.
fn usable(
    named: Vec<Named<'_>>,
    above: &[ActiveProvider<'_>],
    providers: &mut Providers<'_, '_>,
) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut wrong = Vec::new();
    let mut unknown = false;
    for named in named {
        let provider = providers.find(&named.name);
        unknown |= matches!(provider, Provider::Unknown);
        match provider {
            Provider::File(_) if names.iter().any(|name| is_same(name, &named.name)) => {}
            Provider::File(_) => names.push(Arc::clone(&named.name)),
            Provider::Tracer(_)
            | Provider::Prometheus
            | Provider::Unsupported(_)
            | Provider::Unknown => wrong.push(named),
        }
    }
    let mut effect = "no line is written for it".to_owned();
    if names.is_empty() && unknown {
        names = above.iter().map(|one| Arc::clone(&one.name)).collect();
        if names.is_empty() {
            names.push(ENVOY.into());
        }
        effect = format!("lines go to {} instead", names.join(", "));
    }
    for named in wrong {
        providers.report_unusable(&named, Purpose::AccessLogs, &effect);
    }
    names
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn fresh<'o>(names: Vec<Arc<str>>) -> Vec<ActiveProvider<'o>> {
    let names = names.into_iter();
    names
        .map(|name| ActiveProvider {
            name,
            filter: None,
            disabled: false,
        })
        .collect()
}

/// Applies one element to the providers that it names, or to all in force.
fn apply<'o>(logging: &'o AccessLogging, active: &mut [ActiveProvider<'o>]) {
    for provider in active {
        let named = logging
            .providers
            .iter()
            .any(|name| is_same(name, &provider.name));
        if !named && !logging.providers.is_empty() {
            continue;
        }
        provider.disabled = logging.disabled == Some(true);
        if named || logging.filter.is_some() {
            provider.filter = logging.filter.as_ref();
        }
    }
}
