//! The call to explain, and what queries about bytes and requests have in common.

use egret_config::decide::bad_request::BadRequest;
use egret_config::decide::call::Arrival;
use egret_config::decide::outcome::Outcome;
use egret_config::decide::trail::Shares;
use egret_config::header_names::is_authority;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;

use crate::commands::explain::answer::Answer;
use crate::commands::explain::call::{Call, To};

/// A call to explain, and what it needs.
pub(super) struct ExplainedCall<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) call: &'a Call,
    pub(super) arrival: Arrival,
    pub(super) resolved: Option<String>,
    pub(super) listed: &'a dyn Fn(&Cluster) -> bool,
}

impl ExplainedCall<'_> {
    /// An answer with this outcome.
    pub(super) fn answer(&self, outcome: Outcome) -> Answer {
        let mut answer = Answer::new(self.call, self.arrival.original_dst.0, outcome);
        answer.trail.extend(self.resolved.clone());
        answer
    }

    /// A request that is refused for what it is.
    pub(super) fn bad(&self, bad: BadRequest) -> Answer {
        let mut answer = self.answer(Outcome::of_bad_request(bad.kind));
        answer.trail.push(bad.message.into_owned());
        answer
    }
}

/// The Host header: given, else the name that is dialled.
pub(super) fn host(call: &Call) -> Option<String> {
    let given = call.headers.iter().find(|(name, _)| is_authority(name));
    let given = call.host.clone().or_else(|| Some(given?.1.clone()));
    given.or_else(|| match &call.to {
        To::Name(name, _) => Some(name.to_string()),
        To::Address(_) => None,
    })
}

/// The random number that selects the first of several clusters that exists.
pub(super) fn first_there(shares: Shares<'_>) -> Option<u64> {
    let mut before = 0;
    for share in shares.iter() {
        if share.exists {
            return Some(before);
        }
        before += u64::from(share.weight);
    }
    None
}

/// The clusters and weights of a choice; empty for a single one.
pub(super) fn weighted(shares: Shares<'_>) -> Vec<(String, u32)> {
    let all: Vec<_> = shares
        .iter()
        .map(|share| (share.cluster.to_owned(), share.weight))
        .collect();
    if all.len() > 1 { all } else { Vec::new() }
}
