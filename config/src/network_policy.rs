//! The Kubernetes NetworkPolicy that stands beside a namespace's sidecars: what the configuration lets workloads call
//! directly, enforced by the network as well. A workload that goes round its sidecar then gets no further than through it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::endpoint::Address;
use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::service::{Resolution, Service};
use crate::model::source::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::snapshot::services::Registry;
use crate::snapshot::visible;

/// What a policy opens: ranges with their ports, and what cannot be said in addresses.
#[derive(Debug, Default)]
struct Openings {
    ranges: BTreeMap<IpNet, BTreeSet<u16>>,
    notes: BTreeSet<String>,
}

/// The NetworkPolicy of a namespace as YAML. It opens name servers, the pods of the cluster, and the addresses of external
/// ServiceEntries that the namespace sees and calls directly; comments name what addresses cannot express.
pub fn network_policy(objects: &Objects, namespace: &str) -> String {
    let mut openings = Openings::default();
    if objects.mesh.outbound_policy != OutboundPolicy::RegistryOnly {
        openings.notes.insert(
            "outboundTrafficPolicy is not REGISTRY_ONLY: calls of unregistered hosts pass egret, and end here".to_owned(),
        );
    }
    let registry = Registry::new(objects);
    let external = |service: &&Arc<Service>| service.external && registry.sees(namespace, service);
    for service in objects.services.iter().filter(external) {
        match redirected(objects, namespace, &service.host) {
            Some(by) => {
                openings.notes.insert(format!(
                    "{}: left out, VirtualService {by} decides where it goes; open it where that is the host itself",
                    service.host
                ));
            }
            None => openings.add(service),
        }
    }
    openings.yaml(namespace)
}

/// The VirtualService that routes calls of a host from sidecars, if there is one.
fn redirected(objects: &Objects, namespace: &str, host: &HostPattern) -> Option<String> {
    let routes = |vs: &&Arc<VirtualService>| {
        vs.gateways.contains(&GatewayName::Mesh)
            && vs.hosts.iter().any(|own| own.overlaps(host))
            && visible::sees(objects, namespace, vs)
    };
    let vs = objects.virtual_services.iter().find(routes)?;
    Some(vs.meta.name.to_string())
}

impl Openings {
    fn add(&mut self, service: &Service) {
        let by_name = service.endpoints.is_empty() && service.addresses.is_empty();
        let names = service
            .endpoints
            .iter()
            .filter(|endpoint| !matches!(endpoint.address, Address::Ip(_)))
            .count();
        if by_name || names > 0 || service.resolution == Resolution::DynamicDns {
            self.notes.insert(format!(
                "{}: resolved by name, which a NetworkPolicy cannot express; send it through an egress gateway",
                service.host
            ));
        }
        for port in &service.ports {
            if service.resolution == Resolution::None {
                for range in &service.addresses {
                    self.open(*range, port.number);
                }
            }
            for endpoint in &service.endpoints {
                if let Address::Ip(ip) = endpoint.address {
                    let number = endpoint.ports.get(&port.name).copied();
                    let number = number.or(port.target).unwrap_or(port.number);
                    self.open(ip.into(), number);
                }
            }
        }
    }

    fn open(&mut self, range: IpNet, port: u16) {
        self.ranges.entry(range).or_default().insert(port);
    }

    fn yaml(&self, namespace: &str) -> String {
        let mut text = String::from("# Made by `egret-proxy check --network-policy`.\n");
        for note in &self.notes {
            let _ = writeln!(text, "# {note}");
        }
        let _ = write!(
            text,
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: egret-egress\n  \
             namespace: {namespace}\nspec:\n  podSelector: {{}}\n  policyTypes: [Egress]\n  egress:\n  \
             # Name servers.\n  - ports:\n    - {{protocol: UDP, port: 53}}\n    - {{protocol: TCP, port: 53}}\n  \
             # The cluster, egress gateways among it.\n  - to:\n    - namespaceSelector: {{}}\n"
        );
        for (range, ports) in &self.ranges {
            let _ = write!(
                text,
                "  - to:\n    - ipBlock: {{cidr: \"{range}\"}}\n    ports:\n"
            );
            for port in ports {
                let _ = writeln!(text, "    - {{protocol: TCP, port: {port}}}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
