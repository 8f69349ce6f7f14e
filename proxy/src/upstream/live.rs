//! What is alive of one cluster on one worker: who its endpoints are now, which of them a call goes to, its connections.

use std::cell::Cell;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide::Dice;
use egret_config::host::HostPattern;
use egret_config::model::endpoint::Address;
use egret_config::model::policy::HashOn;
use egret_config::model::policy::LoadBalancer;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::Discovery;
use egret_config::snapshot::cluster::Member;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::spawn_local;
use tokio::time::Instant;
use tokio::time::timeout_at;

use crate::dns::names::Answer;
use crate::dns::names::Names;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::upstream::balance;
use crate::upstream::balance::Balance;
use crate::upstream::clusters::IDLE_TIMEOUT;
use crate::upstream::endpoints;
use crate::upstream::endpoints::Active;
use crate::upstream::found::Among;
use crate::upstream::found::Found;
use crate::upstream::limits::Permit;
use crate::upstream::limits::Resource;
use crate::upstream::outlier::Seen;
use crate::upstream::pool::Pool;
use crate::upstream::standing::Standing;

/// Other addresses of a name that are tried when the picked one does not answer.
const ALTERNATES_MAX: usize = 5;

/// How long a call waits for the slower names of a cluster once one of them has an address.
const OTHER_NAMES_MAX: Duration = Duration::from_millis(50);

/// When the names that failed or were too slow are asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known about a call when an endpoint is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Whom the client dialled. Its family is preferred where a name has addresses of both.
    pub to: SocketAddr,
    /// Whether `to` is where the caller wants to go, as on a sidecar, and not a gateway's own address.
    pub to_is_original: bool,
    /// The request's host without port, or the SNI.
    pub name: Option<&'w str>,
    /// Endpoints that failed this call already.
    pub avoid: &'w [SocketAddr],
    /// What consistent hashing goes by; without it chance decides.
    pub hash: Option<u64>,
    /// What is to be carried there.
    pub carries: Carries,
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// An HTTP request; of these there may be `http2MaxRequests` at once.
    Request,
    /// Bytes.
    Stream,
}

/// An endpoint to go to.
#[derive(Debug)]
pub struct Target {
    /// Where it is.
    pub address: SocketAddr,
    /// Counts the call while it lives.
    pub active: Option<Active>,
}

/// What is alive of one cluster.
#[derive(Debug)]
pub struct LiveCluster {
    /// The cluster as it was when last seen.
    cluster: RefCell<Arc<Cluster>>,
    /// Its connections.
    pub pool: Rc<Pool>,
    /// What all workers know of it together.
    pub standing: Arc<Standing>,
    balance: Balance,
    turn: Cell<u64>,
    found: RefCell<Rc<Found>>,
}

impl LiveCluster {
    /// The beginning of a cluster's life on this worker.
    pub fn new(cluster: &Arc<Cluster>, standing: Arc<Standing>) -> Self {
        let found = match &cluster.discovery {
            Discovery::Members(members) => Found::new(endpoints::of_addresses(members), None),
            Discovery::Names { .. } | Discovery::Original { .. } | Discovery::PerCall { .. } => {
                Found::new(Vec::new(), Some(Instant::now()))
            }
        };
        let limits = &cluster.policy.pool;
        let idle_timeout = limits.http_idle_timeout.unwrap_or(IDLE_TIMEOUT);
        let pool = Pool::new(idle_timeout, limits.requests_per_connection_max);
        let age_max = limits.connection_duration_max;
        let pool = Rc::new(pool.limited(Arc::clone(&standing.usage), age_max));
        if limits.connections_max.is_some() {
            make_room(&pool, &standing);
        }
        Self {
            cluster: RefCell::new(Arc::clone(cluster)),
            pool,
            standing,
            balance: match cluster.policy.load_balancer {
                LoadBalancer::RoundRobin => Balance::RoundRobin,
                LoadBalancer::Random | LoadBalancer::ConsistentHash(_) => Balance::Random,
                LoadBalancer::LeastRequest | LoadBalancer::Passthrough => Balance::LeastRequest,
            },
            turn: Cell::new(0),
            found: RefCell::new(Rc::new(found)),
        }
    }

    /// Whether this is the life of `cluster`: the very one, or one of another snapshot with the same members and policy.
    pub fn is_of(&self, cluster: &Arc<Cluster>) -> bool {
        let mut known = self.cluster.borrow_mut();
        if Arc::ptr_eq(&known, cluster) {
            return true;
        }
        let same = known.discovery == cluster.discovery
            && known.policy == cluster.policy
            && known.service_names == cluster.service_names;
        if same {
            *known = Arc::clone(cluster);
        }
        same
    }

    /// The cluster.
    pub fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.cluster.borrow())
    }

    /// What consistent hashing goes by, if that is how endpoints are picked.
    pub fn hash_on(&self) -> Option<HashOn> {
        match &self.cluster.borrow().policy.load_balancer {
            LoadBalancer::ConsistentHash(hash) => Some(hash.on.clone()),
            _ => None,
        }
    }

    /// Notes how a call to an endpoint went, for ejection.
    pub fn saw(&self, address: SocketAddr, seen: Seen) {
        let cluster = self.cluster.borrow();
        if let Some(policy) = &cluster.policy.outlier_detection {
            let hosts = self.found.borrow().endpoints().len();
            self.standing.note(policy, hosts, address, seen);
        }
    }

    /// A place among the connections that there may be; or, when there is none, an idle connection that `idle` finds.
    /// Requests wait for either, as many as may.
    ///
    /// # Errors
    /// [`Cause::Overflow`].
    pub async fn connection<C>(
        &self,
        idle: impl FnMut() -> Option<C>,
    ) -> Result<Result<C, Permit>, Failure> {
        let cluster = self.cluster();
        let limits = &cluster.policy.pool;
        let usage = &self.standing.usage;
        match usage.take(Resource::Connection, limits.connections_max) {
            Ok(permit) => Ok(Err(permit)),
            Err(_) => usage.wait_for_connection(limits, idle).await,
        }
    }

    /// A place among the connections that there may be, now or never.
    ///
    /// # Errors
    /// [`Cause::Overflow`].
    pub fn stream(&self) -> Result<Permit, Failure> {
        let max = self.cluster.borrow().policy.pool.connections_max;
        self.standing.usage.take(Resource::Connection, max)
    }

    /// The right to try a request once more, as long as this lives.
    ///
    /// # Errors
    /// [`Cause::Overflow`].
    pub fn retry(&self) -> Result<Permit, Failure> {
        let cluster = self.cluster.borrow();
        let policy = &cluster.policy;
        let usage = &self.standing.usage;
        usage.take_retry(&policy.pool, policy.retry_budget.as_ref())
    }

    /// Picks an endpoint for a call; resolves names that are not known, or not any more.
    ///
    /// # Errors
    /// [`Cause::NoEndpoint`], [`Cause::NoAddress`] and [`Cause::Overflow`].
    pub async fn pick(
        &self,
        wanted: &Wanted<'_>,
        names: &Names,
        dice: Dice<'_>,
    ) -> Result<Target, Failure> {
        let cluster = self.cluster();
        let request = self.admit(&cluster, wanted.carries)?;
        let at = |address| Target {
            address,
            active: None,
        };
        let found = match &cluster.discovery {
            _ if cluster.policy.load_balancer == LoadBalancer::Passthrough => {
                original(&cluster, wanted, None).map(at)
            }
            Discovery::Original { port } => original(&cluster, wanted, *port).map(at),
            Discovery::PerCall { allowed, port } => {
                per_call(&cluster, allowed, *port, wanted, names)
                    .await
                    .map(at)
            }
            Discovery::Members(_) => {
                return self.one_of(&cluster, Among::All, wanted, request, dice);
            }
            Discovery::Names { members, single } => {
                if self.found.borrow().is_stale() {
                    self.resolve(&cluster, members, names).await?;
                }
                let among = if *single {
                    Among::First(wanted.to)
                } else {
                    Among::Family(wanted.to)
                };
                return self.one_of(&cluster, among, wanted, request, dice);
            }
        };
        found.map(|target| Target {
            active: Some(Active::begin(None, request)),
            ..target
        })
    }

    /// Addresses to try when `picked` does not answer: others of this cluster's names, the other family first.
    pub fn alternates(&self, picked: SocketAddr) -> Vec<SocketAddr> {
        if !matches!(self.cluster.borrow().discovery, Discovery::Names { .. }) {
            return vec![picked];
        }
        let found = self.found.borrow();
        let ejected = self.standing.ejected();
        let others = |same_family: bool| {
            let all = found.endpoints().iter().map(|endpoint| endpoint.address);
            all.filter(|address| !ejected.contains(address))
                .filter(move |address| {
                    *address != picked && (address.is_ipv4() == picked.is_ipv4()) == same_family
                })
        };
        let mut addresses = vec![picked];
        let (mut near, mut far) = (others(true), others(false));
        while addresses.len() <= ALTERNATES_MAX {
            let before = addresses.len();
            addresses.extend(far.next());
            addresses.extend(near.next());
            if addresses.len() == before {
                break;
            }
        }
        addresses
    }

    /// A place among the requests that there may be. A budget of retries needs them counted.
    fn admit(&self, cluster: &Cluster, carries: Carries) -> Result<Permit, Failure> {
        let policy = &cluster.policy;
        let max = match carries {
            Carries::Stream => return Ok(Permit::default()),
            Carries::Request => policy.pool.requests_max,
        };
        let max = max.or(policy.retry_budget.map(|_| u32::MAX));
        self.standing.usage.take(Resource::Request, max)
    }

    fn one_of(
        &self,
        cluster: &Cluster,
        among: Among,
        wanted: &Wanted<'_>,
        request: Permit,
        dice: Dice<'_>,
    ) -> Result<Target, Failure> {
        let found = Rc::clone(&self.found.borrow());
        let policy = cluster.policy.outlier_detection.as_ref();
        let health_min = policy.map_or(0, |policy| policy.health_percent_min);
        let version = self.standing.version(policy);
        let ejected = || self.standing.ejected();
        let usable = found.usable(among, version, ejected, health_min);
        let picked = match (&cluster.policy.load_balancer, wanted.hash) {
            (LoadBalancer::ConsistentHash(how), Some(hash)) => {
                let level = usable.level(&mut |sides| hash.checked_rem(sides).unwrap_or(0));
                level.and_then(|level| level.hashed(how.table, hash))
            }
            _ => usable.level(dice).and_then(|level| {
                let (avoid, turn) = (wanted.avoid, &self.turn);
                balance::pick(self.balance, &level.endpoints, avoid, turn, dice)
            }),
        };
        let picked = picked.ok_or_else(|| nobody(cluster, found.endpoints().len()))?;
        Ok(Target {
            address: picked.address,
            active: Some(Active::begin(Some(picked), request)),
        })
    }

    /// Asks for the names of this cluster again. As long as any name has an address, the call can go on; names that are
    /// slow beside others are not waited for.
    async fn resolve(
        &self,
        cluster: &Cluster,
        members: &[Member],
        names: &Names,
    ) -> Result<(), Failure> {
        let mut answers: Vec<Option<Result<Answer, Failure>>> = vec![None; members.len()];
        let mut asked: FuturesUnordered<_> = members
            .iter()
            .enumerate()
            .filter_map(|(place, member)| match &member.address {
                Address::Ip(_) | Address::Unix(_) => None,
                Address::Name(name) => {
                    Some(async move { (place, resolve_name(names, name).await) })
                }
            })
            .collect();
        let mut patience: Option<Instant> = None;
        while let Some((place, answer)) = match patience {
            None => asked.next().await,
            Some(patience) => timeout_at(patience, asked.next()).await.unwrap_or(None),
        } {
            if answer.is_ok() {
                patience.get_or_insert_with(|| Instant::now() + OTHER_NAMES_MAX);
            }
            answers[place] = Some(answer);
        }
        let before = Rc::clone(self.found.borrow().endpoints());
        let mut endpoints = Vec::new();
        let mut until: Option<Instant> = None;
        let mut soonest = |at: Instant| until = Some(until.map_or(at, |until| until.min(at)));
        let again = Instant::now() + AGAIN;
        let mut failed = None;
        for (member, answer) in members.iter().zip(answers) {
            match (&member.address, answer) {
                (Address::Ip(ip), _) => {
                    endpoints::of_answer(member, [*ip], &before, &mut endpoints);
                }
                (Address::Unix(_), _) => {}
                (Address::Name(_), Some(Ok(answer))) => {
                    let addresses = answer.addresses.iter().copied();
                    endpoints::of_answer(member, addresses, &before, &mut endpoints);
                    soonest(answer.valid_until);
                }
                (Address::Name(_), Some(Err(failure))) => {
                    failed = Some(failure);
                    soonest(again);
                }
                (Address::Name(_), None) => soonest(again),
            }
        }
        if endpoints.is_empty() {
            return Err(failed.unwrap_or_else(|| nobody(cluster, 0)));
        }
        self.learn(Found::new(endpoints, until));
        Ok(())
    }

    fn learn(&self, found: Found) {
        let addresses = |found: &Found| -> Vec<SocketAddr> {
            let all = found.endpoints().iter().map(|endpoint| endpoint.address);
            all.collect()
        };
        let new = addresses(&found);
        if self.cluster.borrow().policy.outlier_detection.is_some()
            && addresses(&self.found.borrow()) != new
        {
            self.standing.keep_hosts(&new);
        }
        *self.found.borrow_mut() = Rc::new(found);
    }
}

/// Closes idle connections when a request, maybe of another worker, waits because there are too many.
fn make_room(pool: &Rc<Pool>, standing: &Arc<Standing>) {
    let (pool, usage) = (Rc::downgrade(pool), Arc::clone(&standing.usage));
    spawn_local(async move {
        loop {
            usage.wanted().await;
            match pool.upgrade() {
                Some(pool) => pool.close_idle(),
                None => return,
            }
        }
    });
}

fn nobody(cluster: &Cluster, known: usize) -> Failure {
    let words = match known {
        0 => format!("cluster `{}` has no endpoint", cluster.name),
        known => format!("all {known} endpoints of `{}` are ejected", cluster.name),
    };
    Failure::new(Cause::NoEndpoint, words)
}

fn original(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    port: Option<u16>,
) -> Result<SocketAddr, Failure> {
    if !wanted.to_is_original {
        let words = format!(
            "cluster `{}` goes where the caller wanted to go, which a gateway does not know",
            cluster.name
        );
        return Err(Failure::new(Cause::NoEndpoint, words));
    }
    let port = port.unwrap_or(wanted.to.port());
    Ok(SocketAddr::new(wanted.to.ip(), port))
}

/// What the call's own name resolves to, if it is one that is allowed. Port 0 is the one that the client dialled.
async fn per_call(
    cluster: &Cluster,
    allowed: &HostPattern,
    port: u16,
    wanted: &Wanted<'_>,
    names: &Names,
) -> Result<SocketAddr, Failure> {
    let refused = |words: String| Failure::new(Cause::NoEndpoint, words);
    let name = wanted
        .name
        .filter(|name| !name.is_empty() && allowed.matches(name))
        .ok_or_else(|| {
            let name = wanted.name.unwrap_or("no name");
            refused(format!(
                "`{name}` is not one of `{allowed}` ({})",
                cluster.name
            ))
        })?;
    let port = match port {
        0 => wanted.to.port(),
        port => port,
    };
    let answer = resolve_name(names, name).await?;
    // The name is the caller's choice, and so is what it resolves to: this machine's own ports are not to be reached by
    // it, nor a gateway by way of itself.
    let is_fit = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        let own = !wanted.to_is_original && *address == wanted.to;
        !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !own
    };
    let addresses = answer.addresses.iter();
    let fit: Vec<_> = addresses
        .map(|ip| SocketAddr::new(*ip, port))
        .filter(is_fit)
        .collect();
    let of_family = fit
        .iter()
        .find(|address| address.is_ipv4() == wanted.to.is_ipv4());
    of_family.or(fit.first()).copied().ok_or_else(|| {
        refused(format!(
            "`{name}` resolves to addresses of this machine only"
        ))
    })
}

async fn resolve_name(names: &Names, name: &str) -> Result<Answer, Failure> {
    names
        .addresses(name)
        .await
        .map_err(|unresolved| Failure::new(Cause::NoAddress, unresolved.to_string()))
}
