//! The names that a sidecar answers for where its workload's DNS queries are captured, and their addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::host::{CLUSTER_DOMAIN, HostPattern};
use crate::model::endpoint::Address;
use crate::model::service::Service;
use crate::name::Kind;
use crate::snapshot::services::Registry;
use crate::snapshot::visible::Scope;

/// Name to addresses, for the services that a workload sees.
///
/// Services have their own addresses, or those given to them (see [`crate::snapshot::addresses`]); ranges are left out,
/// since a name has addresses, not ranges. A headless Kubernetes service has those of its endpoints. Services without
/// any are not in the table: their names are the name servers' business.
#[derive(Debug, Default)]
pub struct NameTable {
    names: HashMap<Arc<str>, Entry>,
    /// By what follows the `*`: `.example.com`.
    wildcards: HashMap<Arc<str>, Entry>,
    namespace: Arc<str>,
}

#[derive(Debug)]
struct Entry {
    kubernetes: bool,
    addresses: Arc<[IpAddr]>,
}

impl NameTable {
    /// The table of the workload whose scope this is.
    pub(crate) fn new(scope: &Scope<'_>, registry: &Registry<'_>, namespace: &Arc<str>) -> Self {
        let mut table = Self {
            namespace: Arc::clone(namespace),
            ..Self::default()
        };
        for service in scope.imports.iter().flat_map(|imports| &imports.services) {
            table.add(service, registry);
        }
        table
    }

    fn add(&mut self, service: &Service, registry: &Registry<'_>) {
        let addresses = addresses(service, registry);
        let (names, key) = match &service.host {
            HostPattern::Exact(host) => (&mut self.names, host),
            HostPattern::Suffix(suffix) => (&mut self.wildcards, suffix),
            HostPattern::Any => return,
        };
        let kubernetes = service.meta.kind == Kind::Service;
        if addresses.is_empty()
            || names
                .get(key)
                .is_some_and(|known| known.kubernetes >= kubernetes)
        {
            return;
        }
        let entry = Entry {
            kubernetes,
            addresses,
        };
        names.insert(Arc::clone(key), entry);
    }

    /// The addresses of a name (lower case, without the final dot), of both families; `None` when it is not one of the
    /// table's. Kubernetes services have their short names too, relative to the workload's namespace: `name`,
    /// `name.namespace`, `name.namespace.svc`. Of wildcards the longest counts.
    pub fn find(&self, name: &str) -> Option<&Arc<[IpAddr]>> {
        let entry = self
            .names
            .get(name)
            .or_else(|| self.short(name))
            .or_else(|| self.wildcard(name))?;
        Some(&entry.addresses)
    }

    /// Every name with its addresses, by name; wildcards as `*.example.com`.
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn all(&self) -> Vec<(String, &[IpAddr])> {
        let exact = self.names.iter();
        let exact = exact.map(|(name, entry)| (name.to_string(), &*entry.addresses));
        let wild = self.wildcards.iter();
        let wild = wild.map(|(suffix, entry)| (format!("*{suffix}"), &*entry.addresses));
        let mut all: Vec<_> = exact.chain(wild).collect();
        all.sort_unstable();
        all
    }

    /// How many names there are, wildcards included.
    pub fn len(&self) -> usize {
        self.names.len() + self.wildcards.len()
    }

    /// Whether there is no name at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn short(&self, name: &str) -> Option<&Entry> {
        let full = match name.split('.').count() {
            1 => format!("{name}.{}.svc.{CLUSTER_DOMAIN}", self.namespace),
            2 => format!("{name}.svc.{CLUSTER_DOMAIN}"),
            3 if name.ends_with(".svc") => format!("{name}.{CLUSTER_DOMAIN}"),
            _ => return None,
        };
        self.names.get(&*full).filter(|entry| entry.kubernetes)
    }

    fn wildcard(&self, name: &str) -> Option<&Entry> {
        if self.wildcards.is_empty() {
            return None;
        }
        name.match_indices('.')
            .filter(|(at, _)| *at > 0)
            .find_map(|(at, _)| self.wildcards.get(&name[at..]))
    }
}

/// The addresses of a service's names, IPv4 before IPv6.
fn addresses(service: &Service, registry: &Registry<'_>) -> Arc<[IpAddr]> {
    let mut addresses: Vec<IpAddr> = service
        .addresses
        .iter()
        .filter(|net| net.prefix_len() == net.max_prefix_len())
        .map(|net| net.addr())
        .collect();
    if service.headless {
        let endpoints = registry.endpoints(service);
        addresses.extend(endpoints.iter().filter_map(|one| match one.address {
            Address::Ip(ip) => Some(ip),
            Address::Name(_) | Address::Unix(_) => None,
        }));
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    let mut unique = Vec::with_capacity(addresses.len());
    for ip in addresses {
        if !unique.contains(&ip) {
            unique.push(ip);
        }
    }
    unique.into()
}

#[cfg(test)]
mod tests;
