//! Instances: the addresses and labels of workloads, so that selectors find members. Kubernetes Pods and WorkloadEntries.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::labels::Labels;
use crate::model::endpoint::{Address, DestinationWorkload, Endpoint};
use crate::model::meta::Meta;
use crate::model::tls::Hashed;
use crate::model::{host_name, read};
use crate::name::Kind;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::envelope::{Metadata, OwnerReference};
use crate::wire::kubernetes::Pod;
use crate::wire::service_entry::WorkloadEntry;

/// A Pod or a WorkloadEntry.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The object.
    pub meta: Arc<Meta>,
    /// As a member of the services that select it; a Pod with several addresses is several instances.
    pub endpoint: Endpoint,
}

/// The instances of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Instances {
    list: Vec<Instance>,
    by_namespace: HashMap<Arc<str>, Vec<usize>>,
    by_name: HashMap<(Arc<str>, Arc<str>), usize>,
    by_address: HashMap<(Arc<str>, IpAddr), usize>,
}

impl Instances {
    /// Adds instances of one object.
    pub(crate) fn add(&mut self, instances: &[Instance]) {
        for instance in instances {
            let at = self.list.len();
            let name = &instance.meta.name;
            self.by_namespace
                .entry(Arc::clone(&name.namespace))
                .or_default()
                .push(at);
            if instance.meta.kind == Kind::Pod {
                let key = (Arc::clone(&name.namespace), Arc::clone(&name.name));
                self.by_name.entry(key).or_insert(at);
            }
            if let Address::Ip(ip) = instance.endpoint.address {
                let key = (Arc::clone(&name.namespace), ip);
                self.by_address.entry(key).or_insert(at);
            }
            self.list.push(instance.clone());
        }
    }

    /// The instances of a namespace that have all labels of a selector, in order of loading.
    pub(crate) fn selected(
        &self,
        namespace: &str,
        selector: &Labels,
    ) -> impl Iterator<Item = &Instance> {
        self.by_namespace
            .get(namespace)
            .into_iter()
            .flatten()
            .filter_map(|at| self.list.get(*at))
            .filter(move |instance| selector.select(&instance.endpoint.labels))
    }

    /// The labels of a Pod by its name, or by its address where nothing of that name was loaded.
    pub(crate) fn labels(&self, namespace: &str, pod: Option<&str>, address: &Address) -> Labels {
        self.pod(namespace, pod, address)
            .map_or_else(Labels::default, |instance| instance.endpoint.labels.clone())
    }

    /// The workload of a Pod, found in the same way.
    pub(crate) fn workload(
        &self,
        namespace: &str,
        pod: Option<&str>,
        address: &Address,
    ) -> Option<Hashed<DestinationWorkload>> {
        let instance = self.pod(namespace, pod, address)?;
        instance.endpoint.workload.clone()
    }

    fn pod(&self, namespace: &str, pod: Option<&str>, address: &Address) -> Option<&Instance> {
        let named = || self.by_name.get(&(namespace.into(), pod?.into()));
        let addressed = || match address {
            Address::Ip(ip) => self.by_address.get(&(namespace.into(), *ip)),
            Address::Name(_) | Address::Unix(_) => None,
        };
        if self.list.is_empty() {
            return None;
        }
        let at = named().or_else(addressed)?;
        self.list.get(*at)
    }
}

/// Reads a Pod: one instance an address. One that has ended has none.
pub(crate) fn pod(
    wire: &Pod,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Instance> {
    if matches!(wire.status.phase.as_str(), "Failed" | "Succeeded") {
        return Vec::new();
    }
    let mut addresses: Vec<&str> = wire
        .status
        .pod_ips
        .iter()
        .map(|address| address.ip.as_str())
        .collect();
    if addresses.is_empty() && !wire.status.pod_ip.is_empty() {
        addresses.push(&wire.status.pod_ip);
    }
    let addresses = addresses
        .into_iter()
        .filter_map(|text| read::address(diagnostics, "status.podIP", text));
    let labels = read::labels(&metadata.labels);
    let workload = workload(meta, &labels, &metadata.owner_references);
    addresses
        .map(|ip| Instance {
            meta: Arc::clone(meta),
            endpoint: Endpoint {
                address: Address::Ip(ip),
                ports: BTreeMap::new(),
                labels: labels.clone(),
                weight: None,
                locality: "".into(),
                workload: Some(workload.clone()),
            },
        })
        .collect()
}

/// How metrics name a Pod: by what controls it, by its labels.
fn workload(
    meta: &Meta,
    labels: &Labels,
    owners: &[OwnerReference],
) -> Hashed<DestinationWorkload> {
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    let name: Arc<str> = match controller.or(owners.first()) {
        None => Arc::clone(&meta.name.name),
        Some(owner) if owner.kind == "ReplicaSet" => deployment(&owner.name).into(),
        Some(owner) => owner.name.as_str().into(),
    };
    let canonical_service = labels.canonical_service().map(Arc::from);
    Hashed::new(DestinationWorkload {
        canonical_service: canonical_service.unwrap_or_else(|| Arc::clone(&name)),
        canonical_revision: labels.canonical_revision().into(),
        name,
        namespace: Arc::clone(&meta.name.namespace),
        app: labels.0.get("app").cloned(),
        version: labels.0.get("version").cloned(),
    })
}

/// The Deployment of a ReplicaSet: its name less the hash at its end.
fn deployment(replica_set: &str) -> &str {
    replica_set
        .rsplit_once('-')
        .map_or(replica_set, |(name, _)| name)
}

/// Reads a WorkloadEntry. Labels of its metadata count more than those of its spec.
pub(crate) fn workload_entry(
    wire: &WorkloadEntry,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Instance> {
    let Some(address) = address(wire, diagnostics) else {
        return Vec::new();
    };
    let mut ports = BTreeMap::new();
    diagnostics.within("ports", |diagnostics| {
        for (name, number) in &wire.ports {
            if !host_name::is_label(name) {
                diagnostics.error(name, number, "not a valid name of a port");
            }
            if let Some(number) = read::port(diagnostics, name, *number) {
                ports.insert(Arc::from(name.as_str()), number);
            }
        }
    });
    let mut labels = read::checked_labels(diagnostics, "labels", &wire.labels);
    labels.0.extend(read::labels(&metadata.labels).0);
    vec![Instance {
        meta: Arc::clone(meta),
        endpoint: Endpoint {
            address,
            ports,
            labels,
            weight: (wire.weight > 0).then_some(wire.weight),
            locality: wire.locality.as_str().into(),
            workload: None,
        },
    }]
}

fn address(wire: &WorkloadEntry, diagnostics: &mut Diagnostics<'_>) -> Option<Address> {
    let text = wire.address.as_str();
    if text.is_empty() && !wire.network.is_empty() {
        let message = (
            "a workload of another network behind a gateway; egret does not connect to it",
            "give its address",
        );
        diagnostics.warn("address", NO_VALUE, message);
        return None;
    }
    if text.is_empty() {
        diagnostics.error(
            "address",
            NO_VALUE,
            (
                "required",
                "give an IP address, a host name or unix:///path",
            ),
        );
        return None;
    }
    if let Some(path) = text.strip_prefix("unix://") {
        read::socket(diagnostics, text, path, !wire.ports.is_empty());
        return Some(Address::Unix(path.into()));
    }
    if let Ok(ip) = text.parse() {
        return Some(Address::Ip(ip));
    }
    if let Some(reason) = host_name::problem_of_name(text) {
        diagnostics.error("address", text, reason);
    }
    Some(Address::Name(text.to_ascii_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Kind, ObjectName};
    use crate::problem::Location;

    #[test]
    fn a_pod_is_named_by_what_controls_it_and_by_its_labels() {
        let owner = |kind: &str, name: &str, controller: Option<bool>| OwnerReference {
            kind: kind.to_owned(),
            name: name.to_owned(),
            controller,
        };
        let replica_set = owner("ReplicaSet", "reviews-v1-6d4b75cb6d", Some(true));
        for (owners, labels, name, service, revision) in [
            (vec![], "", "reviews-x", "reviews-x", "latest"),
            (
                vec![owner("Node", "n", None), replica_set],
                "app=reviews,version=v1",
                "reviews-v1",
                "reviews",
                "v1",
            ),
            (
                vec![owner("StatefulSet", "db-0", None)],
                "",
                "db-0",
                "db-0",
                "latest",
            ),
        ] {
            let meta = Meta {
                kind: Kind::Pod,
                name: ObjectName::new("shop", "reviews-x"),
                created: None,
                location: Location::default(),
            };
            let labels = Labels::parse(labels).unwrap();
            let workload = workload(&meta, &labels, &owners);
            assert_eq!((&*workload.name, &*workload.namespace), (name, "shop"));
            assert_eq!(&*workload.canonical_service, service);
            assert_eq!(&*workload.canonical_revision, revision);
            assert_eq!(workload.app.as_deref(), labels.value("app"));
        }
    }
}
