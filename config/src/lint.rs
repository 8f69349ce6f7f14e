//! What Istio accepts and users regret: settings that do nothing, do less, or do something else than they seem to. Looks at
//! all objects at once, and at none of them through the eyes of one workload: what only shows there is told when a
//! [`Snapshot`](crate::snapshot::Snapshot) is built.
//!
//! Each rule is a function over the objects, in a file of its own.

mod destinations;
mod gateway_names;
mod headers;
pub mod listeners;
mod open_ports;
mod tls;
mod twice;
mod unheard;
mod unreachable;
mod unseen;
mod wildcards;
pub mod workloads;

use std::collections::HashMap;

use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::service::Service;
use crate::problem::Problem;

/// The objects, and what several rules look up in them.
struct View<'o> {
    objects: &'o Objects,
    services: HashMap<&'o HostPattern, Vec<&'o Service>>,
}

/// What was found, always in the same order. `told` are problems of the same objects that were found before: what they
/// say of a field is not said again.
pub fn lint(objects: &Objects, told: &[Problem]) -> Vec<Problem> {
    let mut view = View {
        objects,
        services: HashMap::new(),
    };
    for service in &objects.services {
        view.services
            .entry(&service.host)
            .or_default()
            .push(service);
    }
    let rules = [
        gateway_names::check,
        unseen::check,
        destinations::check,
        unreachable::check,
        twice::check,
        wildcards::check,
        open_ports::check,
        tls::check,
        headers::check,
        listeners::check,
        unheard::check,
    ];
    let mut found = Vec::new();
    for rule in rules {
        rule(&view, &mut found);
    }
    let mut known: std::collections::HashSet<(&str, &str)> = told
        .iter()
        .map(|problem| (&*problem.object, &*problem.field))
        .collect();
    let new: Vec<bool> = found
        .iter()
        .map(|problem| known.insert((&*problem.object, &*problem.field)))
        .collect();
    let mut new = new.into_iter();
    found.retain(|_| new.next().unwrap_or(true));
    found
}

/// A finding about an object: a warning, since Istio accepts it.
fn finding(
    meta: &crate::model::meta::Meta,
    field: impl Into<String>,
    value: &str,
    what_happens: impl Into<String>,
    instead: impl Into<String>,
) -> Problem {
    Problem::new(
        crate::problem::Severity::Warning,
        meta.place.clone(),
        (what_happens, instead),
    )
    .of(meta.title())
    .at(field, value)
}

#[cfg(test)]
mod tests;
