//! The chains of a byte-stream port: rules of VirtualServices first, the service itself behind.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::host::HostPattern;
use crate::model::service::{Service, ServicePort};
use crate::model::source::GatewayName;
use crate::snapshot::chains::{Chain, ChainOrigin, StreamRoute};
use crate::snapshot::outbound::build::Build;
use crate::snapshot::routes::{Compiler, Site, stream_route};
use crate::snapshot::target::Target;

impl Build<'_, '_, '_> {
    pub(super) fn tls_chains(
        &mut self,
        service: &Service,
        port: &ServicePort,
        bind: Option<IpAddr>,
        ranges: &[IpNet],
    ) -> Vec<Chain<StreamRoute>> {
        let mut chains = Vec::new();
        let site = Site {
            workload: self.workload,
            mesh: &self.objects.mesh,
            port: port.number,
            here: &GatewayName::is_mesh,
        };
        let mut handled = HashSet::new();
        for vs in self.virtual_services.streams_for(&service.host) {
            for (at, rule) in vs.tls.iter().enumerate() {
                for (matching, tls_match) in rule.matches.iter().enumerate() {
                    if !site.admits(&tls_match.source)
                        || !handled.insert((&tls_match.sni, &tls_match.subnets))
                    {
                        continue;
                    }
                    let route = stream_route(
                        vs,
                        &rule.destinations,
                        port.number,
                        &format!("spec.tls[{at}]"),
                        &mut Compiler {
                            clusters: self.clusters,
                            problems: self.problems,
                        },
                    );
                    let Some(action) = route else {
                        continue;
                    };
                    chains.push(Chain {
                        subnets: if tls_match.subnets.is_empty() {
                            ranges.to_vec()
                        } else {
                            tls_match.subnets.clone()
                        },
                        sni: tls_match.sni.clone(),
                        unlisted: false,
                        origin: ChainOrigin::Tls {
                            object: vs.meta.clone(),
                            rule: at,
                            matching,
                        },
                        action,
                    });
                }
            }
        }
        let own_address = bind.is_some() && self.imports.bind.is_none();
        if !chains.is_empty() && !own_address {
            return chains;
        }
        let default = |sni: Vec<HostPattern>, unlisted: bool| Chain {
            subnets: ranges.to_vec(),
            sni,
            unlisted,
            origin: ChainOrigin::Service(service.meta.clone()),
            action: StreamRoute::all_to(self.default_target(service, port)),
        };
        // On its own address a service gets every name that no rule takes.
        let unlisted = !chains.is_empty();
        if !own_address {
            let aliases = self
                .virtual_services
                .aliases(service, &self.workload.namespace);
            let names = std::iter::once(service.host.clone()).chain(aliases);
            chains.push(default(names.collect(), false));
        }
        // At the address of an egress listener the first service gets what has no name of another.
        if bind.is_some() {
            chains.push(default(Vec::new(), unlisted));
        }
        chains
    }

    pub(super) fn tcp_chains(
        &mut self,
        service: &Service,
        port: &ServicePort,
        ranges: &[IpNet],
    ) -> Vec<Chain<StreamRoute>> {
        let mut chains = Vec::new();
        let site = Site {
            workload: self.workload,
            mesh: &self.objects.mesh,
            port: port.number,
            here: &GatewayName::is_mesh,
        };
        for vs in self.virtual_services.streams_for(&service.host) {
            for (at, rule) in vs.tcp.iter().enumerate() {
                let fitting: Vec<_> = rule
                    .matches
                    .iter()
                    .enumerate()
                    .filter(|(_, tcp_match)| site.admits(&tcp_match.source))
                    .collect();
                if fitting.is_empty() && !rule.matches.is_empty() {
                    continue;
                }
                let everywhere = fitting
                    .iter()
                    .find(|(_, tcp_match)| tcp_match.subnets.is_empty());
                let takes_all = fitting.is_empty() || everywhere.is_some();
                let route = stream_route(
                    vs,
                    &rule.destinations,
                    port.number,
                    &format!("spec.tcp[{at}]"),
                    &mut Compiler {
                        clusters: self.clusters,
                        problems: self.problems,
                    },
                );
                let Some(action) = route else {
                    continue;
                };
                let first = everywhere
                    .or(fitting.first())
                    .map(|(matching, _)| *matching);
                chains.push(Chain {
                    subnets: if takes_all {
                        ranges.to_vec()
                    } else {
                        fitting
                            .iter()
                            .flat_map(|(_, tcp_match)| &tcp_match.subnets)
                            .copied()
                            .collect()
                    },
                    sni: Vec::new(),
                    unlisted: false,
                    origin: ChainOrigin::Tcp {
                        object: vs.meta.clone(),
                        rule: at,
                        matching: first,
                    },
                    action,
                });
                if takes_all {
                    return chains;
                }
            }
        }
        chains.push(Chain {
            subnets: ranges.to_vec(),
            sni: Vec::new(),
            unlisted: false,
            origin: ChainOrigin::Service(service.meta.clone()),
            action: StreamRoute::all_to(self.default_target(service, port)),
        });
        chains
    }

    fn default_target(&self, service: &Service, port: &ServicePort) -> Target {
        self.clusters
            .target(&service.host.to_string(), None, port.number)
    }
}
