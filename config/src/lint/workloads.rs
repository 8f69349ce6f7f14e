//! Workloads through whose eyes a configuration is looked at when nobody says whose it is.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::objects::Objects;
use crate::snapshot::workload::Mode;
use crate::snapshot::workload::Workload;

/// Ports that egret listens on unless told otherwise.
const OWN_PORTS: [u16; 2] = [15000, 15021];

/// Where redirected connections arrive unless told otherwise.
const REDIRECT_PORTS: [u16; 2] = [15001, 15006];

/// A sidecar in each namespace that has objects of its own, one more for each Sidecar with a selector, and a gateway for each
/// selector of a Gateway.
pub fn workloads(objects: &Objects) -> Vec<Workload> {
    let root = &objects.mesh.root_namespace;
    let mut found: Vec<Workload> = Vec::new();
    for namespace in namespaces(objects) {
        let selectors = objects
            .sidecars
            .iter()
            .filter(|sidecar| sidecar.meta.name.namespace == namespace)
            .filter_map(|sidecar| sidecar.selector.clone());
        // The root namespace holds settings for all, and gateways, which are looked at as such.
        let general = (namespace != *root).then(Labels::default);
        let labels: BTreeSet<BTreeMap<Arc<str>, Arc<str>>> = general
            .into_iter()
            .chain(selectors)
            .map(|labels| labels.0)
            .collect();
        found.extend(
            labels
                .into_iter()
                .map(|labels| sidecar(&namespace, Labels(labels))),
        );
    }
    if found.is_empty() {
        found.push(sidecar(
            &crate::name::DEFAULT_NAMESPACE.into(),
            Labels::default(),
        ));
    }
    let mut selectors: BTreeSet<BTreeMap<Arc<str>, Arc<str>>> = BTreeSet::new();
    for gateway in &objects.gateways {
        if selectors.insert(gateway.selector.0.clone()) {
            found.push(gateway_of(objects, &gateway.selector));
        }
    }
    found
}

fn sidecar(namespace: &Arc<str>, labels: Labels) -> Workload {
    Workload {
        mode: Mode::Sidecar,
        namespace: namespace.clone(),
        labels,
        addresses: Vec::new(),
        own_ports: OWN_PORTS.to_vec(),
        redirect_ports: REDIRECT_PORTS.to_vec(),
        dns_capture: false,
    }
}

/// The gateway of a selector: where a Service selects pods with these labels, else in the root namespace.
fn gateway_of(objects: &Objects, selector: &Labels) -> Workload {
    let service = objects.services.iter().find(|service| {
        let own = service.selector.as_ref();
        own.is_some_and(|own| !own.is_empty() && (own.select(selector) || selector.select(own)))
    });
    let mut labels = selector.clone();
    if let Some(own) = service.and_then(|service| service.selector.as_ref()) {
        labels.0.extend(own.0.clone());
    }
    Workload {
        mode: Mode::Gateway,
        namespace: service.map_or_else(
            || objects.mesh.root_namespace.clone(),
            |service| service.meta.name.namespace.clone(),
        ),
        labels,
        addresses: Vec::new(),
        own_ports: OWN_PORTS.to_vec(),
        redirect_ports: Vec::new(),
        dns_capture: false,
    }
}

fn namespaces(objects: &Objects) -> BTreeSet<Arc<str>> {
    let services = objects.services.iter().map(|one| &one.meta);
    let metas = services
        .chain(objects.virtual_services.iter().map(|one| &one.meta))
        .chain(objects.destination_rules.iter().map(|one| &one.meta))
        .chain(objects.sidecars.iter().map(|one| &one.meta));
    metas
        .map(|meta: &Arc<Meta>| meta.name.namespace.clone())
        .collect()
}
