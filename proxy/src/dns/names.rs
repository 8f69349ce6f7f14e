//! The process's cache of names. All workers share one query for a name. An expired answer is used while the next query is
//! in progress.

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
use crate::dns::lookup::{Lookup, Reason, Unresolved};
use crate::dns::names::entry::{Entry, Outcome, Question, STALE_RECHECK};
use crate::dns::resolver::System;
use crate::lock::lock;
use crate::report::metrics::dns::ResolverCounters;

pub use crate::dns::names::entry::{Answer, NEGATIVE_TTL_MAX, TTL_MAX, TTL_MIN};
pub use crate::dns::names::facts::{Failure, NameFacts, seconds_until};

/// The time limit of a query, beside those of the resolver.
const QUESTION_MAX: Duration = Duration::from_secs(11);
/// The capacity for names that clients sent. At capacity expired entries are evicted first, then all. Expired entries of
/// the configuration's names are evicted at this number, and each time it has doubled.
const NAMES_MAX: usize = 10_000;
/// How soon the same failure of a name is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Failures of all names that are logged in that time.
const LOG_LINES_MAX: u32 = 20;

/// How often the cache for names of clients was full.
static FULL: AtomicU64 = AtomicU64::new(0);

/// How often the cache for names of clients was full, so that names were evicted.
pub fn times_full() -> u64 {
    FULL.load(Ordering::Relaxed)
}

type Ask = Arc<dyn Fn(Arc<str>) -> BoxFuture<'static, Result<Lookup, Unresolved>> + Send + Sync>;

/// A cache of names and their addresses. Shared by all workers.
pub struct Names {
    declared: Arc<Cache>,
    /// Kept apart, so that clients that send many names do not evict those of the configuration.
    called: Arc<Cache>,
    runtime: Handle,
    refresh_rate: RefreshRate,
    /// The queries that name servers were sent.
    pub queries: Arc<ResolverCounters>,
}

/// The longest pause after a failure, in milliseconds.
type RefreshRate = Arc<AtomicU64>;

struct Cache {
    ask: Ask,
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    origin: NameOrigin,
    log_limit: Arc<LogLimit>,
    refresh_rate: RefreshRate,
}

/// The origin of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameOrigin {
    /// The configuration: their number is bounded.
    Declared,
    /// A client's request or SNI: there may be any number.
    Called,
}

impl Names {
    /// A cache that queries the name servers of `resolv_conf`, usually `/etc/resolv.conf`. Queries run on `runtime`, which
    /// has to outlive the workers: a query continues for the other calls that wait when the first one has ended.
    pub fn system(resolv_conf: impl Into<PathBuf>, runtime: Handle) -> Self {
        let system = Arc::new(System::new(resolv_conf));
        let queries = Arc::clone(&system.queries);
        let names = Self::new(runtime, move |name| {
            let system = system.clone();
            Box::pin(async move { system.ask(&name).await })
        });
        Self { queries, ..names }
    }

    /// A cache that resolves names with `ask`.
    pub fn new(
        runtime: Handle,
        ask: impl Fn(Arc<str>) -> BoxFuture<'static, Result<Lookup, Unresolved>> + Send + Sync + 'static,
    ) -> Self {
        let ask: Ask = Arc::new(ask);
        let log_limit = Arc::new(LogLimit::new(LOG_LINES_MAX, LOG_INTERVAL));
        let refresh_rate = RefreshRate::default();
        let cache = |origin| {
            Arc::new(Cache {
                ask: Arc::clone(&ask),
                entries: Mutex::new(HashMap::new()),
                origin,
                log_limit: Arc::clone(&log_limit),
                refresh_rate: Arc::clone(&refresh_rate),
            })
        };
        let names = Self {
            declared: cache(NameOrigin::Declared),
            called: cache(NameOrigin::Called),
            runtime,
            refresh_rate,
            queries: Arc::default(),
        };
        names.set_refresh_rate(Mesh::default().dns_refresh_rate);
        names
    }

    /// Sets MeshConfig's `dnsRefreshRate`: the longest interval between queries for a name that fails. As in Istio, it does
    /// not shorten a TTL.
    pub fn set_refresh_rate(&self, rate: Duration) {
        let millis = u64::try_from(rate.as_millis()).unwrap_or(u64::MAX);
        self.refresh_rate.store(millis.max(1), Ordering::Relaxed);
    }

    /// The addresses of a name of the configuration. An IP address resolves to itself. TTLs are honoured between [`TTL_MIN`]
    /// and [`TTL_MAX`]. An expired answer is used while the next query takes long and while name servers fail; after a
    /// negative answer it is used for half a minute (compare RFC 8767). A name that fails is queried again at growing
    /// intervals, up to the refresh rate.
    ///
    /// # Errors
    /// The reason, when there is no earlier answer either.
    pub async fn addresses(&self, name: &str) -> Outcome {
        self.find(&self.declared, name).await
    }

    /// As [`Names::addresses`], for a name that a client sent. The entry may be evicted.
    ///
    /// # Errors
    /// As [`Names::addresses`].
    pub async fn addresses_for_caller(&self, name: &str) -> Outcome {
        self.find(&self.called, name).await
    }

    async fn find(&self, cache: &Arc<Cache>, name: &str) -> Outcome {
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
        let (question, old) = match self.cached_or_query(cache, &name) {
            Step::Known(outcome) => return outcome,
            Step::Query { question, old } => (question, old),
        };
        let Some((old, deadline)) = old else {
            return answer(question, &name).await;
        };
        if deadline <= Instant::now() {
            return Ok(old);
        }
        timeout_at(deadline, answer(question, &name))
            .await
            .unwrap_or(Ok(old))
    }

    /// The entries of all names, in alphabetical order.
    #[allow(clippy::disallowed_methods, reason = "sorted below")]
    pub fn list(&self) -> Vec<NameFacts> {
        let now = Instant::now();
        let mut list = Vec::new();
        for cache in [&self.declared, &self.called] {
            let entries = cache.lock();
            list.extend(entries.iter().map(|(name, entry)| entry.facts(name, now)));
        }
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list.dedup_by(|next, kept| {
            next.name == kept.name && (next.addresses.is_empty() || !kept.addresses.is_empty())
        });
        list
    }

    /// The entry of one name; `None` when it was never queried.
    pub fn facts(&self, name: &str) -> Option<NameFacts> {
        let name = canonical(name);
        let now = Instant::now();
        let of = |cache: &Cache| Some(cache.lock().get(&name)?.facts(&name, now));
        of(&self.declared).or_else(|| of(&self.called))
    }

    fn cached_or_query(&self, cache: &Arc<Cache>, name: &Arc<str>) -> Step {
        let now = Instant::now();
        let mut entries = cache.lock();
        if !entries.contains_key(name) {
            cache.origin.evict(&mut entries, now);
        }
        let entry = entries.entry(name.clone()).or_default();
        if let Some(outcome) = entry.known(now) {
            return Step::Known(outcome);
        }
        // A closed channel means that the query's task has panicked.
        entry
            .question
            .take_if(|question| question.outcome.has_changed().is_err());
        let question = entry
            .question
            .get_or_insert_with(|| self.start(cache, name.clone(), now))
            .clone();
        let old = entry.old(now, now + STALE_RECHECK);
        Step::Query {
            old: old.map(|old| (old, entry.stale_deadline(question.since))),
            question: question.outcome,
        }
    }

    fn start(&self, cache: &Arc<Cache>, name: Arc<str>, since: Instant) -> Question {
        let (answer, outcome) = watch::channel(None);
        let cache = Arc::clone(cache);
        self.runtime.spawn(async move {
            let result = timeout(QUESTION_MAX, (cache.ask)(name.clone()))
                .await
                .unwrap_or_else(|_| {
                    let details = "no answer in time";
                    Err(Unresolved::new(&name, Reason::NoAnswer, details))
                });
            let outcome = cache.store(&name, result);
            answer.send_replace(Some(outcome));
        });
        Question { outcome, since }
    }
}

/// Waits for the outcome of a query in progress.
async fn answer(mut question: watch::Receiver<Option<Outcome>>, name: &Arc<str>) -> Outcome {
    // A query ends without an outcome when the runtime has ended or the task has panicked.
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
    Query {
        question: watch::Receiver<Option<Outcome>>,
        /// An expired answer, and how long to wait for the new one before using it.
        old: Option<(Answer, Instant)>,
    },
}

impl NameOrigin {
    /// Evicts entries if the cache is full.
    fn evict(self, entries: &mut HashMap<Arc<str>, Entry>, now: Instant) {
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
        entries.retain(|_, entry| entry.is_current(now));
        if self == Self::Called && entries.len() >= NAMES_MAX {
            entries.clear();
        }
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        lock(&self.entries)
    }

    /// Stores the result of a query and returns the outcome for calls. Logs failures and recoveries.
    fn store(&self, name: &Arc<str>, result: Result<Lookup, Unresolved>) -> Outcome {
        let now = Instant::now();
        let failure = result.as_ref().err().cloned();
        let mut entries = self.lock();
        let entry = entries.entry(name.clone()).or_default();
        let refresh_rate = Duration::from_millis(self.refresh_rate.load(Ordering::Relaxed));
        let outcome = entry.store(now, result, refresh_rate);
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
            reason = failure.reason.name(),
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
