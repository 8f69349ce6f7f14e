//! The facts of a cached name, for pages, explanations and metrics.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::dns::lookup::Unresolved;

/// The number of addresses that a description lists; the others are counted.
const ADDRESSES_LISTED: usize = 4;

/// The facts of a cached name.
#[derive(Clone, Debug)]
pub struct NameFacts {
    /// The name, in lower case, without a final dot.
    pub name: Arc<str>,
    /// The addresses that calls use now, valid or expired; empty when there are none.
    pub addresses: Arc<[IpAddr]>,
    /// When their TTL ends. After that they are used while there are no newer ones.
    pub valid_until: Option<Instant>,
    /// The last query that failed, even if a later one succeeded.
    pub last_failure: Option<Failure>,
    /// Consecutive failures up to now; 0 when the last query succeeded.
    pub failures: u32,
    /// The earliest time of the next query. `None` while a query is in progress, and before the first one.
    pub next_refresh: Option<Instant>,
}

/// A query that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub unresolved: Unresolved,
    /// When.
    pub at: Instant,
}

impl NameFacts {
    /// The last query, if it failed.
    pub fn failing(&self) -> Option<&Failure> {
        self.last_failure.as_ref().filter(|_| self.failures > 0)
    }

    /// A description for the operator, as of `now`.
    pub fn describe(&self, now: Instant) -> String {
        let mut text = match self.failing() {
            None => format!("`{}`", self.name),
            Some(failure) => format!(
                "{} ({}, {} s ago, failures in a row: {})",
                failure.unresolved,
                failure.unresolved.reason.name(),
                now.saturating_duration_since(failure.at).as_secs(),
                self.failures,
            ),
        };
        let addresses = self.addresses_text();
        let failing = self.failing().is_some();
        // Writing to a string does not fail.
        let _ = match (failing, self.addresses.is_empty()) {
            (false, true) => write!(text, " is being resolved"),
            (false, false) => write!(text, " has address {addresses}"),
            (true, true) => write!(text, "; calls to it fail (503, UH)"),
            (true, false) => write!(text, "; its last known addresses stay in use: {addresses}"),
        };
        let _ = match self.next_refresh {
            Some(next) => write!(
                text,
                "; resolved again by the first call in {} s or later",
                seconds_until(next, now)
            ),
            None if failing => write!(text, "; a query is in progress"),
            None => Ok(()),
        };
        text
    }

    fn addresses_text(&self) -> String {
        let listed = self.addresses.iter().take(ADDRESSES_LISTED);
        let mut texts: Vec<String> = listed.map(ToString::to_string).collect();
        if self.addresses.len() > ADDRESSES_LISTED {
            texts.push(format!("{} more", self.addresses.len() - ADDRESSES_LISTED));
        }
        texts.join(", ")
    }
}

/// Whole seconds from `now` until `then`, the last one begun counted as one.
pub fn seconds_until(then: Instant, now: Instant) -> u64 {
    let left = then.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
