//! Documents to objects: which of two of one name counts, and what refers to other documents.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::load::content::Content;
use crate::load::document::Document;
use crate::load::references;
use crate::model::meta::Meta;
use crate::model::objects::Objects;
use crate::model::secret::Secrets;
use crate::name::{Kind, ObjectName};
use crate::problem::{Problem, Severity};

/// Makes objects of documents. A later document replaces an earlier one of the same kind, namespace and name, as
/// applying it would.
pub(super) fn build(documents: Vec<Document>, problems: &mut Vec<Problem>) -> Objects {
    let documents = latest(documents, problems);
    let (secrets, others): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .partition(|one| one.meta.kind == Kind::Secret);
    let mut objects = Objects::default();
    let secrets = secrets_of(secrets, &mut objects, problems);
    let is_instance = |one: &Document| matches!(one.meta.kind, Kind::Pod | Kind::WorkloadEntry);
    // Instances come first: members of slices take their labels from them.
    let (instances, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_instance);
    for one in instances.into_iter().chain(others) {
        let kind = one.meta.kind;
        problems.extend(one.problems().iter().cloned());
        if add(one, &secrets, &mut objects, problems) {
            *objects.counts.entry(kind).or_default() += 1;
        }
    }
    objects.services.sort_by(|a, b| a.meta.by_age(&b.meta));
    objects.endpoints.sort_by(|a, b| a.meta.by_age(&b.meta));
    objects
        .virtual_services
        .sort_by(|a, b| a.meta.by_age(&b.meta));
    objects
        .destination_rules
        .sort_by(|a, b| a.meta.by_age(&b.meta));
    objects.gateways.sort_by(|a, b| a.meta.by_age(&b.meta));
    objects.sidecars.sort_by(|a, b| a.meta.by_age(&b.meta));
    objects.telemetries.sort_by(|a, b| a.meta.by_age(&b.meta));
    objects
        .authorization_policies
        .sort_by(|a, b| a.meta.by_age(&b.meta));
    objects
}

/// The documents that count, in the order of their first mention.
fn latest(documents: Vec<Document>, problems: &mut Vec<Problem>) -> Vec<Document> {
    let mut indexes: HashMap<(Kind, ObjectName), usize> = HashMap::with_capacity(documents.len());
    let mut latest: Vec<Document> = Vec::with_capacity(documents.len());
    for document in documents {
        let Meta {
            kind,
            name,
            location,
            ..
        } = &*document.meta;
        let is_mesh = *kind == Kind::MeshConfig;
        if name.name.is_empty() && !is_mesh {
            let problem = Problem::new(Severity::Error, location.clone(), "required");
            problems.push(problem.of(kind.to_string()).at("metadata.name", ""));
            continue;
        }
        // There is only one mesh configuration, whatever it is called.
        let key = match is_mesh {
            true => (*kind, ObjectName::new("", "")),
            false => (*kind, name.clone()),
        };
        match indexes.entry(key) {
            Entry::Vacant(free) => {
                free.insert(latest.len());
                latest.push(document);
            }
            Entry::Occupied(occupied) => {
                let earlier = &mut latest[*occupied.get()];
                let reason = format!("replaces the earlier one of {}", earlier.meta.location);
                let problem = Problem::new(Severity::Warning, location.clone(), reason);
                problems.push(problem.of(document.meta.title_or_kind()));
                *earlier = document;
            }
        }
    }
    latest
}

/// The Secrets without errors, counted.
fn secrets_of(
    documents: Vec<Document>,
    objects: &mut Objects,
    problems: &mut Vec<Problem>,
) -> Secrets {
    let mut secrets = Secrets::default();
    for one in documents {
        problems.extend(one.problems().iter().cloned());
        if let Content::Secret(secret) = one.content {
            secrets.insert(one.meta.name.clone(), secret);
            *objects.counts.entry(Kind::Secret).or_default() += 1;
        }
    }
    secrets
}

/// Adds what one document means to `objects`; `false` when it is left out.
fn add(
    one: Document,
    secrets: &Secrets,
    objects: &mut Objects,
    problems: &mut Vec<Problem>,
) -> bool {
    match one.content {
        Content::Service(service) => objects.services.push(service),
        Content::Services(services) => objects.services.extend(services.iter().cloned()),
        Content::Instances(instances) => objects.instances.add(&instances),
        Content::VirtualService(rules) => objects.virtual_services.push(rules),
        Content::DestinationRule(rule) => objects.destination_rules.push(rule),
        Content::Gateway(gateway) => objects.gateways.push(gateway),
        Content::Sidecar(sidecar) => objects.sidecars.push(sidecar),
        Content::AuthorizationPolicy(policy) => objects.authorization_policies.push(policy),
        Content::Telemetry(telemetry) => objects.telemetries.extend(telemetry),
        Content::Mesh(mesh) => objects.mesh = (*mesh).clone(),
        Content::Dependent(wire) => {
            return references::add(&wire, &one.meta, secrets, objects, problems);
        }
        // Secrets were added before.
        Content::Secret(_) | Content::Nothing => return false,
    }
    true
}

#[cfg(test)]
mod tests;
