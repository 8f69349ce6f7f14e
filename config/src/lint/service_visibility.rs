//! Services that no workload sees: exported to none, or excluded by the Sidecars of every namespace they are exported to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::labels::Labels;
use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::meta::ExportTo;
use crate::model::service::Service;
use crate::model::sidecar::{ImportFrom, Sidecar};
use crate::name::Kind;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let mesh = &view.objects.mesh;
    let mut sidecars = Sidecars::new();
    for sidecar in &view.objects.sidecars {
        let namespace = &*sidecar.meta.name.namespace;
        sidecars.entry(namespace).or_default().push(sidecar);
    }
    let root = &*mesh.root_namespace;
    let everyone = Labels::default();
    for service in &view.objects.services {
        if service.meta.kind != Kind::ServiceEntry {
            continue;
        }
        let own = &service.meta.name.namespace;
        let field = match &service.export_to {
            Some(_) => "spec.exportTo",
            None => "spec.hosts",
        };
        let list: BTreeSet<Arc<str>> = match service
            .export_to
            .as_ref()
            .unwrap_or(&mesh.service_export_to)
        {
            ExportTo::Nobody => {
                warnings.push(warning(
                    &service.meta,
                    field,
                    "~",
                    "exported to no namespace: no workload sees it",
                    "list namespaces, or `*`",
                ));
                continue;
            }
            // Some namespace that is not among these objects may see it.
            ExportTo::All if general(&sidecars, root).is_none() => continue,
            ExportTo::All => view
                .objects
                .sidecars
                .iter()
                .map(|one| one.meta.name.namespace.clone())
                .collect(),
            ExportTo::Namespaces(list) => list
                .iter()
                .map(|name| {
                    if **name == *"." {
                        own.clone()
                    } else {
                        name.clone()
                    }
                })
                .collect(),
        };
        let excluding_sidecars: Option<Vec<_>> = list
            .iter()
            .map(|namespace| {
                let pods = view.objects.instances.selected(namespace, &everyone);
                let pods = pods.filter(|pod| pod.meta.kind == Kind::Pod);
                let labels: Vec<_> = pods.map(|pod| &pod.endpoint.labels).collect();
                excluding_sidecar(&sidecars, root, namespace, &labels, service)
            })
            .collect();
        if let Some(excluding_sidecars) =
            excluding_sidecars.filter(|excluding_sidecars| !excluding_sidecars.is_empty())
        {
            let names: Vec<_> = excluding_sidecars
                .iter()
                .map(|sidecar| sidecar.meta.title())
                .collect();
            warnings.push(warning(
                &service.meta,
                field,
                &service.host.to_string(),
                format!(
                    "no sidecar sees this host: {} does not import it",
                    names.join(", ")
                ),
                format!(
                    "add \"{own}/{}\" to spec.egress[].hosts there, or export it to others",
                    service.host
                ),
            ));
        }
    }
}

/// The Sidecars of each namespace.
type Sidecars<'o> = HashMap<&'o str, Vec<&'o Arc<Sidecar>>>;

/// The Sidecar of a namespace for workloads that no other selects.
fn general<'o>(sidecars: &Sidecars<'o>, namespace: &str) -> Option<&'o Arc<Sidecar>> {
    let own = sidecars.get(namespace)?;
    own.iter().copied().find(|one| one.selector.is_none())
}

/// The Sidecar that keeps a service from every sidecar of a namespace, if one does. `pods` are the labels of those that
/// are known; without any, every selector of a Sidecar may select some.
fn excluding_sidecar<'o>(
    sidecars: &Sidecars<'o>,
    root: &str,
    namespace: &str,
    pods: &[&Labels],
    service: &Service,
) -> Option<&'o Arc<Sidecar>> {
    let mut excluding_sidecar = None;
    for labels in pods {
        let mut own = sidecars.get(namespace).into_iter().flatten();
        let chosen = own.find(|one| one.selector.as_ref().is_some_and(|own| own.select(labels)));
        let chosen = chosen.copied();
        let chosen =
            chosen.or_else(|| general(sidecars, namespace).or_else(|| general(sidecars, root)))?;
        if imports(chosen, namespace, service) {
            return None;
        }
        excluding_sidecar = Some(chosen);
    }
    if excluding_sidecar.is_some() {
        return excluding_sidecar;
    }
    let mut own = sidecars.get(namespace).into_iter().flatten();
    if own.any(|one| one.selector.is_some() && imports(one, namespace, service)) {
        return None;
    }
    let general = general(sidecars, namespace).or_else(|| general(sidecars, root))?;
    (!imports(general, namespace, service)).then_some(general)
}

fn imports(sidecar: &Sidecar, namespace: &str, service: &Service) -> bool {
    let own = &service.meta.name.namespace;
    sidecar.egress.is_empty()
        || sidecar
            .egress
            .iter()
            .flat_map(|listener| &listener.hosts)
            .any(|import| {
                let from = match &import.namespace {
                    ImportFrom::Any => true,
                    ImportFrom::Nothing => false,
                    ImportFrom::Namespace(name) => name == own,
                    ImportFrom::Own => **own == *namespace,
                };
                from && !import.exclude && import.host.covers(&service.host)
            })
}
