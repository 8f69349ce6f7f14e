//! The endpoints that a ServiceEntry lists, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::endpoint::{Address, Endpoint};
use crate::model::service::{Resolution, ServicePort};
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::service_entry::{ServiceEntry as Wire, WorkloadEntry};

pub(super) fn endpoints(
    wire: &Wire,
    resolution: &Resolution,
    ports: &[ServicePort],
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Endpoint> {
    let count = wire.endpoints.len();
    if count > 0 && wire.workload_selector.is_some() {
        diagnostics.error(
            "workloadSelector",
            NO_VALUE,
            (
                "only one of workloadSelector and endpoints",
                "leave one out",
            ),
        );
    }
    match resolution {
        Resolution::None | Resolution::DynamicDns if count > 0 => {
            diagnostics.error(
                "endpoints",
                NO_VALUE,
                (
                    "this resolution connects to the original destination",
                    "leave endpoints out, or write resolution STATIC or DNS",
                ),
            );
        }
        Resolution::Static if count == 0 && wire.workload_selector.is_none() => {
            diagnostics.warn(
                "endpoints",
                NO_VALUE,
                (
                    "resolution STATIC without endpoints: calls fail with 503 (UH)",
                    "list endpoints",
                ),
            );
        }
        Resolution::DnsRoundRobin if count > 1 => {
            diagnostics.error(
                "endpoints",
                count,
                (
                    "resolution DNS_ROUND_ROBIN has at most one",
                    "write resolution DNS for several",
                ),
            );
        }
        _ => {}
    }
    diagnostics.each("endpoints", &wire.endpoints, |diagnostics, wire| {
        endpoint(wire, resolution, ports, diagnostics)
    })
}

fn endpoint(
    wire: &WorkloadEntry,
    resolution: &Resolution,
    ports: &[ServicePort],
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Endpoint> {
    let text = wire.address.as_str();
    if text.is_empty() && !wire.network.is_empty() && *resolution == Resolution::Static {
        let message = (
            "an endpoint of another network behind a gateway; egret does not connect to it",
            "give its address",
        );
        diagnostics.warn("address", NO_VALUE, message);
        return None;
    }
    let address = match (text.parse(), text.strip_prefix("unix://"), resolution) {
        (Ok(ip), ..) => Address::Ip(ip),
        (_, Some(path), Resolution::Static) => {
            read::socket(diagnostics, text, path, !wire.ports.is_empty());
            if ports.len() != 1 {
                diagnostics.error(
                    "address",
                    text,
                    (
                        "a unix socket can only serve a ServiceEntry with one port",
                        "use a ServiceEntry a port",
                    ),
                );
            }
            Address::Unix(path.into())
        }
        (_, None, Resolution::Dns | Resolution::DnsRoundRobin) => {
            if let Some(reason) = host_name::problem_of_name(text) {
                diagnostics.error("address", text, reason);
            }
            Address::Name(text.to_ascii_lowercase().into())
        }
        (_, _, Resolution::Static) => {
            diagnostics.error(
                "address",
                text,
                "expected an IP address or unix:///path; for a name write resolution DNS",
            );
            return None;
        }
        _ => {
            diagnostics.error("address", text, "expected an IP address or a host name");
            return None;
        }
    };
    let mut numbers = BTreeMap::new();
    diagnostics.within("ports", |diagnostics| {
        for (name, number) in &wire.ports {
            if !ports.iter().any(|port| *port.name == **name) {
                diagnostics.error(name, number, "the ServiceEntry has no port of this name");
            }
            if let Some(number) = read::port(diagnostics, name, *number) {
                numbers.insert(Arc::from(name.as_str()), number);
            }
        }
    });
    Some(Endpoint {
        address,
        ports: numbers,
        labels: read::checked_labels(diagnostics, "labels", &wire.labels),
        weight: (wire.weight > 0).then_some(wire.weight),
        locality: wire.locality.as_str().into(),
        workload: None,
    })
}
