//! The current addresses of the names that a call dials, from the running proxy's cache.

use egret_config::decide::outcome::Carries;
use egret_config::host::split_authority;
use egret_config::model::endpoint::Address;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Discovery;
use tokio::time::Instant;

use crate::commands::explain::answer::Answer;
use crate::dns::names::NameFacts;
use crate::failure::Cause;

/// The number of names that an answer lists; the others are counted.
const NAMES_LISTED: usize = 4;

/// Adds the cached facts of its cluster's names to an answer. Where the cluster has only names, and none of them has an
/// address, the answer's call fails.
pub(super) fn add(
    answer: &mut Answer,
    snapshot: &Snapshot,
    names: &dyn Fn(&str) -> Option<NameFacts>,
) {
    let cluster = answer.outcome.cluster.as_deref();
    let Some(cluster) = cluster.and_then(|name| snapshot.clusters.get(name)) else {
        return;
    };
    let (dialled, others) = match &cluster.discovery {
        Discovery::Names { members, .. } => {
            let name = |address: &Address| match address {
                Address::Name(name) => Some(name.to_string()),
                Address::Ip(_) | Address::Unix(_) => None,
            };
            let dialled = members.iter().filter_map(|member| name(&member.address));
            let dialled: Vec<String> = dialled.collect();
            let others = members.len() - dialled.len();
            (dialled, others)
        }
        Discovery::PerCall { .. } => (call_name(answer).into_iter().collect(), 0),
        Discovery::Members(_) | Discovery::Original { .. } => return,
    };
    let now = Instant::now();
    let mut failing = 0;
    for (index, name) in dialled.iter().enumerate() {
        let facts = names(name);
        let known = facts.as_ref();
        if known.is_some_and(|facts| facts.failures > 0 && facts.addresses.is_empty()) {
            failing += 1;
        }
        if index < NAMES_LISTED {
            answer.trail.push(match known {
                Some(facts) => facts.describe(now),
                None => format!("`{name}` was not resolved yet; the first call resolves it"),
            });
        }
    }
    if dialled.len() > NAMES_LISTED {
        let more = dialled.len() - NAMES_LISTED;
        answer.trail.push(format!("and {more} more names"));
    }
    if failing > 0 && failing == dialled.len() && others == 0 {
        let carries = match answer.outcome.virtual_host {
            Some(_) => Carries::Request,
            None => Carries::Stream,
        };
        answer.fail(Cause::NoAddress("".into()), carries);
    }
}

/// The name of the call itself: its host without the port, or its SNI.
fn call_name(answer: &Answer) -> Option<String> {
    let host = answer.call.host.as_deref();
    let host = host.map(|host| split_authority(host).0.to_owned());
    host.or_else(|| answer.sni.clone())
}
