//! The names that lead to a service.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::host::{HostPattern, has_short_forms, short_forms};
use crate::model::service::Service;
use crate::name::Kind;
use crate::snapshot::virtual_hosts::index::VirtualServices;
use crate::snapshot::workload::Workload;

/// The names that lead to a service: its host, the same with a final dot, short forms, addresses, aliases.
pub(super) fn domains(
    service: &Service,
    virtual_services: &VirtualServices<'_>,
    registered: &HashSet<&HostPattern>,
    workload: &Workload,
) -> Vec<HostPattern> {
    let mut domains = vec![service.host.clone()];
    if let HostPattern::Exact(name) = &service.host {
        let mut short: Vec<String> = short_forms(name, &workload.namespace).collect();
        if service.headless && service.meta.kind == Kind::Service {
            let below: Vec<_> = std::iter::once(name.to_string())
                .chain(short.iter().cloned())
                .map(|name| HostPattern::Suffix(format!(".{name}").into()))
                .collect();
            domains.extend(below);
        }
        domains.push(HostPattern::Exact(format!("{name}.").into()));
        // A short form that is another service's real host is not taken from it.
        short.retain(|form| !registered.contains(&HostPattern::Exact(form.as_str().into())));
        domains.extend(
            short
                .into_iter()
                .map(|form| HostPattern::Exact(form.into())),
        );
    } else if let HostPattern::Suffix(suffix) = &service.host {
        domains.push(HostPattern::Suffix(format!("{suffix}.").into()));
    }
    for address in &service.addresses {
        if address.prefix_len() == address.max_prefix_len() {
            domains.push(HostPattern::Exact(address.addr().to_string().into()));
        }
    }
    domains.extend(virtual_services.aliases(service, &workload.namespace));
    domains
}

/// Whether `domains`, maybe of the snapshot before, are those of a service that has no others than its host, the same
/// with a final dot, and its addresses.
pub(super) fn are_plain_domains(
    domains: &[HostPattern],
    service: &Service,
    virtual_services: &VirtualServices<'_>,
) -> bool {
    let dotted = |domain: &HostPattern| match (domain, &service.host) {
        (HostPattern::Exact(domain), HostPattern::Exact(host))
        | (HostPattern::Suffix(domain), HostPattern::Suffix(host)) => {
            domain.strip_suffix('.') == Some(host)
        }
        _ => false,
    };
    let is = |domain: &HostPattern, address: IpAddr| {
        let named = domain.exact().and_then(|name| name.parse().ok());
        named == Some(address)
    };
    let [first, second, others @ ..] = domains else {
        return false;
    };
    let single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
    let addresses = service.addresses.iter().filter(single);
    *first == service.host
        && dotted(second)
        && addresses.clone().count() == others.len()
        && addresses
            .zip(others)
            .all(|(net, domain)| is(domain, net.addr()))
        && !has_short_forms(&service.host)
        && !virtual_services.has_aliases(&service.host)
}
