//! What is known of the names that upstreams have: their addresses, their last failure, when they are asked for again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use egret_config::model::endpoint::Address;
use egret_config::snapshot::cluster::Member;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::admin::table::Table;
use crate::dns::names::{NameFacts, Names, seconds_until};

/// Failing names in the table; the rest is counted.
const FAILURES_SHOWN: usize = 100;

/// What names resolved to, as far as they were asked for.
#[derive(Debug)]
pub(super) struct Resolved {
    names: BTreeMap<Arc<str>, NameFacts>,
    now: Instant,
}

impl Resolved {
    pub(super) fn of(names: &Names) -> Self {
        let known = names.list().into_iter();
        Self {
            names: known
                .map(|facts| (Arc::clone(&facts.name), facts))
                .collect(),
            now: Instant::now(),
        }
    }

    /// The addresses of a member that is a name.
    pub(super) fn addresses(&self, member: &Member) -> &[IpAddr] {
        self.facts(member).map_or(&[], |facts| &facts.addresses)
    }

    /// Why a member that is a name cannot be resolved, in one word.
    pub(super) fn failing(&self, member: &Member) -> Option<&'static str> {
        let failure = self.facts(member)?.failing()?;
        Some(failure.unresolved.reason.name())
    }

    /// All names, as JSON.
    pub(super) fn values(&self) -> Vec<Value> {
        let names = self.names.values();
        names.map(|facts| self.facts_value(facts)).collect()
    }

    /// A table of the names whose last question failed; nothing when there are none.
    pub(super) fn failures(&self) -> String {
        let mut table = Table::new([
            "UNRESOLVED NAME",
            "REASON",
            "FAILURES",
            "LAST",
            "NEXT",
            "SERVED ADDRESSES",
            "DETAILS",
        ]);
        let mut count: usize = 0;
        for facts in self.names.values() {
            let Some(failure) = facts.failing() else {
                continue;
            };
            count += 1;
            if count > FAILURES_SHOWN {
                continue;
            }
            let ago = self.now.saturating_duration_since(failure.at).as_secs();
            let next = match facts.next_refresh {
                None => "now".to_owned(),
                Some(next) => format!("in {} s", seconds_until(next, self.now)),
            };
            let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
            table.row([
                facts.name.to_string(),
                failure.unresolved.reason.name().to_owned(),
                facts.failures.to_string(),
                format!("{ago} s ago"),
                next,
                match addresses.is_empty() {
                    true => "-".to_owned(),
                    false => addresses.join(","),
                },
                failure.unresolved.details.to_string(),
            ]);
        }
        match count {
            0 => String::new(),
            count if count > FAILURES_SHOWN => {
                format!("\n{}and {} more\n", table.text(), count - FAILURES_SHOWN)
            }
            _ => format!("\n{}", table.text()),
        }
    }

    fn facts(&self, member: &Member) -> Option<&NameFacts> {
        let Address::Name(name) = &member.address else {
            return None;
        };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.names.get(&*name)
    }

    fn facts_value(&self, facts: &NameFacts) -> Value {
        let seconds = |then: Option<Instant>| then.map(|then| seconds_until(then, self.now));
        json!({
            "name": *facts.name,
            "addresses": *facts.addresses,
            "valid_seconds": seconds(facts.valid_until),
            "failures": facts.failures,
            "last_failure": facts.last_failure.as_ref().map(|failure| json!({
                "reason": failure.unresolved.reason.name(),
                "details": *failure.unresolved.details,
                "seconds_ago": self.now.saturating_duration_since(failure.at).as_secs(),
            })),
            "next_refresh_seconds": seconds(facts.next_refresh),
        })
    }
}
