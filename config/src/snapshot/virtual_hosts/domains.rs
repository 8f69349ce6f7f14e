//! The names that lead to a service.

use std::collections::HashSet;

use crate::host::{HostPattern, short_forms};
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
