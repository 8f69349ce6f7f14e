//! The clusters that one worker has called, by name. A cluster is kept over reloads while its members and its policy stay
//! the same.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use egret_config::address::EndpointAddress;
use egret_config::fast_map::FastMap;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::{Cluster, ClusterPolicy, PASSTHROUGH_CLUSTER};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

use crate::client::pool::Pool;
use crate::dial::connect::{Connected, Dial, connect, connect_unix};
use crate::dial::failed_addresses::Failover;
use crate::dial::post_tunnel::PostTunnel;
use crate::dial::proxy_protocol::Ends;
use crate::dial::stream::Stream;
use crate::dial::{proxy_protocol, tunnel};
use crate::dns::names::Names;
use crate::failure::{Cause, Failure};
use crate::own_sockets::OwnSockets;
use crate::report::facts::UpstreamConnectionFacts;
use crate::report::metrics::envoy::cluster::{ClusterCounters, UpstreamCounters};
use crate::report::metrics::envoy::endpoint::EndpointCount;
use crate::report::metrics::envoy::under_way::CountedConnection;
use crate::tls::Alpn;
use crate::tls::originate::{Handshake, Originator};
use crate::upstream::cluster_runtime::{ClusterRuntime, IDLE_TIMEOUT};
use crate::upstream::limits::Permit;
use crate::upstream::outlier::CallOutcome;
use crate::upstream::shared_state::SharedClusterStates;

pub use crate::upstream::load_balancer_context::{AttemptHistory, Carries, LoadBalancerContext};

/// The clusters that one worker has called, and the pool of connections to original destinations.
#[derive(Debug)]
pub struct Clusters {
    called: RefCell<FastMap<Arc<str>, Rc<ClusterRuntime>>>,
    shared_clusters: Arc<SharedClusterStates>,
    passthrough: Rc<Pool>,
    passthrough_name: Arc<str>,
    counters: Arc<UpstreamCounters>,
    passthrough_counters: OnceCell<Arc<ClusterCounters>>,
    names: Arc<Names>,
    originator: Arc<Originator>,
    own: Arc<OwnSockets>,
}

/// The settings of a connection to a picked endpoint.
#[derive(Debug)]
pub struct Opening<'o> {
    /// The cluster.
    pub live: &'o ClusterRuntime,
    /// The endpoint.
    pub address: &'o EndpointAddress,
    /// The other addresses of the call's own name.
    pub others: &'o [SocketAddr],
    /// The name sent and verified where TLS is originated and its policy names none.
    pub host: Option<&'o str>,
    /// The ALPN protocols that are offered.
    pub alpn: Alpn,
    /// The addresses of the client and the destination, for a PROXY header.
    pub ends: Option<Ends>,
    /// The permit for the connection.
    pub permit: Permit,
}

/// A connection to an endpoint, ready for the call.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub stream: Stream,
    /// The address that answered.
    pub address: EndpointAddress,
    /// Its facts.
    pub facts: Arc<UpstreamConnectionFacts>,
}

impl Clusters {
    /// An empty set of clusters. `names` resolves their endpoints.
    pub fn new(
        names: Arc<Names>,
        originator: Arc<Originator>,
        shared_clusters: Arc<SharedClusterStates>,
        own: Arc<OwnSockets>,
    ) -> Self {
        Self {
            called: RefCell::default(),
            shared_clusters,
            passthrough: Rc::new(Pool::new(IDLE_TIMEOUT, None)),
            passthrough_name: PASSTHROUGH_CLUSTER.into(),
            counters: Arc::default(),
            passthrough_counters: OnceCell::new(),
            names,
            originator,
            own,
        }
    }

    /// The same, with these counters.
    #[must_use]
    pub fn counted(self, counters: &Arc<UpstreamCounters>) -> Self {
        let passthrough = Pool::new(IDLE_TIMEOUT, None).counted(&counters.pool);
        Self {
            counters: Arc::clone(counters),
            passthrough: Rc::new(passthrough),
            ..self
        }
    }

    /// The runtime of a cluster, made anew where there is none for it.
    pub fn live(&self, cluster: &Arc<Cluster>) -> Rc<ClusterRuntime> {
        let mut called = self.called.borrow_mut();
        if let Some(live) = called.get(&cluster.name)
            && live.serves(cluster)
        {
            return Rc::clone(live);
        }
        let standing = self.shared_clusters.of(&cluster.name);
        let own = Arc::clone(&self.own);
        let live = Rc::new(ClusterRuntime::new(cluster, standing, own, &self.counters));
        called.insert(Arc::clone(&cluster.name), Rc::clone(&live));
        live
    }

    /// The pool of connections to original destinations.
    pub fn passthrough(&self) -> &Rc<Pool> {
        &self.passthrough
    }

    /// The counters of those connections.
    pub fn passthrough_counters(&self) -> Arc<ClusterCounters> {
        let counters = &self.passthrough_counters;
        Arc::clone(counters.get_or_init(|| self.counters.cluster(&self.passthrough_name)))
    }

    /// Their cluster name in the access log.
    pub fn passthrough_name(&self) -> Arc<str> {
        Arc::clone(&self.passthrough_name)
    }

    /// Opens a connection to an endpoint: TCP, then the PROXY header, TLS and tunnel of the policy, all within its connect
    /// timeout. A failure is reported to outlier detection.
    ///
    /// # Errors
    /// [`Cause::Connect`], [`Cause::UpstreamTls`], and [`Cause::ConnectTimeout`] when it is not done in time.
    pub async fn open(&self, opening: Opening<'_>) -> Result<Opened, Failure> {
        let (live, address) = (opening.live, opening.address);
        let opening = self.opened(opening);
        let endpoints = &live.counters.by_endpoint;
        let opened = counted(&live.counters, opening, |opened, counted| {
            if let Some(endpoint) = endpoints.of(&opened.address) {
                counted.set_endpoint(endpoint);
            }
            Opened {
                stream: opened.stream.counted(counted),
                ..opened
            }
        });
        let opened = opened.await;
        match &opened {
            Ok(_) => {}
            // A lack of local descriptors is not a failure of the endpoint.
            Err(failure) if *failure.cause() == Cause::Overloaded => {
                self.close_idle();
            }
            Err(_) => {
                if let Some(endpoint) = endpoints.of(address) {
                    endpoint.count(EndpointCount::Connections);
                    endpoint.count(EndpointCount::ConnectFailures);
                }
                live.report(address, CallOutcome::Failed);
            }
        }
        opened
    }

    async fn opened(&self, opening: Opening<'_>) -> Result<Opened, Failure> {
        let cluster = opening.live.cluster();
        let policy = &cluster.policy;
        let deadline = Instant::now() + policy.connect_timeout;
        let dial = Dial {
            from: None,
            limit: policy.connect_timeout,
            keepalive: policy.pool.keepalive.as_ref(),
            own: &self.own,
        };
        let connected = match opening.address {
            EndpointAddress::Ip(picked) => {
                let addresses = opening.live.alternates(*picked, opening.others);
                connect(&addresses, dial).await?
            }
            EndpointAddress::Unix(path) => connect_unix(path, dial.limit).await?,
        };
        let address = connected.address.clone();
        if let (EndpointAddress::Ip(failed), EndpointAddress::Ip(answered)) =
            (opening.address, &address)
            && failed != answered
        {
            opening.live.passes_over(Failover {
                failed: *failed,
                answered: *answered,
            });
        }
        if policy.tls.is_none() && policy.tunnel.is_none() && policy.proxy_protocol.is_none() {
            return Ok(Opened {
                stream: Stream::plain(connected.stream).guarded(opening.permit),
                address,
                facts: Arc::new(connected.facts),
            });
        }
        let dressing = self.dressed(connected, &cluster, opening);
        let (stream, facts) = timeout_at(deadline, dressing).await.unwrap_or_else(|_| {
            let what = missing(policy);
            let limit = policy.connect_timeout;
            let message = format!(
                "no {what} with {address} of `{}` within {limit:?}",
                cluster.name
            );
            Err(Failure::new(Cause::ConnectTimeout, message))
        })?;
        Ok(Opened {
            stream,
            address,
            facts: Arc::new(facts),
        })
    }

    /// Runs the handshakes between the connection and the call, from the outermost to the innermost.
    async fn dressed(
        &self,
        connected: Connected,
        cluster: &Cluster,
        opening: Opening<'_>,
    ) -> Result<(Stream, UpstreamConnectionFacts), Failure> {
        let policy = &cluster.policy;
        let (mut stream, mut facts) = (connected.stream, connected.facts);
        if let (Some(version), Some(ends)) = (policy.proxy_protocol, opening.ends) {
            let header = proxy_protocol::header(version, ends);
            stream.write_all(&header).await.map_err(|error| {
                let message = format!(
                    "cannot send a PROXY header to {}: {error}",
                    connected.address
                );
                Failure::new(Cause::Connect(error.to_string().into()), message)
            })?;
        }
        let mut stream = match &policy.tls {
            None => Stream::plain(stream).guarded(opening.permit),
            Some(tls) => {
                let handshake = Handshake {
                    tls,
                    service_names: &cluster.service_names,
                    host: opening.host,
                    alpn: opening.alpn,
                };
                let (stream, tls) = self.originator.connect(stream, handshake).await?;
                facts.secured(tls);
                Stream::tls(stream).guarded(opening.permit)
            }
        };
        if let Some(tunnel) = &policy.tunnel {
            let consent = tunnel::open(&mut stream, tunnel).await?;
            stream = match consent.framing {
                None => stream.with_early(consent.early),
                Some(framing) => {
                    Stream::post_tunnel(PostTunnel::new(stream, framing, &consent.early))
                }
            };
        }
        Ok((stream, facts))
    }

    /// Connects to an original destination.
    ///
    /// # Errors
    /// Those of [`connect`].
    pub async fn connect_original(
        &self,
        to: SocketAddr,
        dial: Dial<'_>,
    ) -> Result<(Stream, UpstreamConnectionFacts), Failure> {
        let counters = self.passthrough_counters();
        let addresses = [to];
        let connecting = connect(&addresses, dial);
        counted(&counters, connecting, |connected, counted| {
            let stream = Stream::plain(connected.stream).counted(counted);
            (stream, connected.facts)
        })
        .await
    }

    /// The sockets of this proxy.
    pub fn own(&self) -> &OwnSockets {
        &self.own
    }

    /// The resolver's cache.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Removes clusters that a new snapshot has removed or changed. Active calls keep their cluster until they end.
    pub fn keep_only(&self, snapshot: &Snapshot) {
        self.called.borrow_mut().retain(|name, live| {
            snapshot
                .clusters
                .get(name)
                .is_some_and(|cluster| live.serves(cluster))
        });
        self.shared_clusters.keep_only(snapshot);
    }

    /// Closes all idle connections, because few descriptors are left. Returns how many it closed.
    #[allow(clippy::disallowed_methods, reason = "all are closed, and counted")]
    pub fn close_idle(&self) -> usize {
        let called = self.called.borrow();
        let closed = called.values().map(|live| live.pool.close_all_idle());
        closed.sum::<usize>() + self.passthrough.close_all_idle()
    }

    /// Closes connections after their idle timeout.
    #[allow(
        clippy::disallowed_methods,
        clippy::iter_over_hash_type,
        reason = "each pool is swept by itself"
    )]
    pub fn sweep(&self) {
        self.passthrough.sweep();
        for live in self.called.borrow().values() {
            live.pool.sweep();
        }
    }
}

/// Counts a connection from the moment at which connecting begins. `keep` puts what counts it where it is dropped with the
/// connection.
async fn counted<C, T>(
    counters: &Arc<ClusterCounters>,
    connecting: impl Future<Output = Result<C, Failure>>,
    keep: impl FnOnce(C, CountedConnection) -> T,
) -> Result<T, Failure> {
    let began = Instant::now();
    let counted = CountedConnection::begin(counters);
    match connecting.await {
        Ok(connected) => {
            counted.connected(began.elapsed());
            Ok(keep(connected, counted))
        }
        Err(failure) => {
            counted.failed(*failure.cause() == Cause::ConnectTimeout);
            Err(failure)
        }
    }
}

/// The step that a connection had not completed when its time limit passed.
fn missing(policy: &ClusterPolicy) -> &'static str {
    match (&policy.tls, &policy.tunnel) {
        (Some(_), Some(_)) => "TLS and tunnel",
        (Some(_), None) => "TLS",
        (None, Some(_)) => "tunnel",
        (None, None) => "PROXY header",
    }
}

#[cfg(test)]
mod tests;
