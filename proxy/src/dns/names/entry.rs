//! The cache entry of one name: its last good answer, its last failure, and when it is queried again. Pure: the time is
//! passed in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::dns::lookup::{Lookup, Reason, Unresolved};
use crate::dns::names::facts::{Failure, NameFacts};

/// The shortest TTL, so that a name is not queried at each call.
pub const TTL_MIN: Duration = Duration::from_secs(1);
/// The longest TTL, so that a changed address is used within the hour.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// The longest TTL of a negative answer.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(30);
/// The shortest one where the answer has no TTL.
pub(super) const NEGATIVE_TTL_DEFAULT: Duration = Duration::from_secs(5);
/// The wait before the next query after a failure. Each further failure in a row triples it, up to the refresh rate.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest wait when no server answered, so that their return is noticed.
pub(super) const RETRY_MAX_SILENCE: Duration = Duration::from_secs(15);
/// How long the last good answer is used after a negative answer. A zone that is being replaced is briefly empty; a name
/// that was removed must not stay in use.
pub(super) const GONE_GRACE: Duration = Duration::from_secs(30);
/// How long calls wait for a new answer while there is an expired one, from the start of the query. It is shorter than the
/// time that a call waits for the other names of its cluster.
pub(super) const STALE_WAIT_MAX: Duration = Duration::from_millis(80);
/// How long an expired answer is used while a query is in progress.
pub(super) const STALE_RECHECK: Duration = Duration::from_millis(250);

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Not empty; IPv4 before IPv6, in the server's order.
    pub addresses: Arc<[IpAddr]>,
    /// When to query again.
    pub valid_until: Instant,
}

/// The result of a lookup.
pub(super) type Outcome = Result<Answer, Unresolved>;

/// The entry of one name.
#[derive(Default)]
pub(super) struct Entry {
    /// The last good answer; it may have expired.
    good: Option<Answer>,
    /// The time of the first negative answer since the last good one.
    gone_since: Option<Instant>,
    /// The last query that failed, kept after a later one succeeded.
    last_failure: Option<Failure>,
    /// Consecutive failures up to now.
    failures: u32,
    /// When to query again after a failure.
    again: Option<Instant>,
    /// The last query took longer than calls wait, or had no answer.
    is_slow: bool,
    /// The query in progress.
    pub(super) question: Option<Question>,
    /// When a failure was last logged, and its reason.
    pub(super) logged: Option<(Instant, Reason)>,
}

/// A query in progress.
#[derive(Clone)]
pub(super) struct Question {
    /// Its outcome, once there is one.
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    /// When it started.
    pub(super) since: Instant,
}

impl Entry {
    /// The outcome for calls without a query; `None` when a query is due.
    pub(super) fn known(&self, now: Instant) -> Option<Outcome> {
        if let Some(good) = self.good.as_ref().filter(|good| good.valid_until > now) {
            return Some(Ok(good.clone()));
        }
        let again = self.again.filter(|again| *again > now)?;
        let failure = self.last_failure.as_ref()?;
        Some(
            self.old(now, again)
                .ok_or_else(|| failure.unresolved.clone()),
        )
    }

    /// The last good answer, valid until `until`, if it may still be used.
    pub(super) fn old(&self, now: Instant, until: Instant) -> Option<Answer> {
        let grace_is_over = self
            .gone_since
            .is_some_and(|since| now >= since + GONE_GRACE);
        let good = self.good.as_ref().filter(|_| !grace_is_over)?;
        Some(Answer {
            addresses: good.addresses.clone(),
            valid_until: until,
        })
    }

    /// Until when a call that has an expired answer waits for the query started at `since`. It does not wait where the last
    /// query was slow.
    pub(super) fn stale_deadline(&self, since: Instant) -> Instant {
        match self.is_slow {
            true => since,
            false => since + STALE_WAIT_MAX,
        }
    }

    /// Stores the result of the query in progress and returns the outcome for calls. After a failure the next query waits at
    /// most `refresh_rate`.
    pub(super) fn store(
        &mut self,
        now: Instant,
        result: Result<Lookup, Unresolved>,
        refresh_rate: Duration,
    ) -> Outcome {
        let question = self.question.take();
        let took_long = question.is_some_and(|question| now > question.since + STALE_WAIT_MAX);
        let failure = match result {
            Ok(lookup) => {
                let answer = Answer {
                    addresses: lookup.addresses.into(),
                    valid_until: now + lookup.ttl.clamp(TTL_MIN, TTL_MAX),
                };
                self.good = Some(answer.clone());
                (self.gone_since, self.again, self.failures) = (None, None, 0);
                self.is_slow = took_long;
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        self.failures = self.failures.saturating_add(1);
        if failure.reason.is_negative_answer() {
            self.gone_since.get_or_insert(now);
        }
        self.is_slow = took_long || failure.reason.is_silence();
        let again = now + wait(&failure, self.failures).min(refresh_rate);
        self.again = Some(again);
        self.last_failure = Some(Failure {
            unresolved: failure.clone(),
            at: now,
        });
        let old = self.old(now, again);
        if old.is_none() {
            self.good = None;
        }
        old.ok_or(failure)
    }

    /// Consecutive failures up to now.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the entry has a valid answer or a query in progress.
    pub(super) fn is_current(&self, now: Instant) -> bool {
        self.question.is_some()
            || self
                .good
                .as_ref()
                .is_some_and(|good| good.valid_until > now)
    }

    /// The entry's facts, for pages.
    pub(super) fn facts(&self, name: &Arc<str>, now: Instant) -> NameFacts {
        let good = self.good.as_ref();
        let valid_until = good.map(|good| good.valid_until);
        NameFacts {
            name: Arc::clone(name),
            addresses: self
                .old(now, now)
                .map_or_else(|| [].into(), |old| old.addresses),
            valid_until,
            last_failure: self.last_failure.clone(),
            failures: self.failures,
            next_refresh: match self.question {
                Some(_) => None,
                None => self.again.or(valid_until),
            },
        }
    }
}

/// The wait after the `failures`th failure in a row, before the limit by the refresh rate.
fn wait(failure: &Unresolved, failures: u32) -> Duration {
    let tripled = RETRY_MIN.saturating_mul(3_u32.saturating_pow(failures.saturating_sub(1)));
    match (failure.reason.is_negative_answer(), failure.ttl) {
        (true, Some(ttl)) => ttl.clamp(TTL_MIN, NEGATIVE_TTL_MAX),
        (true, None) => tripled.clamp(NEGATIVE_TTL_DEFAULT, NEGATIVE_TTL_MAX),
        (false, _) if failure.reason.is_silence() => tripled.min(RETRY_MAX_SILENCE),
        (false, _) => tripled,
    }
}
