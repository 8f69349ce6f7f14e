//! What Istio accepts and users regret: settings that do nothing, do less, or do something else than they seem to. Looks at
//! all objects at once, and not for one workload: problems of a workload's view are reported when a
//! [`Snapshot`](crate::snapshot::Snapshot) is built.
//!
//! Each rule is a function over the objects, in a file of its own.

mod destinations;
mod gateway_names;
mod headers;
pub mod listeners;
mod open_ports;
mod tls;
mod duplicate_rules;
mod plaintext_http;
mod rule_order;
mod service_visibility;
mod view;
mod warning;
mod wildcards;
pub mod workloads;

use std::collections::HashSet;

use crate::lint::view::View;
use crate::model::objects::Objects;
use crate::problem::Problem;

/// What was found, always in the same order. `reported` are problems of the same objects that were found before: what they
/// report of a field is not reported again.
pub fn lint(objects: &Objects, reported: &[Problem]) -> Vec<Problem> {
    let view = View::new(objects);
    let rules = [
        gateway_names::check,
        service_visibility::check,
        destinations::check,
        rule_order::check,
        duplicate_rules::check,
        wildcards::check,
        open_ports::check,
        tls::check,
        headers::check,
        listeners::check,
        plaintext_http::check,
    ];
    let mut warnings = Vec::new();
    for rule in rules {
        rule(&view, &mut warnings);
    }
    let mut known: HashSet<(&str, &str)> = reported
        .iter()
        .map(|problem| (&*problem.object, &*problem.field))
        .collect();
    let new: Vec<bool> = warnings
        .iter()
        .map(|problem| known.insert((&*problem.object, &*problem.field)))
        .collect();
    let mut new = new.into_iter();
    warnings.retain(|_| new.next().unwrap_or(true));
    warnings
}

#[cfg(test)]
mod tests;
