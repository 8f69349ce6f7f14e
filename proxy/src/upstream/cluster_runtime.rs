//! The runtime of one cluster on one worker: its current endpoints, load balancing, and connections.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::EndpointAddress;
use egret_config::decide::Dice;
use egret_config::model::policy::LoadBalancer;
use egret_config::snapshot::cluster::{Cluster, Discovery};
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::client::pool::Pool;
use crate::dial::failed_addresses;
use crate::dial::failed_addresses::{FailedAddressCache, Failover};
use crate::dns::names::Names;
use crate::failure::Failure;
use crate::own_sockets::OwnSockets;
use crate::report::facts::Attempt;
use crate::report::metrics::envoy::cluster::{ClusterCounters, Count, UpstreamCounters};
use crate::upstream::balance::warmup::Shares;
use crate::upstream::balance::{Balance, Picker};
use crate::upstream::endpoint_set::{EndpointSet, FamilyFilter};
use crate::upstream::endpoints::{Active, Endpoint};
use crate::upstream::limits::{NextConnection, Permit, Resource};
use crate::upstream::load_balancer_context::{AttemptHistory, Carries, LoadBalancerContext};
use crate::upstream::outlier::{CallOutcome, CallReport};
use crate::upstream::shared_state::SharedClusterState;
use crate::upstream::{endpoints, resolve};

/// Istio's default for `http.idleTimeout`.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// An endpoint to go to.
#[derive(Debug)]
pub struct Target {
    /// Where it is.
    pub address: EndpointAddress,
    /// The other addresses of the call's name, where the name is the destination.
    pub others: Vec<SocketAddr>,
    /// Counts the call until it is dropped.
    pub active: Option<Active>,
}

impl Target {
    /// Copies the workload and the host name of the endpoint to `attempt`.
    pub fn describe(&self, attempt: &mut Attempt) {
        if let Some(endpoint) = self.active.as_ref().and_then(Active::endpoint) {
            attempt.workload.clone_from(&endpoint.workload);
            attempt.host_name.clone_from(&endpoint.name);
        }
    }
}

/// The state of one cluster on one worker.
#[derive(Debug)]
pub struct ClusterRuntime {
    /// The cluster of the snapshot that was used last.
    cluster: RefCell<Arc<Cluster>>,
    /// Its connections.
    pub pool: Rc<Pool>,
    /// The state that all workers share.
    pub standing: Arc<SharedClusterState>,
    /// The counters of the cluster.
    pub counters: Arc<ClusterCounters>,
    balance: Balance,
    turn: Cell<u64>,
    /// When the warm-up of all endpoints ends.
    warm_at: Cell<Option<Instant>>,
    failed_addresses: FailedAddressCache,
    endpoints: RefCell<Rc<EndpointSet>>,
    /// The sockets of this proxy. Names that resolve to them are refused.
    own: Arc<OwnSockets>,
}

impl ClusterRuntime {
    /// A runtime for a cluster that this worker has not called yet.
    pub fn new(
        cluster: &Arc<Cluster>,
        standing: Arc<SharedClusterState>,
        own: Arc<OwnSockets>,
        counters: &UpstreamCounters,
    ) -> Self {
        let endpoints = match &cluster.discovery {
            Discovery::Members(members) => EndpointSet::new(endpoints::of_addresses(members), None),
            Discovery::Names { .. } | Discovery::Original { .. } | Discovery::PerCall { .. } => {
                EndpointSet::new(Vec::new(), Some(Instant::now()))
            }
        };
        let limits = &cluster.policy.pool;
        // As in Istio, limits for TCP apply where those for HTTP are not set.
        let tcp = limits.tcp_idle_timeout.filter(|limit| !limit.is_zero());
        let idle_timeout = limits.http_idle_timeout.or(tcp).unwrap_or(IDLE_TIMEOUT);
        let pool = Pool::new(idle_timeout, limits.requests_per_connection_max);
        let pool = pool.counted(&counters.pool);
        let pool = Rc::new(pool.limited(standing.usage.freed(), limits));
        if limits.connections_max.is_some() {
            make_room(&pool, &standing);
        }
        if cluster.policy.outlier_detection.is_none() {
            // Nothing would end the ejections of an earlier policy.
            standing.keep_hosts(&[]);
        }
        let live = Self {
            cluster: RefCell::new(Arc::clone(cluster)),
            pool,
            standing,
            counters: counters.cluster(&cluster.name),
            balance: match cluster.policy.load_balancer {
                LoadBalancer::RoundRobin => Balance::RoundRobin,
                LoadBalancer::Random | LoadBalancer::ConsistentHash(_) => Balance::Random,
                LoadBalancer::LeastRequest | LoadBalancer::Passthrough => Balance::LeastRequest,
            },
            turn: Cell::new(0),
            warm_at: Cell::new(None),
            failed_addresses: FailedAddressCache::default(),
            endpoints: RefCell::new(Rc::new(EndpointSet::new(Vec::new(), None))),
            own,
        };
        live.set_endpoints(endpoints);
        live
    }

    /// Whether this runtime serves `cluster`: the same one, or one of another snapshot with the same members and policy.
    pub fn serves(&self, cluster: &Arc<Cluster>) -> bool {
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

    /// Notes how a call to an endpoint went, for ejection.
    pub fn report(&self, address: &EndpointAddress, outcome: CallOutcome) {
        let cluster = self.cluster.borrow();
        if let Some(policy) = &cluster.policy.outlier_detection {
            let endpoints = self.endpoints.borrow().endpoints().len();
            let call = CallReport {
                at: address,
                outcome,
            };
            self.standing.note(policy, endpoints, call);
        }
    }

    /// A permit for a new connection; or, at the limit of connections, an idle connection that `idle` finds. Requests
    /// wait for either, up to the limit of waiting requests.
    ///
    /// # Errors
    /// `Cause::Overflow`.
    pub async fn connection<C>(
        &self,
        idle: impl FnMut() -> Option<C>,
    ) -> Result<NextConnection<C>, Failure> {
        let cluster = self.cluster();
        let limits = &cluster.policy.pool;
        let usage = &self.standing.usage;
        match usage.take(Resource::Connection, limits.connections_max) {
            Ok(permit) => Ok(NextConnection::New(permit)),
            Err(_) => {
                self.counters.count(Count::ConnectionOverflows);
                let connection = usage.wait_for_connection(limits, idle).await;
                self.overflowed(connection, Count::PendingOverflows)
            }
        }
    }

    /// A permit for a new connection. Does not wait for one.
    ///
    /// # Errors
    /// `Cause::Overflow`.
    pub fn stream(&self) -> Result<Permit, Failure> {
        let max = self.cluster.borrow().policy.pool.connections_max;
        let permit = self.standing.usage.take(Resource::Connection, max);
        self.overflowed(permit, Count::ConnectionOverflows)
    }

    /// Counts a refusal by a limit, if `permit` is one.
    fn overflowed<T>(&self, permit: Result<T, Failure>, limit: Count) -> Result<T, Failure> {
        if permit.is_err() {
            self.counters.count(limit);
        }
        permit
    }

    /// A permit for one retry. Dropping it frees the retry.
    ///
    /// # Errors
    /// `Cause::Overflow`.
    pub fn retry(&self) -> Result<Permit, Failure> {
        let cluster = self.cluster.borrow();
        let policy = &cluster.policy;
        let usage = &self.standing.usage;
        let permit = usage.take_retry(&policy.pool, policy.retry_budget.as_ref());
        self.overflowed(permit, Count::RetryOverflows)
    }

    /// Picks an endpoint for a call. Resolves names that have no current answer.
    ///
    /// # Errors
    /// `Cause::NoEndpoint`, `Cause::NoAddress` and `Cause::Overflow`.
    pub async fn pick(
        &self,
        context: &LoadBalancerContext<'_>,
        names: &Names,
        dice: Dice<'_>,
    ) -> Result<Target, Failure> {
        let cluster = self.cluster();
        let request = self.admit(&cluster, context.carries)?;
        let at = |address| Target {
            address: EndpointAddress::Ip(address),
            others: Vec::new(),
            active: None,
        };
        let target = match &cluster.discovery {
            _ if cluster.policy.load_balancer == LoadBalancer::Passthrough => {
                resolve::original(&cluster, context, None).map(at)
            }
            Discovery::Original { port } => resolve::original(&cluster, context, *port).map(at),
            Discovery::PerCall { allowed, port } => {
                let all =
                    resolve::per_call(&cluster, allowed, *port, context, (names, &*self.own)).await;
                all.map(|(first, others)| Target {
                    address: EndpointAddress::Ip(self.failed_addresses.instead_of(first)),
                    others,
                    active: None,
                })
            }
            Discovery::Members(_) => {
                let picked = self.pick_endpoint(&cluster, FamilyFilter::All, context, dice)?;
                return Ok(self.target(picked, request));
            }
            Discovery::Names { members, single } => {
                if self.endpoints.borrow().is_stale() {
                    let before = Rc::clone(self.endpoints.borrow().endpoints());
                    self.update_endpoints(
                        resolve::members(&cluster, members, (names, &*self.own), &before).await?,
                    );
                }
                let among = if *single {
                    FamilyFilter::First(context.original_dst)
                } else {
                    FamilyFilter::Family(context.original_dst)
                };
                let picked = self.pick_endpoint(&cluster, among, context, dice)?;
                return Ok(self.target(picked, request));
            }
        };
        target.map(|target| Target {
            active: Some(Active::begin(None, request)),
            ..target
        })
    }

    /// Addresses to connect to when `picked` does not answer: those in `others`, else the other addresses of this cluster.
    pub fn alternates(&self, picked: SocketAddr, others: &[SocketAddr]) -> Vec<SocketAddr> {
        if !others.is_empty() {
            return failed_addresses::in_turns(picked, others.iter().copied());
        }
        if !matches!(self.cluster.borrow().discovery, Discovery::Names { .. }) {
            return vec![picked];
        }
        let set = self.endpoints.borrow();
        let ejected = self.standing.ejected();
        let fit = set.endpoints().iter().filter_map(|endpoint| {
            let EndpointAddress::Ip(address) = endpoint.address else {
                return None;
            };
            (!ejected.contains(&endpoint.address)).then_some(address)
        });
        failed_addresses::in_turns(picked, fit)
    }

    /// Records an address that failed and the one that answered instead.
    pub fn passes_over(&self, failover: Failover) {
        self.failed_addresses.note(failover);
    }

    /// A permit for a request. Requests are also counted where a retry budget needs their number.
    fn admit(&self, cluster: &Cluster, carries: Carries) -> Result<Permit, Failure> {
        let policy = &cluster.policy;
        let max = match carries {
            Carries::Stream => return Ok(Permit::default()),
            Carries::Request => policy.pool.requests_max,
        };
        let max = max.or(policy.retry_budget.map(|_| u32::MAX));
        let permit = self.standing.usage.take(Resource::Request, max);
        self.overflowed(permit, Count::RequestOverflows)
    }

    fn pick_endpoint(
        &self,
        cluster: &Cluster,
        among: FamilyFilter,
        context: &LoadBalancerContext<'_>,
        dice: Dice<'_>,
    ) -> Result<Rc<Endpoint>, Failure> {
        let set = Rc::clone(&self.endpoints.borrow());
        let policy = cluster.policy.outlier_detection.as_ref();
        let health_min = policy.map_or(0, |policy| policy.health_percent_min);
        let version = self.standing.version(policy);
        let ejected = || self.standing.ejected();
        let usable = set.usable(among, version, ejected, health_min);
        let picked = match (&cluster.policy.load_balancer, context.hash) {
            (LoadBalancer::ConsistentHash(how), Some(hash)) => {
                let dice = &mut |sides: u64| hash.checked_rem(sides).unwrap_or(0);
                let level = usable.level(context.tried.skipped_priorities(), dice);
                level.and_then(|level| level.hashed(how.table, hash))
            }
            _ => usable
                .level(context.tried.skipped_priorities(), dice)
                .and_then(|level| {
                    let AttemptHistory { at, avoid, .. } = context.tried;
                    let picker = Picker {
                        balance: self.balance,
                        shares: self.shares(cluster),
                        turn: &self.turn,
                    };
                    picker.pick(&level.endpoints, if avoid { at } else { &[] }, dice)
                }),
        };
        let picked = picked.map(Rc::clone);
        picked.ok_or_else(|| resolve::no_usable_endpoint(cluster, set.endpoints().len()))
    }

    /// The target of a request to a picked endpoint.
    fn target(&self, picked: Rc<Endpoint>, request: Permit) -> Target {
        Target {
            address: match &picked.address {
                EndpointAddress::Ip(address) => {
                    EndpointAddress::Ip(self.failed_addresses.instead_of(*address))
                }
                unix @ EndpointAddress::Unix(_) => unix.clone(),
            },
            others: Vec::new(),
            active: Some(Active::begin(Some(picked), request)),
        }
    }

    fn update_endpoints(&self, set: EndpointSet) {
        if self.cluster.borrow().policy.outlier_detection.is_some() {
            let new = set.addresses();
            if self.endpoints.borrow().addresses() != new {
                self.standing.keep_hosts(&new);
            }
        }
        self.set_endpoints(set);
    }

    /// Replaces the endpoints. Where endpoints warm up, each one keeps the time at which it was first resolved.
    fn set_endpoints(&self, set: EndpointSet) {
        if let Some(warmup) = &self.cluster.borrow().policy.warmup
            && !set.endpoints().is_empty()
        {
            let endpoints = set.endpoints();
            let known = self.standing.known(&set.addresses());
            for (endpoint, since) in endpoints.iter().zip(&known) {
                endpoint.since.set(Some(*since));
            }
            let last = known.into_iter().max();
            self.warm_at.set(last.map(|last| last + warmup.duration));
        }
        self.counters.set_endpoints(set.endpoints().len());
        *self.endpoints.borrow_mut() = Rc::new(set);
    }

    fn shares(&self, cluster: &Cluster) -> Shares {
        let Some((warmup, warm_at)) = cluster.policy.warmup.zip(self.warm_at.get()) else {
            return Shares::Whole;
        };
        let now = Instant::now();
        if self.balance == Balance::Random || warm_at <= now {
            return Shares::Whole;
        }
        Shares::Growing(warmup, now)
    }
}

/// Closes idle connections when a request of any worker waits for a connection.
fn make_room(pool: &Rc<Pool>, standing: &Arc<SharedClusterState>) {
    let (pool, usage) = (Rc::downgrade(pool), Arc::clone(&standing.usage));
    spawn_local(async move {
        loop {
            usage.connection_needed().await;
            match pool.upgrade() {
                Some(pool) => pool.close_idle(),
                None => return,
            }
        }
    });
}
