//! ServiceEntry, read: one service a host.

mod members;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::meta::Meta;
use crate::model::service::{Resolution, Service, ServicePort};
use crate::model::traffic_distribution::near;
use crate::model::{host_name, read};
use crate::port::{PortClass, Protocol};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::envelope::Metadata;
use crate::wire::service_entry::ServiceEntry as Wire;
use crate::wire::shared::Port;

/// Reads a ServiceEntry. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &Wire,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Service> {
    let choices = [
        ("NONE", Resolution::None),
        ("STATIC", Resolution::Static),
        ("DNS", Resolution::Dns),
        ("DNS_ROUND_ROBIN", Resolution::DnsRoundRobin),
        ("DYNAMIC_DNS", Resolution::DynamicDns),
    ];
    let indexes: Vec<_> = choices
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (*name, at))
        .collect();
    let at =
        read::enum_value(diagnostics, "resolution", &wire.resolution, &indexes).unwrap_or_default();
    let resolution = choices[at].1.clone();
    let locations = [("MESH_EXTERNAL", true), ("MESH_INTERNAL", false)];
    let external =
        read::enum_value(diagnostics, "location", &wire.location, &locations).unwrap_or(true);

    hosts(wire, &resolution, diagnostics);
    let ports = ports(wire, &resolution, diagnostics);
    let opaque = ports
        .iter()
        .find(|port| cannot_distinguish_hosts(port.protocol));
    if resolution != Resolution::None
        && wire.hosts.len() > 1
        && let Some(opaque) = opaque
    {
        diagnostics.error(
            "ports",
            opaque.number,
            (
                "several hosts need ports whose calls name their host",
                "use HTTP, HTTPS or TLS, or resolution NONE",
            ),
        );
    }
    doubtful(wire, &resolution, &ports, diagnostics);
    let addresses = addresses(wire, &resolution, diagnostics);
    let endpoints = members::endpoints(wire, &resolution, &ports, diagnostics);
    let selector = wire
        .workload_selector
        .as_ref()
        .map(|selector| read::selector(diagnostics, "workloadSelector.labels", &selector.labels));
    let namespace = &meta.name.namespace;
    let export_to = read::export_to(diagnostics, &wire.export_to, namespace, true);
    let near = near("", metadata, diagnostics);
    let service = |host: &String| Service {
        meta: Arc::clone(meta),
        host: HostPattern::parse(host),
        addresses: addresses.clone(),
        given: given(wire, host),
        ports: ports.clone(),
        resolution: resolution.clone(),
        headless: false,
        near,
        external,
        endpoints: endpoints.clone(),
        selector: selector.clone(),
        export_to: export_to.clone(),
        subject_alt_names: wire
            .subject_alt_names
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        labels: read::labels(&metadata.labels),
    };
    wire.hosts.iter().map(service).collect()
}

/// What is admitted and works otherwise than it seems.
fn doubtful(
    wire: &Wire,
    resolution: &Resolution,
    ports: &[ServicePort],
    diagnostics: &mut Diagnostics<'_>,
) {
    let names = matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    let streams = |port: &&ServicePort| port.protocol.class() == Some(PortClass::Tcp);
    if names
        && wire.hosts.len() > 1
        && !wire.addresses.is_empty()
        && ports.iter().any(|port| streams(&port))
    {
        let message = (
            "several hosts share one address, so calls by address cannot be distinguished",
            "write one ServiceEntry a host",
        );
        diagnostics.warn("hosts", wire.hosts.join(", "), message);
    }
    if let Some(selector) = &wire.workload_selector {
        if selector.labels.is_empty() {
            let message = "without labels it selects every workload of the namespace";
            diagnostics.warn("workloadSelector", NO_VALUE, message);
        }
        if *resolution == Resolution::None {
            let message = (
                "resolution NONE connects to the original destination, so no workload is selected",
                "write resolution STATIC",
            );
            diagnostics.warn("workloadSelector", NO_VALUE, message);
        }
    }
    let captures = |port: &&ServicePort| matches!(port.protocol, Protocol::Auto | Protocol::Tcp);
    if *resolution == Resolution::None
        && wire.addresses.is_empty()
        && let Some(port) = ports.iter().find(captures)
    {
        let message = (
            "without addresses this port accepts calls to every address",
            "add addresses",
        );
        diagnostics.warn("addresses", port.number, message);
    }
}

/// The addresses of a host in `status.addresses`; an entry without host is for the only one.
fn given(wire: &Wire, host: &str) -> Vec<std::net::IpAddr> {
    let of_host = wire
        .status
        .addresses
        .iter()
        .filter(|given| given.host == host || (given.host.is_empty() && wire.hosts.len() == 1));
    of_host
        .filter_map(|given| given.value.parse().ok())
        .collect()
}

fn hosts(wire: &Wire, resolution: &Resolution, diagnostics: &mut Diagnostics<'_>) {
    if wire.hosts.is_empty() {
        diagnostics.error(
            "hosts",
            NO_VALUE,
            ("at least one host is required", "list hosts"),
        );
    }
    diagnostics.each("hosts", &wire.hosts, |diagnostics, host| {
        let wildcard = host.starts_with('*');
        if host == "*" {
            diagnostics.error(
                "",
                host,
                (
                    "a ServiceEntry cannot be for every host",
                    "write a suffix such as `*.example.com`",
                ),
            );
        } else if let Some(reason) = host_name::problem_of_pattern(host) {
            diagnostics.error("", host, reason);
        } else if matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin)
            && wildcard
            && wire.endpoints.is_empty()
        {
            diagnostics.error(
                "",
                host,
                (
                    "a wildcard cannot be resolved",
                    "give endpoints, or resolution NONE or DYNAMIC_DNS",
                ),
            );
        } else if *resolution == Resolution::DynamicDns && !wildcard {
            diagnostics.error(
                "",
                host,
                ("resolution DYNAMIC_DNS is for wildcard hosts", "write DNS"),
            );
        }
        host_name::warn_of_partial_wildcard(diagnostics, host);
        Some(())
    });
}

fn ports(
    wire: &Wire,
    resolution: &Resolution,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<ServicePort> {
    if wire.ports.is_empty() {
        diagnostics.warn(
            "ports",
            NO_VALUE,
            ("without ports nothing can be called", "list ports"),
        );
    }
    let mut numbers = BTreeMap::new();
    let mut names = BTreeMap::new();
    diagnostics.each("ports", &wire.ports, |diagnostics, wire: &Port| {
        let number = read::port(diagnostics, "number", wire.number);
        if numbers.insert(wire.number, ()).is_some() {
            diagnostics.error(
                "number",
                wire.number,
                "another port of this ServiceEntry has this number",
            );
        }
        if wire.name.is_empty() {
            diagnostics.error(
                "name",
                NO_VALUE,
                ("a port needs a name", "add one such as `https`"),
            );
        } else if !host_name::is_label(&wire.name) {
            diagnostics.error(
                "name",
                &wire.name,
                "not a valid name of a port: expected letters, digits and dashes",
            );
        } else if names.insert(wire.name.clone(), ()).is_some() {
            diagnostics.error(
                "name",
                &wire.name,
                "another port of this ServiceEntry has this name",
            );
        }
        let protocol = protocol(diagnostics, &wire.protocol)?;
        if protocol == Protocol::Udp {
            diagnostics.warn("protocol", &wire.protocol, "datagrams are not proxied");
        }
        // As with Istio, not HTTPS: nothing would resolve it.
        let by_name = matches!(
            protocol,
            Protocol::Http | Protocol::Http2 | Protocol::Grpc | Protocol::Tls
        );
        if *resolution == Resolution::DynamicDns && !by_name {
            diagnostics.error(
                "protocol",
                &wire.protocol,
                "resolution DYNAMIC_DNS is for HTTP, HTTP2, GRPC and TLS; for HTTPS write TLS",
            );
        }
        Some(ServicePort {
            number: number?,
            name: wire.name.as_str().into(),
            protocol,
            target: read::optional_port(diagnostics, "targetPort", wire.target_port),
            target_name: None,
            addresses: None,
        })
    })
}

/// Reads the name of a protocol; an unknown one is an error.
pub(crate) fn protocol(diagnostics: &mut Diagnostics<'_>, name: &str) -> Option<Protocol> {
    let protocol = Protocol::parse(name);
    if protocol.is_none() {
        diagnostics.error("protocol", name, "expected one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP");
    }
    protocol
}

fn cannot_distinguish_hosts(protocol: Protocol) -> bool {
    protocol.class() != Some(PortClass::Http) && !protocol.is_tls()
}

fn addresses(
    wire: &Wire,
    resolution: &Resolution,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<ipnet::IpNet> {
    let ranges = matches!(resolution, Resolution::None | Resolution::Static);
    if *resolution == Resolution::DynamicDns && !wire.addresses.is_empty() {
        diagnostics.error(
            "addresses",
            wire.addresses.join(", "),
            (
                "resolution DYNAMIC_DNS resolves each call's host",
                "leave them out",
            ),
        );
    }
    diagnostics.each("addresses", &wire.addresses, |diagnostics, address| {
        let range = read::subnet(diagnostics, address)?;
        if address.contains('/') && !ranges {
            diagnostics.error(
                "",
                address,
                (
                    "only with resolution NONE or STATIC",
                    "list single addresses",
                ),
            );
        }
        Some(range)
    })
}
