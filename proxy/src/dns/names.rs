//! The process's cache of names: one question at a time for a name, whoever wants it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::dns::resolver::Found;
use crate::dns::resolver::System;
use crate::dns::resolver::Unresolved;

/// Shorter TTLs count as this: a name is not asked for at each call.
pub const TTL_MIN: Duration = Duration::from_secs(1);
/// Longer TTLs count as this: who moved is followed within the hour.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// How long "no such name" counts at most, and when its server does not say for how long.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(30);
const NEGATIVE_TTL_DEFAULT: Duration = Duration::from_secs(5);
/// How soon after a failure a name is asked for again.
const FAILURE_TTL: Duration = Duration::from_secs(2);
/// How long the last good answer counts after its name is said to be gone. A zone that is being replaced is briefly
/// empty; a name that was removed must not live on.
const GONE_GRACE: Duration = Duration::from_secs(30);
/// How long a caller waits for a new answer while there is an old one.
const STALE_PATIENCE: Duration = Duration::from_millis(500);
/// How long a question may take, all servers and tries included.
const QUESTION_MAX: Duration = Duration::from_secs(10);
/// Names of callers kept at most. When there are more, first those of no use are let go, then all. Of the
/// configuration's names those of no use are let go when there are more, and then whenever they have doubled.
const NAMES_MAX: usize = 10_000;

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Not empty; IPv4 before IPv6, in the server's order.
    pub addresses: Arc<[IpAddr]>,
    /// When to ask again.
    pub valid_until: Instant,
}

type Ask = Arc<dyn Fn(Arc<str>) -> BoxFuture<'static, Result<Found, Unresolved>> + Send + Sync>;
type Outcome = Result<Answer, Unresolved>;

/// Names and their addresses. Shared by all workers.
pub struct Names {
    declared: Arc<Shared>,
    /// Apart, so that callers who ask for ever new names cannot drive out those of the configuration.
    called: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    ask: Ask,
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    whose: Whose,
}

/// Who thought of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The configuration: there are only so many.
    Declared,
    /// A caller: there may be any number.
    Called,
}

/// What is known of one name.
#[derive(Default)]
struct Entry {
    /// The last good answer, maybe no longer valid.
    good: Option<Answer>,
    /// Since when the name is said to be gone.
    gone_since: Option<Instant>,
    /// Why the last question failed, and when to ask again.
    failure: Option<(Unresolved, Instant)>,
    /// The question under way.
    question: Option<watch::Receiver<Option<Outcome>>>,
}

impl Names {
    /// Asks the name servers of `resolv_conf`, usually `/etc/resolv.conf`. Questions run on `runtime`, which has to
    /// outlive the callers' own: a question goes on for all who wait when its first caller has left.
    pub fn system(resolv_conf: impl Into<PathBuf>, runtime: Handle) -> Self {
        let system = Arc::new(System::new(resolv_conf));
        Self::new(runtime, move |name| {
            let system = system.clone();
            Box::pin(async move { system.ask(&name).await })
        })
    }

    /// Asks by a function of the caller's.
    pub fn new(
        runtime: Handle,
        ask: impl Fn(Arc<str>) -> BoxFuture<'static, Result<Found, Unresolved>> + Send + Sync + 'static,
    ) -> Self {
        let ask: Ask = Arc::new(ask);
        let shared = |whose| {
            Arc::new(Shared {
                ask: Arc::clone(&ask),
                entries: Mutex::new(HashMap::new()),
                whose,
            })
        };
        Self {
            declared: shared(Whose::Declared),
            called: shared(Whose::Called),
            runtime,
        }
    }

    /// The addresses of a name of the configuration; of an address itself. TTLs are honoured between [`TTL_MIN`] and
    /// [`TTL_MAX`]. While name servers fail, the last good answer counts; when they say that the name is gone, for half a
    /// minute more.
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
        let name: Arc<str> = name
            .strip_suffix('.')
            .unwrap_or(name)
            .to_ascii_lowercase()
            .into();
        let (mut question, old) = match self.known_or_asked(shared, &name) {
            Step::Known(outcome) => return outcome,
            Step::Asked { question, old } => (question, old),
        };
        let new = async {
            // The question's end without an answer is the runtime's end, or a panic.
            let asked = question
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|outcome| outcome.clone());
            asked.unwrap_or_else(|| {
                Err(Unresolved::Failed {
                    name: name.clone(),
                    why: "the question was cut off".into(),
                })
            })
        };
        match old {
            None => new.await,
            Some(old) => timeout(STALE_PATIENCE, new).await.unwrap_or(Ok(old)),
        }
    }

    /// All names with their addresses now, in alphabetical order, for the admin page; `None` where there are none.
    pub fn list(&self) -> Vec<(Arc<str>, Option<Answer>)> {
        let mut list = Vec::new();
        for shared in [&self.declared, &self.called] {
            let entries = shared.lock();
            let entries = entries.iter();
            list.extend(entries.map(|(name, entry)| (name.clone(), entry.good.clone())));
        }
        list.sort_by(|one, other| one.0.cmp(&other.0));
        list.dedup_by(|next, kept| next.0 == kept.0 && (next.1.is_none() || kept.1.is_some()));
        list
    }

    fn known_or_asked(&self, shared: &Arc<Shared>, name: &Arc<str>) -> Step {
        let now = Instant::now();
        let mut entries = shared.lock();
        if !entries.contains_key(name) {
            shared.whose.make_room(&mut entries, now);
        }
        let entry = entries.entry(name.clone()).or_default();
        if let Some(good) = entry.good.as_ref().filter(|good| good.valid_until > now) {
            return Step::Known(Ok(good.clone()));
        }
        if let Some((failure, again)) = entry.failure.as_ref().filter(|(_, again)| *again > now) {
            return Step::Known(entry.old(now, *again).ok_or_else(|| failure.clone()));
        }
        let question = entry
            .question
            .get_or_insert_with(|| self.start(shared, name.clone()))
            .clone();
        Step::Asked {
            question,
            old: entry.old(now, now + TTL_MIN),
        }
    }

    fn start(&self, shared: &Arc<Shared>, name: Arc<str>) -> watch::Receiver<Option<Outcome>> {
        let (answer, question) = watch::channel(None);
        let shared = Arc::clone(shared);
        self.runtime.spawn(async move {
            let found = timeout(QUESTION_MAX, (shared.ask)(name.clone()))
                .await
                .unwrap_or_else(|_| {
                    Err(Unresolved::Failed {
                        name: name.clone(),
                        why: "no answer in time".into(),
                    })
                });
            let outcome = shared.take(&name, found);
            answer.send_replace(Some(outcome));
        });
        question
    }
}

enum Step {
    Known(Outcome),
    Asked {
        question: watch::Receiver<Option<Outcome>>,
        old: Option<Answer>,
    },
}

impl Whose {
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
        entries.retain(|_, entry| entry.is_of_use(now));
        if self == Self::Called && entries.len() >= NAMES_MAX {
            entries.clear();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was found, and says what callers get.
    fn take(&self, name: &Arc<str>, found: Result<Found, Unresolved>) -> Outcome {
        let now = Instant::now();
        let mut entries = self.lock();
        let entry = entries.entry(name.clone()).or_default();
        entry.question = None;
        let failure = match found {
            Ok(found) => {
                let valid_until = now + found.ttl.clamp(TTL_MIN, TTL_MAX);
                let answer = Answer {
                    addresses: found.addresses.into(),
                    valid_until,
                };
                *entry = Entry {
                    good: Some(answer.clone()),
                    ..Entry::default()
                };
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        let ttl = match &failure {
            Unresolved::NoAddress { ttl, .. } => {
                entry.gone_since.get_or_insert(now);
                ttl.unwrap_or(NEGATIVE_TTL_DEFAULT)
                    .clamp(TTL_MIN, NEGATIVE_TTL_MAX)
            }
            Unresolved::Failed { .. } => FAILURE_TTL,
        };
        let again = now + ttl;
        entry.failure = Some((failure.clone(), again));
        let old = entry.old(now, again);
        if old.is_none() {
            entry.good = None;
        }
        old.ok_or(failure)
    }
}

impl Entry {
    /// The last good answer, if it still counts though it is no longer valid.
    fn old(&self, now: Instant, again: Instant) -> Option<Answer> {
        let grace_is_over = self
            .gone_since
            .is_some_and(|since| now >= since + GONE_GRACE);
        let good = self.good.as_ref().filter(|_| !grace_is_over)?;
        Some(Answer {
            addresses: good.addresses.clone(),
            valid_until: again,
        })
    }

    fn is_of_use(&self, now: Instant) -> bool {
        self.question.is_some()
            || self
                .good
                .as_ref()
                .is_some_and(|good| good.valid_until > now)
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
