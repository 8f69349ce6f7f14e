//! Route tables of a gateway.

use std::collections::HashMap;

use crate::host::HostPattern;
use crate::model::source::GatewayName;
use crate::model::tls::ServerTlsMode;
use crate::snapshot::gateways::build::{Build, common_hosts};
use crate::snapshot::gateways::serving::Serving;
use crate::snapshot::gateways::shared::{self, Shared};
use crate::snapshot::routes::{Compiler, Site, http_rules};
use crate::snapshot::table::{RouteTable, VirtualHost};

impl<'o> Build<'_, 'o, '_> {
    /// A route table of servers: a virtual host for each name that a server and a VirtualService have in common.
    pub(super) fn table(&mut self, name: String, servers: &[&Serving<'o>]) -> RouteTable {
        let number = servers.first().map_or(0, |serving| serving.server.port);
        let mut hosts: Vec<Shared> = Vec::new();
        let mut indexes: HashMap<HostPattern, usize> = HashMap::new();
        for serving in servers {
            let server = &serving.server;
            let to_https = server.tls == ServerTlsMode::RedirectToHttps;
            for at in 0..self.bound.len() {
                let vs = self.bound[at].vs;
                if !self.binds(vs, serving) {
                    continue;
                }
                let shared = common_hosts(server, vs);
                if shared.is_empty() {
                    continue;
                }
                let names = self.names;
                let here = |name: &GatewayName| names.refers_to(name, serving.gateway);
                let site = Site {
                    workload: self.workload,
                    mesh: &self.objects.mesh,
                    port: server.port,
                    here: &here,
                };
                let rules = http_rules(
                    vs,
                    &self.bound[at].http,
                    &site,
                    &mut Compiler {
                        clusters: self.clusters,
                        problems: self.problems,
                    },
                );
                if rules.is_empty() {
                    continue;
                }
                for host in shared {
                    let index = *indexes.entry(host.clone()).or_insert(hosts.len());
                    match hosts.get_mut(index) {
                        Some(known) => {
                            known.to_https |= to_https;
                            // Another server may have brought the same rules: the later ones are never reached.
                            let new = rules.iter().filter(|rule| {
                                known.rules.iter().all(|one| !one.origin.is(&rule.origin))
                            });
                            let new: Vec<_> = new.cloned().collect();
                            known.rules.extend(new);
                        }
                        None => hosts.push(Shared {
                            host,
                            port: server.port,
                            rules: rules.clone(),
                            to_https,
                        }),
                    }
                }
            }
            if to_https {
                for host in &server.hosts {
                    let index = *indexes.entry(host.host.clone()).or_insert(hosts.len());
                    match hosts.get_mut(index) {
                        Some(known) => known.to_https = true,
                        None => hosts.push(Shared {
                            host: host.host.clone(),
                            port: server.port,
                            rules: Vec::new(),
                            to_https: true,
                        }),
                    }
                }
            }
        }
        let mut table = RouteTable::new(name);
        let names = shared::names(&hosts);
        for (mut shared, name) in hosts.into_iter().zip(names) {
            shared.rules.sort_by_key(|rule| rule.takes_all());
            table.add_new(VirtualHost {
                name,
                domains: vec![shared.host],
                rules: shared.rules,
                to_https: shared.to_https,
            });
        }
        if table.hosts.is_empty() {
            table.add_new(VirtualHost {
                name: format!("blackhole:{number}").into(),
                domains: vec![HostPattern::Any],
                rules: Vec::new(),
                to_https: false,
            });
        }
        table
    }
}
