//! What is known of a name, for pages, explanations and metrics.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::dns::lookup::Unresolved;

/// Addresses that a description names; the rest is counted.
const ADDRESSES_SHOWN: usize = 4;

/// What is known of a name.
#[derive(Clone, Debug)]
pub struct NameFacts {
    /// The name, in lower case, without a final dot.
    pub name: Arc<str>,
    /// The addresses that calls are given now, valid or not; empty when there are none.
    pub addresses: Arc<[IpAddr]>,
    /// Until when they are valid as the server said; after that they serve while there are no newer ones.
    pub valid_until: Option<Instant>,
    /// The last question that failed, even if a later one went well.
    pub last_failure: Option<Failure>,
    /// Questions that failed, one after the other, up to now; 0 when the last one went well.
    pub failures: u32,
    /// The earliest moment at which a call asks again. `None` while a question is under way, and before the first.
    pub next_refresh: Option<Instant>,
}

/// A question that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub unresolved: Unresolved,
    /// When.
    pub at: Instant,
}

impl NameFacts {
    /// The last question, if it failed.
    pub fn failing(&self) -> Option<&Failure> {
        self.last_failure.as_ref().filter(|_| self.failures > 0)
    }

    /// One sentence for an operator, as of `now`.
    pub fn describe(&self, now: Instant) -> String {
        let mut text = match self.failing() {
            None => format!("`{}`", self.name),
            Some(failure) => format!(
                "{} ({}, {} s ago, failures in a row: {})",
                failure.unresolved,
                failure.unresolved.reason.word(),
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
        let listed = self.addresses.iter().take(ADDRESSES_SHOWN);
        let mut texts: Vec<String> = listed.map(ToString::to_string).collect();
        if self.addresses.len() > ADDRESSES_SHOWN {
            texts.push(format!("{} more", self.addresses.len() - ADDRESSES_SHOWN));
        }
        texts.join(", ")
    }
}

/// Whole seconds from `now` until `then`, the last one begun counted as one.
pub fn seconds_until(then: Instant, now: Instant) -> u64 {
    let left = then.saturating_duration_since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
