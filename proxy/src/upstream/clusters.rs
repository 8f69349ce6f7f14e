//! What is alive of each cluster on one worker: its endpoints and its connections. Kept by name over reloads, as long as
//! who its members are and how they are called stays the same.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egret_config::decide::Dice;
use egret_config::model::endpoint::Address;
use egret_config::model::policy::LoadBalancer;
use egret_config::model::tls::ClientTls;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::cluster::Discovery;
use egret_config::snapshot::cluster::Member;
use egret_config::snapshot::cluster::PASSTHROUGH_CLUSTER;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::dns::names::Answer;
use crate::dns::names::Names;
use crate::failure::Cause;
use crate::failure::Failure;
use crate::tls::Alpn;
use crate::tls::originate::Originator;
use crate::upstream::balance;
use crate::upstream::balance::Balance;
use crate::upstream::connect::Stream;
use crate::upstream::endpoints;
use crate::upstream::endpoints::Active;
use crate::upstream::endpoints::Endpoint;
use crate::upstream::pool::Pool;

/// Istio's default for `http.idleTimeout`.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// Other addresses of a name that are tried when the picked one does not answer.
const ALTERNATES_MAX: usize = 5;

/// The clusters of one worker that were called, and the connections to where callers wanted to go.
#[derive(Debug)]
pub struct Clusters {
    called: RefCell<HashMap<Arc<str>, Rc<LiveCluster>>>,
    passthrough: Rc<Pool>,
    passthrough_name: Arc<str>,
    names: Arc<Names>,
    originator: Arc<Originator>,
}

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
}

/// An endpoint to go to.
#[derive(Debug)]
pub struct Target {
    /// Where it is.
    pub address: SocketAddr,
    /// Counts the call while it lives; none where nothing is balanced.
    pub active: Option<Active>,
}

impl Clusters {
    /// No cluster called yet. Names are resolved by `names`.
    pub fn new(names: Arc<Names>, originator: Arc<Originator>) -> Self {
        Self {
            called: RefCell::default(),
            passthrough: Rc::new(Pool::new(IDLE_TIMEOUT, None)),
            passthrough_name: PASSTHROUGH_CLUSTER.into(),
            names,
            originator,
        }
    }

    /// What is alive of a cluster.
    pub fn live(&self, cluster: &Arc<Cluster>) -> Rc<LiveCluster> {
        let mut called = self.called.borrow_mut();
        if let Some(live) = called.get(&cluster.name)
            && live.is_of(cluster)
        {
            return Rc::clone(live);
        }
        let live = Rc::new(LiveCluster::new(cluster));
        called.insert(Arc::clone(&cluster.name), Rc::clone(&live));
        live
    }

    /// Connections to where callers wanted to go.
    pub fn passthrough(&self) -> &Rc<Pool> {
        &self.passthrough
    }

    /// The name under which the log has them.
    pub fn passthrough_name(&self) -> Arc<str> {
        Arc::clone(&self.passthrough_name)
    }

    /// Originates TLS on a connection to a member of a cluster. `host` is sent and verified where the policy names none.
    ///
    /// # Errors
    /// [`Cause::UpstreamTls`], and [`Cause::ConnectTimeout`] when it is not done within `limit`.
    pub async fn secure(
        &self,
        stream: TcpStream,
        cluster: &Cluster,
        tls: &ClientTls,
        host: Option<&str>,
        alpn: Alpn,
    ) -> Result<Stream, Failure> {
        let limit = cluster.policy.connect_timeout;
        let shaking = self
            .originator
            .connect(stream, tls, &cluster.service_names, host, alpn);
        match timeout(limit, shaking).await {
            Ok(secured) => Ok(Stream::Tls(Box::new(secured?))),
            Err(_) => {
                let words = format!(
                    "no TLS with a member of `{}` within {limit:?}",
                    cluster.name
                );
                Err(Failure::new(Cause::ConnectTimeout, words))
            }
        }
    }

    /// The names of endpoints, resolved.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Forgets clusters that a new snapshot does not have or has changed. Calls under way keep theirs until they end.
    pub fn keep_only(&self, snapshot: &Snapshot) {
        self.called.borrow_mut().retain(|name, live| {
            snapshot
                .clusters
                .get(name)
                .is_some_and(|cluster| live.is_of(cluster))
        });
    }

    /// Closes connections that idled too long.
    pub fn sweep(&self) {
        self.passthrough.sweep();
        for live in self.called.borrow().values() {
            live.pool.sweep();
        }
    }
}

/// What is alive of one cluster.
#[derive(Debug)]
pub struct LiveCluster {
    /// The cluster as it was when last seen.
    cluster: RefCell<Arc<Cluster>>,
    /// Its connections.
    pub pool: Rc<Pool>,
    balance: Balance,
    turn: Cell<u64>,
    endpoints: RefCell<Found>,
}

/// The endpoints of a cluster, as far as they are known.
#[derive(Debug)]
struct Found {
    /// IPv4 first.
    endpoints: Rc<[Rc<Endpoint>]>,
    /// How many are IPv4.
    v4: usize,
    /// Until when they hold; `None` for ever.
    until: Option<Instant>,
}

impl Found {
    fn new(mut endpoints: Vec<Rc<Endpoint>>, until: Option<Instant>) -> Self {
        endpoints.sort_by_key(|endpoint| endpoint.address.is_ipv6());
        let v4 = endpoints
            .iter()
            .filter(|endpoint| endpoint.address.is_ipv4())
            .count();
        Self {
            endpoints: endpoints.into(),
            v4,
            until,
        }
    }

    /// The endpoints of the family that `to` has, or all when there are none of it.
    fn preferred(&self, to: SocketAddr) -> &[Rc<Endpoint>] {
        let (v4, v6) = self.endpoints.split_at(self.v4);
        let (wanted, other) = if to.is_ipv4() { (v4, v6) } else { (v6, v4) };
        if wanted.is_empty() { other } else { wanted }
    }
}

impl LiveCluster {
    fn new(cluster: &Arc<Cluster>) -> Self {
        let found = match &cluster.discovery {
            Discovery::Members(members) => Found::new(endpoints::of_addresses(members), None),
            Discovery::Names { .. } | Discovery::Original { .. } | Discovery::PerCall { .. } => {
                Found::new(Vec::new(), Some(Instant::now()))
            }
        };
        let limits = &cluster.policy.pool;
        let idle_timeout = limits.http_idle_timeout.unwrap_or(IDLE_TIMEOUT);
        Self {
            cluster: RefCell::new(Arc::clone(cluster)),
            pool: Rc::new(Pool::new(idle_timeout, limits.requests_per_connection_max)),
            balance: match cluster.policy.load_balancer {
                LoadBalancer::RoundRobin => Balance::RoundRobin,
                LoadBalancer::Random => Balance::Random,
                LoadBalancer::LeastRequest
                | LoadBalancer::Passthrough
                | LoadBalancer::ConsistentHash(_) => Balance::LeastRequest,
            },
            turn: Cell::new(0),
            endpoints: RefCell::new(found),
        }
    }

    /// Whether this is the life of `cluster`: the very one, or one of another snapshot with the same members and policy.
    fn is_of(&self, cluster: &Arc<Cluster>) -> bool {
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

    /// Picks an endpoint for a call; resolves names that are not known, or not any more.
    ///
    /// # Errors
    /// [`Cause::NoEndpoint`] and [`Cause::NoAddress`].
    pub async fn pick(
        &self,
        wanted: &Wanted<'_>,
        names: &Names,
        dice: Dice<'_>,
    ) -> Result<Target, Failure> {
        let cluster = self.cluster();
        refuse_unsupported(&cluster)?;
        if cluster.policy.load_balancer == LoadBalancer::Passthrough {
            return original(&cluster, wanted, None);
        }
        match &cluster.discovery {
            Discovery::Members(_) => {
                let found = self.endpoints.borrow();
                self.one_of(&cluster, &found.endpoints, wanted, dice)
            }
            Discovery::Names { members, single } => {
                if self.is_stale() {
                    self.resolve(&cluster, members, names).await?;
                }
                let found = self.endpoints.borrow();
                let preferred = found.preferred(wanted.to);
                let preferred = if *single {
                    preferred.get(..1).unwrap_or(preferred)
                } else {
                    preferred
                };
                self.one_of(&cluster, preferred, wanted, dice)
            }
            Discovery::Original { port } => original(&cluster, wanted, *port),
            Discovery::PerCall { allowed, port } => {
                let name = wanted
                    .name
                    .filter(|name| allowed.matches(name))
                    .ok_or_else(|| {
                        let name = wanted.name.unwrap_or("no name");
                        let words =
                            format!("`{name}` is not one of `{allowed}` ({})", cluster.name);
                        Failure::new(Cause::NoEndpoint, words)
                    })?;
                let addresses = resolve_name(names, name).await?.addresses;
                let preferred = addresses
                    .iter()
                    .find(|ip| ip.is_ipv4() == wanted.to.is_ipv4());
                let address = preferred.or(addresses.first()).ok_or_else(|| {
                    Failure::new(Cause::NoAddress, format!("`{name}` has no address"))
                })?;
                Ok(Target {
                    address: SocketAddr::new(*address, *port),
                    active: None,
                })
            }
        }
    }

    /// Addresses to try when `picked` does not answer: others of this cluster's names, the other family first.
    pub fn alternates(&self, picked: SocketAddr) -> Vec<SocketAddr> {
        if !matches!(self.cluster.borrow().discovery, Discovery::Names { .. }) {
            return vec![picked];
        }
        let found = self.endpoints.borrow();
        let others = |same_family: bool| {
            found
                .endpoints
                .iter()
                .map(|endpoint| endpoint.address)
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

    fn one_of(
        &self,
        cluster: &Cluster,
        endpoints: &[Rc<Endpoint>],
        wanted: &Wanted<'_>,
        dice: Dice<'_>,
    ) -> Result<Target, Failure> {
        let picked = balance::pick(self.balance, endpoints, wanted.avoid, &self.turn, dice)
            .ok_or_else(|| {
                Failure::new(
                    Cause::NoEndpoint,
                    format!("cluster `{}` has no endpoint", cluster.name),
                )
            })?;
        Ok(Target {
            address: picked.address,
            active: Some(Active::begin(picked)),
        })
    }

    fn is_stale(&self) -> bool {
        self.endpoints
            .borrow()
            .until
            .is_some_and(|until| until <= Instant::now())
    }

    /// Asks for the names of this cluster again. As long as any name has an address, the call can go on.
    async fn resolve(
        &self,
        cluster: &Cluster,
        members: &[Member],
        names: &Names,
    ) -> Result<(), Failure> {
        let answers = join_all(members.iter().map(async |member| match &member.address {
            Address::Ip(_) | Address::Unix(_) => None,
            Address::Name(name) => Some(resolve_name(names, name).await),
        }));
        let answers = answers.await;
        let before = Rc::clone(&self.endpoints.borrow().endpoints);
        let mut endpoints = Vec::new();
        let mut until: Option<Instant> = None;
        let mut failed = None;
        for (member, answer) in members.iter().zip(answers) {
            match (&member.address, answer) {
                (Address::Ip(ip), _) => {
                    endpoints::of_answer(member, [*ip], &before, &mut endpoints);
                }
                (_, Some(Ok(answer))) => {
                    let addresses = answer.addresses.iter().copied();
                    endpoints::of_answer(member, addresses, &before, &mut endpoints);
                    let valid_until = answer.valid_until;
                    until = Some(until.map_or(valid_until, |until| until.min(valid_until)));
                }
                (_, Some(Err(failure))) => failed = Some(failure),
                (_, None) => {}
            }
        }
        if endpoints.is_empty() {
            return Err(failed.unwrap_or_else(|| {
                Failure::new(
                    Cause::NoEndpoint,
                    format!("cluster `{}` has no endpoint", cluster.name),
                )
            }));
        }
        // A name that failed is asked again by the next call; the resolver keeps such questions apart in time.
        let until = if failed.is_some() {
            Some(Instant::now())
        } else {
            until
        };
        *self.endpoints.borrow_mut() = Found::new(endpoints, until);
        Ok(())
    }
}

/// A cluster behind a tunnel or a PROXY header is not dialled without it: the call would go where it must not, or as
/// somebody else.
fn refuse_unsupported(cluster: &Cluster) -> Result<(), Failure> {
    let policy = &cluster.policy;
    let setting = match (&policy.tunnel, policy.proxy_protocol) {
        (None, None) => return Ok(()),
        (Some(_), _) => "tunnel",
        (None, Some(_)) => "proxyProtocol",
    };
    let words = format!(
        "cluster `{}` has `trafficPolicy.{setting}`, which is not supported yet",
        cluster.name
    );
    Err(Failure::new(Cause::NoEndpoint, words))
}

fn original(cluster: &Cluster, wanted: &Wanted<'_>, port: Option<u16>) -> Result<Target, Failure> {
    if !wanted.to_is_original {
        let words = format!(
            "cluster `{}` goes where the caller wanted to go, which a gateway does not know",
            cluster.name
        );
        return Err(Failure::new(Cause::NoEndpoint, words));
    }
    let port = port.unwrap_or(wanted.to.port());
    Ok(Target {
        address: SocketAddr::new(wanted.to.ip(), port),
        active: None,
    })
}

async fn resolve_name(names: &Names, name: &str) -> Result<Answer, Failure> {
    names
        .addresses(name)
        .await
        .map_err(|unresolved| Failure::new(Cause::NoAddress, unresolved.to_string()))
}

#[cfg(test)]
mod tests;
