//! What is known of one name: its last good answer, its last failure, and when it is to be asked for again. Pure; the
//! caller says what time it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::dns::lookup::{Found, Reason, Unresolved};
use crate::dns::names::facts::{Failure, NameFacts};

/// Shorter TTLs count as this: a name is not asked for at each call.
pub const TTL_MIN: Duration = Duration::from_secs(1);
/// Longer TTLs count as this: who moved is followed within the hour.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// How long "no such name" counts at most.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(30);
/// How long it counts at least when its server does not say for how long.
pub(super) const NEGATIVE_TTL_DEFAULT: Duration = Duration::from_secs(5);
/// How soon after a failure a name is asked for again. Each further failure in a row triples it, up to the refresh rate.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(2);
/// How soon at the latest when no server answered: their return is to be noticed.
pub(super) const RETRY_MAX_SILENCE: Duration = Duration::from_secs(15);
/// How long the last good answer counts after its name is said to be gone. A zone that is being replaced is briefly
/// empty; a name that was removed must not live on.
pub(super) const GONE_GRACE: Duration = Duration::from_secs(30);
/// How long calls wait for a new answer while there is an old one, from the moment the question was asked. It is shorter
/// than what a call waits for the other names of its cluster.
pub(super) const STALE_PATIENCE: Duration = Duration::from_millis(80);
/// How soon a call that was given an old answer while a question is under way looks for the new one.
pub(super) const STALE_RECHECK: Duration = Duration::from_millis(250);

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Not empty; IPv4 before IPv6, in the server's order.
    pub addresses: Arc<[IpAddr]>,
    /// When to ask again.
    pub valid_until: Instant,
}

/// What a call is given.
pub(super) type Outcome = Result<Answer, Unresolved>;

/// What is known of one name.
#[derive(Default)]
pub(super) struct Entry {
    /// The last good answer, maybe no longer valid.
    good: Option<Answer>,
    /// Since when the name is said to be gone.
    gone_since: Option<Instant>,
    /// The last question that failed, kept after a later one went well.
    last_failure: Option<Failure>,
    /// Questions that failed, one after the other, up to now.
    failures: u32,
    /// When to ask again while questions fail.
    again: Option<Instant>,
    /// The last question took longer than calls wait, or was not answered.
    is_slow: bool,
    /// The question under way.
    pub(super) question: Option<Question>,
    /// When a failure was last logged, and which.
    pub(super) logged: Option<(Instant, Reason)>,
}

/// A question under way.
#[derive(Clone)]
pub(super) struct Question {
    /// Its answer, once there is one.
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
    /// When it was asked.
    pub(super) since: Instant,
}

impl Entry {
    /// What calls are given without a question; `None` when it is time to ask.
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

    /// The last good answer, valid until `until`, if it still counts though it is no longer valid.
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

    /// Until when a call that has an old answer waits for the one of a question asked at `since`. Where the last question
    /// was slow nobody waits.
    pub(super) fn patience(&self, since: Instant) -> Instant {
        match self.is_slow {
            true => since,
            false => since + STALE_PATIENCE,
        }
    }

    /// Takes the outcome of the question under way, and gives what calls get. After a failure no pause is longer than
    /// `refresh_rate`.
    pub(super) fn take(
        &mut self,
        now: Instant,
        found: Result<Found, Unresolved>,
        refresh_rate: Duration,
    ) -> Outcome {
        let question = self.question.take();
        let took_long = question.is_some_and(|question| now > question.since + STALE_PATIENCE);
        let failure = match found {
            Ok(found) => {
                let answer = Answer {
                    addresses: found.addresses.into(),
                    valid_until: now + found.ttl.clamp(TTL_MIN, TTL_MAX),
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

    /// How many questions failed, one after the other, up to now.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the name is worth its place.
    pub(super) fn is_of_use(&self, now: Instant) -> bool {
        self.question.is_some()
            || self
                .good
                .as_ref()
                .is_some_and(|good| good.valid_until > now)
    }

    /// All of this for pages.
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

/// How long a failure counts, the `failures`th in a row, as long as the refresh rate is no shorter.
fn wait(failure: &Unresolved, failures: u32) -> Duration {
    let tripled = RETRY_MIN.saturating_mul(3_u32.saturating_pow(failures.saturating_sub(1)));
    match (failure.reason.is_negative_answer(), failure.ttl) {
        (true, Some(ttl)) => ttl.clamp(TTL_MIN, NEGATIVE_TTL_MAX),
        (true, None) => tripled.clamp(NEGATIVE_TTL_DEFAULT, NEGATIVE_TTL_MAX),
        (false, _) if failure.reason.is_silence() => tripled.min(RETRY_MAX_SILENCE),
        (false, _) => tripled,
    }
}
