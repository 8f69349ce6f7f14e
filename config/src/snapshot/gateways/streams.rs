//! What a gateway does with TLS and with plain byte streams.

use std::collections::HashSet;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::gateway::Server;
use crate::model::service::Service;
use crate::model::source::GatewayName;
use crate::model::tls::ServerTlsMode;
use crate::port::Protocol;
use crate::problem::Problem;
use crate::snapshot::chains::{Chain, ChainOrigin, StreamRoute};
use crate::snapshot::gateways::build::{Build, common_hosts};
use crate::snapshot::gateways::listener::{GatewayListener, TlsAction};
use crate::snapshot::gateways::serving::{Serving, origin};
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::routes::{Compiler, Site, stream_route};
use crate::snapshot::services::TieBreak;

impl<'o> Build<'_, 'o, '_> {
    pub(super) fn add_terminating(
        &mut self,
        serving: &Serving<'o>,
        listener: &mut GatewayListener,
    ) {
        let server = &serving.server;
        let ServerTlsMode::Terminate(tls) = &server.tls else {
            return;
        };
        let action = if server.protocol == Protocol::Tls || server.protocol == Protocol::Tcp {
            let Some((route, _)) = self.tcp(serving) else {
                return;
            };
            TlsAction::Stream {
                tls: tls.clone(),
                server: server.clone(),
                route,
            }
        } else {
            let name = &serving.gateway.meta.name;
            let bind = server
                .bind
                .map(|bind| format!(".{bind}"))
                .unwrap_or_default();
            let table = format!(
                "https.{}.{}.{}.{}{bind}",
                server.port, server.port_name, name.name, name.namespace
            );
            TlsAction::Http {
                tls: tls.clone(),
                server: server.clone(),
                table: Arc::new(self.table(table, &[serving])),
            }
        };
        listener.tls.add(Chain {
            subnets: Vec::new(),
            sni: server.hosts.iter().map(|host| host.host.clone()).collect(),
            unlisted: false,
            origin: origin(serving),
            action,
        });
    }

    pub(super) fn add_passthrough(
        &mut self,
        serving: &Serving<'o>,
        listener: &mut GatewayListener,
    ) {
        let server = &serving.server;
        if server.tls == ServerTlsMode::AutoPassthrough {
            let named = self.named_by_sni(server);
            listener.tls.add(Chain {
                subnets: Vec::new(),
                sni: server.hosts.iter().map(|host| naming(&host.host)).collect(),
                unlisted: false,
                origin: origin(serving),
                action: TlsAction::NamedBySni(named),
            });
            return;
        }
        for at in 0..self.bound.len() {
            let vs = self.bound[at].vs;
            if vs.tls.is_empty() || !self.binds(vs, serving) || common_hosts(server, vs).is_empty()
            {
                continue;
            }
            for (rule_at, rule) in vs.tls.iter().enumerate() {
                for (matching, tls_match) in rule.matches.iter().enumerate() {
                    let names = self.names;
                    let here = |name: &GatewayName| names.refers_to(name, serving.gateway);
                    let site = Site {
                        workload: self.workload,
                        mesh: &self.objects.mesh,
                        port: server.port,
                        here: &here,
                    };
                    if !site.admits(&tls_match.source) {
                        continue;
                    }
                    let origin = ChainOrigin::Tls {
                        object: vs.meta.clone(),
                        rule: rule_at,
                        matching,
                    };
                    if let Some(holder) = listener.tls.holder(&tls_match.sni) {
                        // Another server of the port may have brought the same match.
                        if !holder.origin.is(&origin) {
                            self.problems.add(Problem {
                                field: format!("spec.tls[{rule_at}].match[{matching}].sniHosts"),
                                reason: format!(
                                    "{} has one of these names on port {} and keeps it, as the first: this match is \
                                     left out",
                                    holder.origin, server.port
                                ),
                                ..ProblemSet::warning(&vs.meta)
                            });
                        }
                        continue;
                    }
                    let route = stream_route(
                        vs,
                        &rule.destinations,
                        server.port,
                        &format!("spec.tls[{rule_at}]"),
                        &mut Compiler {
                            clusters: self.clusters,
                            problems: self.problems,
                        },
                    );
                    let Some(route) = route else {
                        continue;
                    };
                    listener.tls.add(Chain {
                        subnets: Vec::new(),
                        sni: tls_match.sni.clone(),
                        unlisted: false,
                        origin,
                        action: TlsAction::Passthrough(route),
                    });
                }
            }
        }
    }

    /// The hosts of the mesh that the SNI may name at a server: those that its own hosts cover.
    fn named_by_sni(&self, server: &Server) -> HashSet<HostPattern> {
        let registry = self.clusters.registry;
        let covered = |service: &Service| {
            !service.external
                && server
                    .hosts
                    .iter()
                    .any(|host| host.host.covers(&service.host))
        };
        registry
            .visible(&self.workload.namespace, TieBreak::First, covered)
            .iter()
            .map(|service| service.host.clone())
            .collect()
    }

    pub(super) fn tcp(&mut self, serving: &Serving<'o>) -> Option<(StreamRoute, ChainOrigin)> {
        let server = &serving.server;
        for at in 0..self.bound.len() {
            let vs = self.bound[at].vs;
            if vs.tcp.is_empty() || !self.binds(vs, serving) || common_hosts(server, vs).is_empty()
            {
                continue;
            }
            for (rule_at, rule) in vs.tcp.iter().enumerate() {
                let names = self.names;
                let here = |name: &GatewayName| names.refers_to(name, serving.gateway);
                let site = Site {
                    workload: self.workload,
                    mesh: &self.objects.mesh,
                    port: server.port,
                    here: &here,
                };
                let matching = rule
                    .matches
                    .iter()
                    .position(|tcp_match| site.admits(&tcp_match.source));
                if matching.is_none() && !rule.matches.is_empty() {
                    continue;
                }
                let origin = ChainOrigin::Tcp {
                    object: vs.meta.clone(),
                    rule: rule_at,
                    matching,
                };
                let route = stream_route(
                    vs,
                    &rule.destinations,
                    server.port,
                    &format!("spec.tcp[{rule_at}]"),
                    &mut Compiler {
                        clusters: self.clusters,
                        problems: self.problems,
                    },
                );
                if let Some(route) = route {
                    return Some((route, origin));
                }
            }
        }
        None
    }
}

/// The SNIs that name clusters of a host: `outbound_.port_.subset_.host`.
fn naming(host: &HostPattern) -> HostPattern {
    match host {
        HostPattern::Exact(host) => HostPattern::Suffix(format!("_.{host}").into()),
        HostPattern::Suffix(_) | HostPattern::Any => host.clone(),
    }
}
