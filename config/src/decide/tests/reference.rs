//! A slow and obvious reading of the rules, with which the engine must agree on random configurations and calls.
//!
//! The reference looks at every object for every call. It shares the model and the pattern arithmetic with the engine, and
//! nothing else: no index, no table, no chain.

mod chains;

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::decide::tests::reference::chains::{Destinations, StreamChain, add, best};
use crate::decide::tests::samples::{NAMES, configuration};
use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::route::{HttpAction, HttpRoute};
use crate::model::service::Service;
use crate::model::source::SourceMatch;
use crate::model::virtual_service::VirtualService;
use crate::port::{PortClass, Protocol};

/// What a random call is.
#[derive(Clone, Debug)]
struct Sample {
    protocol: &'static str,
    to: SocketAddr,
    host: &'static str,
    path: &'static str,
}

impl Sample {
    fn line(&self) -> String {
        let Self {
            protocol,
            to,
            host,
            path,
        } = self;
        format!("{protocol} {to} {host}{path}")
    }
}

/// Whose a host is.
enum Owner<'o> {
    /// Its rules decide.
    Rules(&'o VirtualService),
    /// A service.
    Service(&'o Service),
}

/// The reference: one namespace, every object public, no Sidecar.
struct Reference<'o> {
    objects: &'o Objects,
    allow_any: bool,
}

impl<'o> Reference<'o> {
    fn outcome(&self, call: &Sample) -> String {
        let (to, port) = (call.to.ip(), call.to.port());
        let own = self.on(port).any(|(service, protocol)| {
            protocol.class() != Some(PortClass::Http) && is_at(service, to)
        });
        let wildcard = self.on(port).any(|(service, protocol)| {
            protocol.class() == Some(PortClass::Http) || !has_only_own_addresses(service)
        });
        if !own && !wildcard {
            return self.unknown(call);
        }
        let bind = own.then_some(to);
        let chains = self.chains(bind, port);
        let name = (call.protocol == "tls").then_some(call.host);
        // Ranges first, the longest that has something for the call; then HTTP; then chains without a range.
        let mut lengths: Vec<u8> = chains
            .iter()
            .filter_map(|chain| chain.range)
            .filter(|range| range.contains(&to))
            .map(|range| range.prefix_len())
            .collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        for length in lengths {
            let of_range = chains.iter().filter(|chain| {
                chain
                    .range
                    .is_some_and(|range| range.contains(&to) && range.prefix_len() == length)
            });
            if let Some(chain) = best(of_range, name) {
                return self.stream(&chain.to);
            }
        }
        if call.protocol == "http" && self.speaks_http(bind, port) {
            return self.request(bind, call);
        }
        match best(chains.iter().filter(|chain| chain.range.is_none()), name) {
            Some(chain) => self.stream(&chain.to),
            None => self.unknown(call),
        }
    }

    fn unknown(&self, call: &Sample) -> String {
        let refused = if call.protocol == "http" {
            "502"
        } else {
            "blackhole"
        };
        if self.allow_any { "pass" } else { refused }.to_owned()
    }

    /// Services on a port, with the protocol there, in order.
    fn on(&self, port: u16) -> impl Iterator<Item = (&'o Service, Protocol)> {
        self.objects.services.iter().filter_map(move |service| {
            let here = service.ports.iter().find(|one| one.number == port)?;
            Some((&**service, here.protocol))
        })
    }

    /// Whether a listener reads HTTP: of its own address for services of undeclared protocol there, of every address for
    /// HTTP services of the port and undeclared ones without an address of their own.
    fn speaks_http(&self, bind: Option<IpAddr>, port: u16) -> bool {
        self.on(port)
            .any(|(service, protocol)| match (protocol.class(), bind) {
                (Some(PortClass::Auto), Some(ip)) => is_at(service, ip),
                (Some(PortClass::Auto), None) => !has_only_own_addresses(service),
                (Some(PortClass::Http), None) => true,
                _ => false,
            })
    }

    fn chains(&self, bind: Option<IpAddr>, port: u16) -> Vec<StreamChain<'o>> {
        let mut chains: Vec<StreamChain<'o>> = Vec::new();
        for (service, protocol) in self.on(port) {
            if protocol.class() == Some(PortClass::Http) {
                continue;
            }
            let ranges: Vec<IpNet> = service
                .addresses
                .iter()
                .copied()
                .filter(|net| net.prefix_len() < 32)
                .collect();
            let ranges = match bind {
                Some(ip) if is_at(service, ip) => Vec::new(),
                Some(_) => continue,
                None if service.addresses.is_empty() => Vec::new(),
                None if ranges.is_empty() => continue,
                None => ranges,
            };
            let new = if protocol.is_tls() {
                self.tls(service, port, bind.is_some(), &ranges)
            } else {
                self.tcp(service, port, &ranges)
            };
            chains.extend(new);
        }
        chains
    }

    fn tls(
        &self,
        service: &'o Service,
        port: u16,
        own: bool,
        ranges: &[IpNet],
    ) -> Vec<StreamChain<'o>> {
        let mut chains = Vec::new();
        for vs in self.for_streams(service) {
            for rule in &vs.tls {
                for rule_match in rule.matches.iter().filter(|one| applies(&one.source, port)) {
                    let subnets = match &rule_match.subnets[..] {
                        [] => ranges,
                        subnets => subnets,
                    };
                    let to = Destinations::Rule(&rule.destinations, port);
                    for name in &rule_match.sni {
                        add(&mut chains, subnets, Some(name), false, &to);
                    }
                }
            }
        }
        let ruled = !chains.is_empty();
        let to = Destinations::Service(service, port);
        match (ruled, own) {
            (true, false) => {}
            (_, true) => add(&mut chains, ranges, None, ruled, &to),
            (false, false) => add(&mut chains, ranges, Some(&service.host), false, &to),
        }
        chains
    }

    fn tcp(&self, service: &'o Service, port: u16, ranges: &[IpNet]) -> Vec<StreamChain<'o>> {
        let mut chains = Vec::new();
        for vs in self.for_streams(service) {
            for rule in &vs.tcp {
                let to = Destinations::Rule(&rule.destinations, port);
                let fitting: Vec<_> = rule
                    .matches
                    .iter()
                    .filter(|one| applies(&one.source, port))
                    .collect();
                if rule.matches.is_empty() || fitting.iter().any(|one| one.subnets.is_empty()) {
                    add(&mut chains, ranges, None, false, &to);
                    return chains;
                }
                for one in fitting {
                    add(&mut chains, &one.subnets, None, false, &to);
                }
            }
        }
        let to = Destinations::Service(service, port);
        add(&mut chains, ranges, None, false, &to);
        chains
    }

    fn for_streams(&self, service: &Service) -> impl Iterator<Item = &'o VirtualService> {
        let host = service.host.clone();
        self.objects
            .virtual_services
            .iter()
            .map(|vs| &**vs)
            .filter(move |vs| vs.hosts.iter().any(|one| one.overlaps(&host)))
    }

    fn stream(&self, to: &Destinations<'o>) -> String {
        match to {
            Destinations::Service(service, port) => {
                format!("outbound|{port}||{}", service.host)
            }
            Destinations::Rule(destinations, listener) => {
                let destination = &destinations[0].destination;
                let service = self.service(&destination.host);
                let only = service
                    .filter(|service| service.ports.len() == 1)
                    .map(|service| service.ports[0].number);
                let port = destination.port.or(only).unwrap_or(*listener);
                self.cluster(&destination.host, port)
            }
        }
    }

    fn service(&self, host: &str) -> Option<&'o Service> {
        let pattern = HostPattern::parse(host);
        let mut services = self.objects.services.iter().map(|service| &**service);
        services.find(|service| service.host == pattern)
    }

    fn cluster(&self, host: &str, port: u16) -> String {
        let there = self
            .service(host)
            .is_some_and(|service| service.ports.iter().any(|one| one.number == port));
        let missing = if there { "" } else { "NC " };
        format!("{missing}outbound|{port}||{host}")
    }

    fn request(&self, bind: Option<IpAddr>, call: &Sample) -> String {
        let port = call.to.port();
        let rules = match bind {
            Some(ip) => {
                let (service, _) = self
                    .on(port)
                    .find(|(service, protocol)| {
                        protocol.class() == Some(PortClass::Auto) && is_at(service, ip)
                    })
                    .expect("the listener speaks HTTP");
                Some(Owner::Service(service))
            }
            None => self.virtual_host(port, &call.host.to_ascii_lowercase()),
        };
        let service = match rules {
            None => return self.unknown(call),
            Some(Owner::Rules(vs)) => return self.ruled(vs, call),
            Some(Owner::Service(service)) => service,
        };
        match self.owner(service, port) {
            Some(vs) => self.ruled(vs, call),
            None => self.cluster(&service.host.to_string(), port),
        }
    }

    /// The owner of a host on a port: a VirtualService with a host that no service has, or a service.
    fn virtual_host(&self, port: u16, host: &str) -> Option<Owner<'o>> {
        let services: Vec<&Service> = self
            .on(port)
            .filter(|(_, protocol)| {
                matches!(protocol.class(), Some(PortClass::Http | PortClass::Auto))
            })
            .map(|(service, _)| service)
            .collect();
        let registered = |host: &HostPattern| self.on(port).any(|(one, _)| one.host == *host);
        let mut claims: Vec<(HostPattern, Owner<'o>)> = Vec::new();
        for vs in &self.objects.virtual_services {
            let takes_part = port == 80
                || services
                    .iter()
                    .any(|service| vs.hosts.iter().any(|one| one.overlaps(&service.host)));
            if !takes_part || !has_rules(vs, port) {
                continue;
            }
            for host in vs.hosts.iter().filter(|host| !registered(host)) {
                claims.push((host.clone(), Owner::Rules(vs)));
            }
            for service in &services {
                let owned = self
                    .owner(service, port)
                    .is_some_and(|owner| std::ptr::eq(owner, &raw const **vs));
                if owned {
                    claims.extend(domains(service).map(|domain| (domain, Owner::Service(service))));
                }
            }
        }
        for service in services {
            if self.owner(service, port).is_none() {
                claims.extend(domains(service).map(|domain| (domain, Owner::Service(service))));
            }
        }
        let mut fitting: Vec<_> = claims
            .into_iter()
            .filter(|(pattern, _)| pattern.matches(host))
            .collect();
        // A stable sort: of equal patterns the first claim stays first.
        fitting.sort_by(|(one, _), (other, _)| one.by_specificity(other));
        fitting.into_iter().next().map(|(_, owner)| owner)
    }

    /// The VirtualService whose rules a service has.
    fn owner(&self, service: &Service, port: u16) -> Option<&'o VirtualService> {
        let all = || self.objects.virtual_services.iter().map(|vs| &**vs);
        let named = |vs: &&VirtualService| vs.hosts.contains(&service.host);
        if all().any(|vs| named(&vs)) {
            return all().filter(named).find(|vs| has_rules(vs, port));
        }
        let mut covering: Vec<(&HostPattern, &VirtualService)> = all()
            .flat_map(|vs| vs.hosts.iter().map(move |host| (host, vs)))
            .filter(|(host, _)| host.covers(&service.host))
            .collect();
        covering.sort_by(|(one, _), (other, _)| one.by_specificity(other));
        let (_, vs) = covering.first()?;
        has_rules(vs, port).then_some(*vs)
    }

    fn ruled(&self, vs: &VirtualService, call: &Sample) -> String {
        let port = call.to.port();
        for rule in &vs.http {
            if !fits(rule, port, call.path) {
                continue;
            }
            return match &rule.action {
                HttpAction::Respond(response) => {
                    format!("respond 200 {}", String::from_utf8_lossy(&response.body))
                }
                HttpAction::Route(destinations) => {
                    let destination = &destinations[0].destination;
                    self.cluster(&destination.host, destination.port.unwrap_or(port))
                }
                HttpAction::Redirect(_) | HttpAction::Delegate(_) => {
                    unreachable!("the samples have none")
                }
            };
        }
        "404".to_owned()
    }
}

fn is_at(service: &Service, ip: IpAddr) -> bool {
    service.addresses.contains(&IpNet::from(ip))
}

fn has_only_own_addresses(service: &Service) -> bool {
    let own = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    !service.addresses.is_empty() && service.addresses.iter().all(own)
}

fn applies(source: &SourceMatch, port: u16) -> bool {
    source.port.is_none_or(|number| number == port)
}

fn has_rules(vs: &VirtualService, port: u16) -> bool {
    vs.http.iter().any(|rule| {
        rule.matches.is_empty() || rule.matches.iter().any(|one| applies(&one.source, port))
    })
}

fn fits(rule: &HttpRoute, port: u16, path: &str) -> bool {
    rule.matches.is_empty()
        || rule
            .matches
            .iter()
            .any(|one| applies(&one.source, port) && one.path().is_none_or(|uri| uri.matches(path)))
}

/// The names of a service: its host, the same with a final dot, its addresses.
fn domains(service: &Service) -> impl Iterator<Item = HostPattern> {
    let dotted = HostPattern::parse(&format!("{}.", service.host));
    let addresses: Vec<_> = service
        .addresses
        .iter()
        .filter(|net| net.prefix_len() == net.max_prefix_len())
        .map(|net| HostPattern::parse(&net.addr().to_string()))
        .collect();
    [service.host.clone(), dotted].into_iter().chain(addresses)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_agrees_with_the_reference(yaml in configuration(), allow_any: bool) {
        let mesh = if allow_any { ALLOW_ANY } else { REGISTRY_ONLY };
        let world = sidecar(mesh, &yaml);
        let text = Text { file: "a.yaml".into(), bytes: yaml.clone().into_bytes() };
        let (objects, _) = load(&[text], None);
        let reference = Reference { objects: &objects, allow_any };
        for protocol in ["http", "tls", "tcp"] {
            for to in ["10.0.0.1", "10.0.0.2", "10.0.0.77", "10.0.1.1"] {
                for port in [80, 8080, 9090] {
                    for host in NAMES {
                        for path in ["/a", "/b"] {
                            let to = SocketAddr::new(to.parse().unwrap(), port);
                            let call = Sample { protocol, to, host, path };
                            let engine = world.outcome_of(&call.line(), &mut |_| 0);
                            let expected = reference.outcome(&call);
                            prop_assert_eq!(engine, expected, "{} with\n{}", call.line(), yaml);
                        }
                    }
                }
            }
        }
    }
}
