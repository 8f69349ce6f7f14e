//! Kubernetes Service and EndpointSlice, read. Kubernetes has checked them; what cannot be understood is still reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host::{CLUSTER_DOMAIN, HostPattern};
use crate::model::endpoint::{Address, Endpoint, EndpointGroup};
use crate::model::instance::Instances;
use crate::model::meta::Meta;
use crate::model::read;
use crate::model::service::{Resolution, Service, ServicePort};
use crate::model::traffic_distribution::near;
use crate::port::Protocol;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::envelope::Metadata;
use crate::wire::kubernetes::{EndpointSlice, Service as Wire, ServicePort as WirePort};

/// The annotation that limits the namespaces that a Service is exported to: a comma-separated `exportTo`.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Reads a Service.
pub(crate) fn service(
    wire: &Wire,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Service {
    let name = &meta.name;
    let host = format!("{}.{}.svc.{CLUSTER_DOMAIN}", name.name, name.namespace);
    let headless = wire.cluster_ip == "None";
    let resolution = match wire.kind.as_str() {
        "ExternalName" => {
            if wire.external_name.is_empty() {
                diagnostics.error("externalName", NO_VALUE, "required for type ExternalName");
            }
            Resolution::Alias(wire.external_name.to_ascii_lowercase().into())
        }
        _ if headless => Resolution::None,
        _ => Resolution::Static,
    };
    let mut addresses: Vec<_> = wire.cluster_ips.iter().map(String::as_str).collect();
    if addresses.is_empty() {
        addresses = vec![&wire.cluster_ip];
    }
    addresses.retain(|address| !matches!(*address, "" | "None"));
    let ports = diagnostics.each("ports", &wire.ports, port);
    let export_to: Vec<String> = metadata
        .annotations
        .get(EXPORT_TO)
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect();
    Service {
        meta: Arc::clone(meta),
        host: HostPattern::parse(&host),
        addresses: addresses
            .iter()
            .filter_map(|address| read::address(diagnostics, "clusterIP", address))
            .map(Into::into)
            .collect(),
        given: Vec::new(),
        ports: ports.into_iter().flatten().collect(),
        resolution,
        headless,
        near: near(&wire.traffic_distribution, metadata, diagnostics),
        external: false,
        endpoints: Vec::new(),
        selector: (!wire.selector.is_empty()).then(|| read::labels(&wire.selector)),
        export_to: read::export_to(diagnostics, &export_to, &name.namespace, true),
        subject_alt_names: Vec::new(),
        labels: read::labels(&metadata.labels),
    }
}

/// A port; the inner `None` is one of datagrams, which are not proxied.
fn port(diagnostics: &mut Diagnostics<'_>, wire: &WirePort) -> Option<Option<ServicePort>> {
    if matches!(wire.protocol.as_str(), "UDP" | "SCTP") {
        return Some(None);
    }
    let number = read::port(diagnostics, "port", wire.port)?;
    let target = wire.target_port.0.as_str();
    let target_number = target.parse::<u16>().ok().filter(|number| *number > 0);
    Some(Some(ServicePort {
        number,
        name: wire.name.as_str().into(),
        protocol: Protocol::of_kubernetes_port(number, &wire.name, wire.app_protocol.as_deref()),
        target: target_number,
        target_name: match target_number {
            Some(_) => None,
            None => read::optional(target),
        },
        addresses: None,
    }))
}

/// Reads an EndpointSlice; `None` when it belongs to no Service. Its members have the labels of their Pods, where those
/// were loaded.
pub(crate) fn slice(
    wire: &EndpointSlice,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    instances: &Instances,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<EndpointGroup> {
    let Some(service) = metadata.labels.get(SERVICE_NAME) else {
        diagnostics.warn(
            "metadata.labels",
            NO_VALUE,
            format!("belongs to no Service without the label {SERVICE_NAME}"),
        );
        return None;
    };
    let mut ports = BTreeMap::new();
    for port in &wire.ports {
        if matches!(port.protocol.as_str(), "UDP" | "SCTP") {
            continue;
        }
        if let Some(number) = port
            .port
            .and_then(|number| read::port(diagnostics, "ports", number))
        {
            ports.insert(Arc::from(port.name.as_str()), number);
        }
    }
    let names = wire.address_type == "FQDN";
    let endpoints = diagnostics.each("endpoints", &wire.endpoints, |diagnostics, endpoint| {
        let ready = endpoint
            .conditions
            .as_ref()
            .and_then(|conditions| conditions.ready);
        let addresses =
            diagnostics.each("addresses", &endpoint.addresses, |diagnostics, address| {
                if names {
                    return Some(Address::Name(address.to_ascii_lowercase().into()));
                }
                read::address(diagnostics, "", address).map(Address::Ip)
            });
        let target = endpoint
            .target_ref
            .as_ref()
            .filter(|target| target.kind == "Pod" || target.kind.is_empty())
            .map(|target| target.name.as_str());
        let namespace = &meta.name.namespace;
        let members: Vec<_> = addresses
            .into_iter()
            .map(|address| Endpoint {
                labels: instances.labels(namespace, target, &address),
                workload: instances.workload(namespace, target, &address),
                address,
                ports: ports.clone(),
                weight: None,
                locality: match endpoint.zone.as_str() {
                    "" => "".into(),
                    zone => format!("{}/{zone}", region_of(zone)).into(),
                },
            })
            .collect();
        (ready != Some(false)).then_some(members)
    });
    Some(EndpointGroup {
        meta: Arc::clone(meta),
        service: service.as_str().into(),
        endpoints: endpoints.into_iter().flatten().collect(),
    })
}

/// The region of a zone by the clouds' habit of naming it: `eu-west-1` for `eu-west-1a`, `europe-west4` for
/// `europe-west4-b`; empty where the zone is named otherwise. Slices do not have the region.
fn region_of(zone: &str) -> &str {
    let stem = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let one_letter = zone.len() == stem.len() + 1;
    let stem = stem.strip_suffix('-').unwrap_or(stem);
    if one_letter && stem.ends_with(|c: char| c.is_ascii_digit()) {
        stem
    } else {
        ""
    }
}
