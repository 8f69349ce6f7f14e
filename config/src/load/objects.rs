//! Documents to objects: the name of each, which of two of one name counts, and the parse of its kind.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::load::document::Document;
use crate::model;
use crate::model::instance::Instance;
use crate::model::meta::Meta;
use crate::model::objects::Objects;
use crate::model::secret::Secrets;
use crate::name::{DEFAULT_NAMESPACE, Kind, ObjectName};
use crate::problem::{Diagnostics, Problem, Severity};
use crate::value::moment::Moment;
use crate::wire::envelope::Body;
use crate::wire::kubernetes::Secret;

/// A document that has a kind and a name.
struct Named {
    meta: Arc<Meta>,
    title: String,
    document: Document,
}

/// Makes objects of documents. A later document replaces an earlier one of the same kind, namespace and name, as
/// applying it would.
pub(super) fn build(documents: Vec<Document>, problems: &mut Vec<Problem>) -> Objects {
    let named = latest(documents, problems);
    let mut secrets = Secrets::default();
    for one in &named {
        if let Body::Secret(wire) = &*one.document.body {
            secret(wire, one, &mut secrets, problems);
        }
    }
    let mut objects = Objects::default();
    let is_instance = |one: &Named| matches!(one.meta.kind, Kind::Pod | Kind::WorkloadEntry);
    // Instances come first: members of slices take their labels from them.
    let (instances, others): (Vec<_>, Vec<_>) = named.iter().partition(|one| is_instance(one));
    for one in instances.into_iter().chain(others) {
        if add(one, &secrets, &mut objects, problems) {
            *objects.counts.entry(one.meta.kind).or_default() += 1;
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
fn latest(documents: Vec<Document>, problems: &mut Vec<Problem>) -> Vec<Named> {
    let mut indexes: BTreeMap<(Kind, ObjectName), usize> = BTreeMap::new();
    let mut named: Vec<Named> = Vec::with_capacity(documents.len());
    for document in documents {
        let kind = kind(&document.body);
        let is_mesh = kind == Kind::MeshConfig;
        if document.metadata.name.is_empty() && !is_mesh {
            let problem = Problem::new(Severity::Error, document.location.clone(), "required");
            problems.push(problem.of(kind.to_string()).at("metadata.name", ""));
            continue;
        }
        let one = name(kind, document);
        // There is only one mesh configuration, whatever it is called.
        let key = match is_mesh {
            true => (kind, ObjectName::new("", "")),
            false => (kind, one.meta.name.clone()),
        };
        match indexes.entry(key) {
            Entry::Vacant(free) => {
                free.insert(named.len());
                named.push(one);
            }
            Entry::Occupied(occupied) => {
                let earlier = &mut named[*occupied.get()];
                let reason = format!("replaces the earlier one of {}", earlier.meta.location);
                let problem = Problem::new(Severity::Warning, one.meta.location.clone(), reason);
                problems.push(problem.of(one.title.clone()));
                *earlier = one;
            }
        }
    }
    named
}

fn name(kind: Kind, document: Document) -> Named {
    let metadata = &document.metadata;
    let namespace = match metadata.namespace.as_str() {
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    };
    let meta = Meta {
        kind,
        name: ObjectName::new(namespace, metadata.name.as_str()),
        created: metadata
            .creation_timestamp
            .as_deref()
            .and_then(Moment::parse),
        location: document.location.clone(),
    };
    let title = match metadata.name.as_str() {
        "" => kind.to_string(),
        _ => meta.title(),
    };
    Named {
        meta: Arc::new(meta),
        title,
        document,
    }
}

fn kind(body: &Body) -> Kind {
    match body {
        Body::ServiceEntry(_) => Kind::ServiceEntry,
        Body::WorkloadEntry(_) => Kind::WorkloadEntry,
        Body::VirtualService(_) => Kind::VirtualService,
        Body::DestinationRule(_) => Kind::DestinationRule,
        Body::Gateway(_) => Kind::Gateway,
        Body::Sidecar(_) => Kind::Sidecar,
        Body::AuthorizationPolicy(_) => Kind::AuthorizationPolicy,
        Body::Telemetry(_) => Kind::Telemetry,
        Body::Service(_) => Kind::Service,
        Body::EndpointSlice(_) => Kind::EndpointSlice,
        Body::Pod(_) => Kind::Pod,
        Body::Secret(_) => Kind::Secret,
        Body::ConfigMap(_) => Kind::ConfigMap,
        Body::MeshConfig(_) => Kind::MeshConfig,
    }
}

fn secret(wire: &Secret, one: &Named, secrets: &mut Secrets, problems: &mut Vec<Problem>) {
    let mut diagnostics = Diagnostics::new(&one.meta.location, &one.title, "", problems);
    let secret = model::secret::parse(wire, &mut diagnostics);
    if diagnostics.passed() {
        secrets.insert(one.meta.name.clone(), secret);
    }
}

/// Reads one document into `objects`; `false` when it is left out.
fn add(one: &Named, secrets: &Secrets, objects: &mut Objects, problems: &mut Vec<Problem>) -> bool {
    let meta = &one.meta;
    let metadata = &one.document.metadata;
    let root = match &*one.document.body {
        Body::EndpointSlice(_) | Body::Pod(_) | Body::Secret(_) | Body::ConfigMap(_) => "",
        Body::MeshConfig(_) if metadata.name.is_empty() => "",
        Body::MeshConfig(_) => "data.mesh",
        _ => "spec",
    };
    let mut diagnostics = Diagnostics::new(&meta.location, &one.title, root, problems);
    let diagnostics = &mut diagnostics;
    match &*one.document.body {
        Body::ServiceEntry(wire) => {
            let services = model::service_entry::parse(wire, metadata, meta, diagnostics);
            keep(diagnostics, &mut objects.services, services)
        }
        Body::Service(wire) => {
            let service = model::kubernetes::service(wire, metadata, meta, diagnostics);
            keep(diagnostics, &mut objects.services, [service])
        }
        Body::EndpointSlice(wire) => {
            let instances = &objects.instances;
            let group = model::kubernetes::slice(wire, metadata, meta, instances, diagnostics);
            group.is_some() && keep(diagnostics, &mut objects.endpoints, group)
        }
        Body::Pod(wire) => {
            let read = model::instance::pod(wire, metadata, meta, diagnostics);
            keep_instances(diagnostics, objects, read)
        }
        Body::WorkloadEntry(wire) => {
            let read = model::instance::workload_entry(wire, metadata, meta, diagnostics);
            keep_instances(diagnostics, objects, read)
        }
        Body::VirtualService(wire) => {
            let mut rules = model::virtual_service::parse(wire, meta, diagnostics);
            model::route::generated::interpret(&mut rules.http, metadata);
            keep(
                diagnostics,
                &mut objects.virtual_services,
                [Arc::new(rules)],
            )
        }
        Body::DestinationRule(wire) => {
            let rule = model::policy::destination_rule::parse(wire, meta, secrets, diagnostics);
            keep(
                diagnostics,
                &mut objects.destination_rules,
                [Arc::new(rule)],
            )
        }
        Body::Gateway(wire) => {
            let gateway = model::gateway::parse(wire, metadata, meta, secrets, diagnostics);
            keep(diagnostics, &mut objects.gateways, [Arc::new(gateway)])
        }
        Body::Sidecar(wire) => {
            let sidecar = model::sidecar::parse(wire, meta, diagnostics);
            keep(diagnostics, &mut objects.sidecars, [Arc::new(sidecar)])
        }
        Body::AuthorizationPolicy(wire) => {
            let policy = model::authorization::parse(wire, metadata, meta);
            keep(
                diagnostics,
                &mut objects.authorization_policies,
                [Arc::new(policy)],
            )
        }
        Body::Telemetry(wire) => {
            let telemetry = model::telemetry::parse(wire, meta, diagnostics);
            keep(
                diagnostics,
                &mut objects.telemetries,
                telemetry.map(Arc::new),
            )
        }
        Body::MeshConfig(wire) => {
            objects.mesh = model::mesh::parse::parse(wire, meta, diagnostics);
            true
        }
        Body::Secret(_) => secrets.contains(&meta.name),
        // Only the one that holds the mesh configuration means something, and that became a MeshConfig.
        Body::ConfigMap(_) => false,
    }
}

fn keep_instances(
    diagnostics: &Diagnostics<'_>,
    objects: &mut Objects,
    read: Vec<Instance>,
) -> bool {
    if diagnostics.passed() {
        objects.instances.add(read);
    }
    diagnostics.passed()
}

fn keep<T>(
    diagnostics: &Diagnostics<'_>,
    list: &mut Vec<T>,
    read: impl IntoIterator<Item = T>,
) -> bool {
    if diagnostics.passed() {
        list.extend(read);
    }
    diagnostics.passed()
}

#[cfg(test)]
mod tests;
