//! The process's cache of names: one question at a time for a name, whoever wants it. An answer that is no longer valid
//! serves while the next one is under way.

mod facts;
mod entry;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use egret_config::model::mesh::Mesh;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use crate::dns::log_limit::LogLimit;
use crate::dns::lookup::{Found, Reason, Unresolved};
use crate::dns::names::entry::{Entry, Outcome, Question, STALE_RECHECK};
use crate::dns::resolver::System;
use crate::lock::lock;
use crate::report::metrics::dns::ResolverCounters;

pub use crate::dns::names::entry::{Answer, NEGATIVE_TTL_MAX, TTL_MAX, TTL_MIN};
pub use crate::dns::names::facts::{Failure, NameFacts, seconds_until};

/// How long a question may take, should whoever asks it not end by itself.
const QUESTION_MAX: Duration = Duration::from_secs(11);
/// Names of callers kept at most. When there are more, first those of no use are let go, then all. Of the
/// configuration's names those of no use are let go when there are more, and then whenever they have doubled.
const NAMES_MAX: usize = 10_000;
/// How soon the same failure of a name is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Failures of all names that are logged in that time.
const LOG_LINES_MAX: u32 = 20;

/// How often there were as many names of calls as are kept.
static FULL: AtomicU64 = AtomicU64::new(0);

/// How often there were as many names of calls as are kept, so that some were let go.
pub fn times_full() -> u64 {
    FULL.load(Ordering::Relaxed)
}

type Ask = Arc<dyn Fn(Arc<str>) -> BoxFuture<'static, Result<Found, Unresolved>> + Send + Sync>;

/// Names and their addresses. Shared by all workers.
pub struct Names {
    declared: Arc<Shared>,
    /// Apart, so that callers who ask for ever new names cannot drive out those of the configuration.
    called: Arc<Shared>,
    runtime: Handle,
    refresh_rate: RefreshRate,
    /// The queries that name servers were sent.
    pub queries: Arc<ResolverCounters>,
}

/// The longest pause after a failure, in milliseconds.
type RefreshRate = Arc<AtomicU64>;

struct Shared {
    ask: Ask,
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    whose: NameOrigin,
    log_limit: Arc<LogLimit>,
    refresh_rate: RefreshRate,
}

/// The origin of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameOrigin {
    /// The configuration: there are only so many.
    Declared,
    /// A caller: there may be any number.
    Called,
}

impl Names {
    /// Asks the name servers of `resolv_conf`, usually `/etc/resolv.conf`. Questions run on `runtime`, which has to
    /// outlive the callers' own: a question goes on for all who wait when its first caller has left.
    pub fn system(resolv_conf: impl Into<PathBuf>, runtime: Handle) -> Self {
        let system = Arc::new(System::new(resolv_conf));
        let queries = Arc::clone(&system.queries);
        let names = Self::new(runtime, move |name| {
            let system = system.clone();
            Box::pin(async move { system.ask(&name).await })
        });
        Self { queries, ..names }
    }

    /// Asks by a function of the caller's.
    pub fn new(
        runtime: Handle,
        ask: impl Fn(Arc<str>) -> BoxFuture<'static, Result<Found, Unresolved>> + Send + Sync + 'static,
    ) -> Self {
        let ask: Ask = Arc::new(ask);
        let log_limit = Arc::new(LogLimit::new(LOG_LINES_MAX, LOG_INTERVAL));
        let refresh_rate = RefreshRate::default();
        let shared = |whose| {
            Arc::new(Shared {
                ask: Arc::clone(&ask),
                entries: Mutex::new(HashMap::new()),
                whose,
                log_limit: Arc::clone(&log_limit),
                refresh_rate: Arc::clone(&refresh_rate),
            })
        };
        let names = Self {
            declared: shared(NameOrigin::Declared),
            called: shared(NameOrigin::Called),
            runtime,
            refresh_rate,
            queries: Arc::default(),
        };
        names.set_refresh_rate(Mesh::default().dns_refresh_rate);
        names
    }

    /// Takes MeshConfig's `dnsRefreshRate`: a name that fails is asked for again after no longer pause. As with Istio, it
    /// does not shorten what a TTL says.
    pub fn set_refresh_rate(&self, rate: Duration) {
        let millis = u64::try_from(rate.as_millis()).unwrap_or(u64::MAX);
        self.refresh_rate.store(millis.max(1), Ordering::Relaxed);
    }

    /// The addresses of a name of the configuration; of an address itself. TTLs are honoured between [`TTL_MIN`] and
    /// [`TTL_MAX`]. An answer that is no longer valid serves while the next one takes long, and while name servers fail;
    /// when they say that the name is gone, for half a minute more (RFC 8767 has the idea). A name that fails is asked for
    /// again after ever longer pauses, up to the refresh rate.
    ///
    /// # Errors
    /// Why there are none, when there is no earlier answer either.
    pub async fn addresses(&self, name: &str) -> Outcome {
        self.find(&self.declared, name).await
    }

    /// The addresses of a name that a caller thought of, as [`Names::addresses`]. It is kept as long as there is room.
    ///
    /// # Errors
    /// As [`Names::addresses`].
    pub async fn addresses_for_caller(&self, name: &str) -> Outcome {
        self.find(&self.called, name).await
    }

    async fn find(&self, shared: &Arc<Shared>, name: &str) -> Outcome {
        let bare = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(name);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Answer {
                addresses: [address].into(),
                valid_until: Instant::now() + TTL_MAX,
            });
        }
        let name = canonical(name);
        let (question, old) = match self.known_or_asked(shared, &name) {
            Step::Known(outcome) => return outcome,
            Step::Asked { question, old } => (question, old),
        };
        let Some((old, patience)) = old else {
            return answer(question, &name).await;
        };
        if patience <= Instant::now() {
            return Ok(old);
        }
        timeout_at(patience, answer(question, &name))
            .await
            .unwrap_or(Ok(old))
    }

    /// What is known of all names that were asked for, in alphabetical order.
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn list(&self) -> Vec<NameFacts> {
        let now = Instant::now();
        let mut list = Vec::new();
        for shared in [&self.declared, &self.called] {
            let entries = shared.lock();
            list.extend(entries.iter().map(|(name, entry)| entry.facts(name, now)));
        }
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list.dedup_by(|next, kept| {
            next.name == kept.name && (next.addresses.is_empty() || !kept.addresses.is_empty())
        });
        list
    }

    /// What is known of one name; `None` when it was never asked for.
    pub fn facts(&self, name: &str) -> Option<NameFacts> {
        let name = canonical(name);
        let now = Instant::now();
        let of = |shared: &Shared| Some(shared.lock().get(&name)?.facts(&name, now));
        of(&self.declared).or_else(|| of(&self.called))
    }

    fn known_or_asked(&self, shared: &Arc<Shared>, name: &Arc<str>) -> Step {
        let now = Instant::now();
        let mut entries = shared.lock();
        if !entries.contains_key(name) {
            shared.whose.make_room(&mut entries, now);
        }
        let entry = entries.entry(name.clone()).or_default();
        if let Some(outcome) = entry.known(now) {
            return Step::Known(outcome);
        }
        // The task of a question that nobody can answer any more has panicked.
        entry
            .question
            .take_if(|question| question.outcome.has_changed().is_err());
        let question = entry
            .question
            .get_or_insert_with(|| self.start(shared, name.clone(), now))
            .clone();
        let old = entry.old(now, now + STALE_RECHECK);
        Step::Asked {
            old: old.map(|old| (old, entry.patience(question.since))),
            question: question.outcome,
        }
    }

    fn start(&self, shared: &Arc<Shared>, name: Arc<str>, since: Instant) -> Question {
        let (answer, outcome) = watch::channel(None);
        let shared = Arc::clone(shared);
        self.runtime.spawn(async move {
            let found = timeout(QUESTION_MAX, (shared.ask)(name.clone()))
                .await
                .unwrap_or_else(|_| {
                    let details = "no answer in time";
                    Err(Unresolved::new(&name, Reason::NoAnswer, details))
                });
            let outcome = shared.take(&name, found);
            answer.send_replace(Some(outcome));
        });
        Question { outcome, since }
    }
}

/// The answer of a question under way.
async fn answer(mut question: watch::Receiver<Option<Outcome>>, name: &Arc<str>) -> Outcome {
    // The question's end without an answer is the runtime's end, or a panic.
    let outcome = question
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|outcome| outcome.clone());
    outcome.unwrap_or_else(|| {
        let details = "the question was cut off";
        Err(Unresolved::new(name, Reason::NoAnswer, details))
    })
}

fn canonical(name: &str) -> Arc<str> {
    name.strip_suffix('.')
        .unwrap_or(name)
        .to_ascii_lowercase()
        .into()
}

enum Step {
    Known(Outcome),
    Asked {
        question: watch::Receiver<Option<Outcome>>,
        /// An old answer, and until when the new one is waited for all the same.
        old: Option<(Answer, Instant)>,
    },
}

impl NameOrigin {
    /// Lets names go before one more is kept, if there are too many.
    fn make_room(self, entries: &mut HashMap<Arc<str>, Entry>, now: Instant) {
        let count = entries.len();
        let full = match self {
            Self::Called => count >= NAMES_MAX,
            Self::Declared => {
                count >= NAMES_MAX
                    && (count / NAMES_MAX).is_power_of_two()
                    && count.is_multiple_of(NAMES_MAX)
            }
        };
        if !full {
            return;
        }
        if self == Self::Called {
            FULL.fetch_add(1, Ordering::Relaxed);
        }
        entries.retain(|_, entry| entry.is_of_use(now));
        if self == Self::Called && entries.len() >= NAMES_MAX {
            entries.clear();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        lock(&self.entries)
    }

    /// Takes what was found, and gives what callers get. Failures are logged, and so is their end.
    fn take(&self, name: &Arc<str>, found: Result<Found, Unresolved>) -> Outcome {
        let now = Instant::now();
        let failure = found.as_ref().err().cloned();
        let mut entries = self.lock();
        let entry = entries.entry(name.clone()).or_default();
        let refresh_rate = Duration::from_millis(self.refresh_rate.load(Ordering::Relaxed));
        let outcome = entry.take(now, found, refresh_rate);
        let Some(failure) = failure else {
            let was_logged = entry.logged.take().is_some();
            drop(entries);
            if was_logged {
                info!(%name, "the name resolves again");
            }
            return outcome;
        };
        let repeated = entry
            .logged
            .is_some_and(|(at, reason)| reason == failure.reason && now < at + LOG_INTERVAL);
        if repeated {
            return outcome;
        }
        let Some(suppressed) = self.log_limit.pass(now) else {
            return outcome;
        };
        entry.logged = Some((now, failure.reason));
        let failures = entry.failures();
        drop(entries);
        warn!(
            %name,
            reason = failure.reason.word(),
            failures,
            suppressed,
            "{failure}; {}",
            match outcome {
                Ok(_) => "its last known addresses stay in use",
                Err(_) => "calls to it fail (503, UH)",
            }
        );
        outcome
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names")
            .field("declared", &self.declared.lock().len())
            .field("called", &self.called.lock().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
