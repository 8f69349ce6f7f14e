//! The virtual hosts of a gateway's table while it is built, and their names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::HostPattern;
use crate::snapshot::table::Rule;

/// A virtual host while its table is built.
pub(super) struct Shared {
    pub(super) host: HostPattern,
    /// The port of the first server that has it.
    pub(super) port: u16,
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) to_https: bool,
}

/// The name of each: hosts with the same rules are one virtual host to Istio, named after the first in the alphabet.
pub(super) fn names(hosts: &[Shared]) -> Vec<Arc<str>> {
    let key = |shared: &Shared| {
        let rules = shared.rules.iter();
        let rules: Vec<_> = rules.map(|rule| rule.origin.key()).collect();
        (shared.to_https, rules)
    };
    let mut first: HashMap<_, (String, u16)> = HashMap::new();
    for shared in hosts {
        let own = (shared.host.to_string(), shared.port);
        let lowest = first.entry(key(shared)).or_insert_with(|| own.clone());
        if own.0 < lowest.0 {
            *lowest = own;
        }
    }
    let name = |shared| {
        let (host, port) = &first[&key(shared)];
        format!("{host}:{port}").into()
    };
    hosts.iter().map(name).collect()
}
