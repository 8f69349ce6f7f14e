//! The workloads for which a configuration is checked when no workload is given.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::{ExportTo, Meta};
use crate::model::objects::Objects;
use crate::port::well_known;
use crate::snapshot::workload::{Mode, Workload};

/// A workload, and the number of others with the same view.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The workload.
    pub workload: Workload,
    /// Other namespaces whose sidecars have the same view.
    pub alike: usize,
}

/// A sidecar in each namespace that has objects of its own, one more for each selector of a Sidecar or a Telemetry, and a gateway for each
/// selector of a Gateway. Of namespaces with the same view the first represents all.
pub fn workloads(objects: &Objects) -> Vec<Viewer> {
    let root = &objects.mesh.root_namespace;
    let mut workloads: Vec<Workload> = Vec::new();
    let (own_view, common): (Vec<_>, Vec<_>) = match special(objects) {
        Some(special) => namespaces(objects)
            .into_iter()
            .filter(|namespace| namespace != root || special.contains(&**namespace))
            .partition(|namespace| special.contains(&**namespace)),
        None => (namespaces(objects).into_iter().collect(), Vec::new()),
    };
    let alike = common.len().saturating_sub(1);
    let first = common.first().cloned();
    let looked_at: BTreeSet<_> = own_view.into_iter().chain(first.clone()).collect();
    for namespace in looked_at {
        let sidecars = objects.sidecars.iter();
        let sidecars = sidecars.map(|sidecar| (&sidecar.meta, &sidecar.selector));
        let telemetries = objects.telemetries.iter();
        let selectors = telemetries
            .map(|telemetry| (&telemetry.meta, &telemetry.selector))
            .chain(sidecars)
            .filter(|(meta, _)| meta.name.namespace == namespace)
            .filter_map(|(_, selector)| selector.clone());
        // The root namespace holds settings for all, and gateways, which are checked as such.
        let general = (namespace != *root).then(Labels::default);
        let labels: BTreeSet<BTreeMap<Arc<str>, Arc<str>>> = general
            .into_iter()
            .chain(selectors)
            .map(|labels| labels.0)
            .collect();
        workloads.extend(
            labels
                .into_iter()
                .map(|labels| sidecar(&namespace, Labels(labels))),
        );
    }
    if workloads.is_empty() {
        workloads.push(sidecar(
            &crate::name::DEFAULT_NAMESPACE.into(),
            Labels::default(),
        ));
    }
    let mut selectors: BTreeSet<BTreeMap<Arc<str>, Arc<str>>> = BTreeSet::new();
    for gateway in &objects.gateways {
        if selectors.insert(gateway.selector.0.clone()) {
            workloads.push(gateway_of(objects, &gateway.selector));
        }
    }
    let viewer = |workload: Workload| Viewer {
        alike: match workload.mode {
            Mode::Sidecar if first.as_ref() == Some(&workload.namespace) => alike,
            Mode::Sidecar | Mode::Gateway => 0,
        },
        workload,
    };
    workloads.into_iter().map(viewer).collect()
}

/// The namespaces that an `exportTo` names.
fn listed(export_to: Option<&ExportTo>) -> impl Iterator<Item = &str> {
    let list = match export_to {
        Some(ExportTo::Namespaces(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter().map(|name| &**name)
}

/// The namespaces whose sidecars may have a view of their own; `None` when that may be all of them.
fn special(objects: &Objects) -> Option<BTreeSet<&str>> {
    let mesh = &objects.mesh;
    let defaults = [
        &mesh.service_export_to,
        &mesh.virtual_service_export_to,
        &mesh.destination_rule_export_to,
    ];
    if defaults
        .into_iter()
        .any(|default| *default != ExportTo::All)
    {
        return None;
    }
    let mut special: BTreeSet<&str> = BTreeSet::new();
    let mut homes: HashMap<&HostPattern, &str> = HashMap::new();
    for service in &objects.services {
        special.extend(listed(service.export_to.as_ref()));
        let own = &*service.meta.name.namespace;
        let home = *homes.entry(&service.host).or_insert(own);
        if home != own {
            special.extend([home, own]);
        }
    }
    for vs in &objects.virtual_services {
        special.extend(listed(vs.export_to.as_ref()));
        let http = vs.http.iter().flat_map(|rule| &rule.matches);
        let tls = vs.tls.iter().flat_map(|rule| &rule.matches);
        let tcp = vs.tcp.iter().flat_map(|rule| &rule.matches);
        let sources = http.map(|one| &one.source);
        let sources = sources
            .chain(tls.map(|one| &one.source))
            .chain(tcp.map(|one| &one.source));
        special.extend(sources.filter_map(|source| source.namespace.as_deref()));
    }
    let sidecars = objects.sidecars.iter();
    special.extend(sidecars.map(|sidecar| &*sidecar.meta.name.namespace));
    // A Telemetry of the root namespace without selector is the same for all.
    let telemetries = objects.telemetries.iter().filter(|telemetry| {
        telemetry.selector.is_some() || telemetry.meta.name.namespace != mesh.root_namespace
    });
    special.extend(telemetries.map(|telemetry| &*telemetry.meta.name.namespace));
    for rule in &objects.destination_rules {
        let own = &*rule.meta.name.namespace;
        // A rule beside its service is the same for all clients.
        let beside = rule.export_to.is_none()
            && rule.selector.is_none()
            && homes.get(&rule.host) == Some(&own)
            && !special.contains(own);
        if !beside {
            special.extend(listed(rule.export_to.as_ref()));
            special.insert(own);
        }
    }
    Some(special)
}

fn sidecar(namespace: &Arc<str>, labels: Labels) -> Workload {
    Workload {
        labels,
        own_ports: well_known::OWN.to_vec(),
        redirect_ports: well_known::REDIRECT.to_vec(),
        ..Workload::new(Mode::Sidecar, namespace.clone())
    }
}

/// The gateway of a selector: where a Service selects pods with these labels, else in the root namespace.
fn gateway_of(objects: &Objects, selector: &Labels) -> Workload {
    let service = objects.services.iter().find(|service| {
        let own = service.selector.as_ref();
        own.is_some_and(|own| !own.is_empty() && (own.select(selector) || selector.select(own)))
    });
    let namespace = service.map_or(&objects.mesh.root_namespace, |service| {
        &service.meta.name.namespace
    });
    let mut labels = selector.clone();
    if let Some(own) = service.and_then(|service| service.selector.as_ref()) {
        labels.0.extend(own.0.clone());
    }
    Workload {
        labels,
        own_ports: well_known::OWN.to_vec(),
        ..Workload::new(Mode::Gateway, namespace.clone())
    }
}

fn namespaces(objects: &Objects) -> BTreeSet<Arc<str>> {
    let services = objects.services.iter().map(|one| &one.meta);
    let metas = services
        .chain(objects.virtual_services.iter().map(|one| &one.meta))
        .chain(objects.destination_rules.iter().map(|one| &one.meta))
        .chain(objects.sidecars.iter().map(|one| &one.meta))
        .chain(objects.telemetries.iter().map(|one| &one.meta));
    metas
        .map(|meta: &Arc<Meta>| meta.name.namespace.clone())
        .collect()
}
