//! What a connection needs to be served: its handles.

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::client::body::KeptBytes;
use crate::current::Current;
use crate::dns::names::Names;
use crate::life::admission::Admission;
use crate::life::client_times::ClientTimes;
use crate::life::drain::Drain;
use crate::life::{memory, stalled};
use crate::own_sockets::OwnSockets;
use crate::report::destinations::{DestinationShard, Destinations};
use crate::report::metrics::limits::LimitHits;
use crate::report::metrics::registry::Metrics;
use crate::report::metrics::shard::Shard;
use crate::report::reporter::Reporter;
use crate::tls::originate::Originator;
use crate::tls::terminate::Terminator;
use crate::upstream::clusters::Clusters;
use crate::upstream::shared_state::SharedClusterStates;

/// How often idle connections are looked through: not a timer for each of them.
const SWEEP: Duration = Duration::from_secs(5);

/// How often the bytes of open streams are counted where no Telemetry says it.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// What all workers share, from which each makes its [`Proxy`].
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// Takes the facts of each call.
    pub reporter: Arc<Reporter>,
    /// The metrics, of which each worker has a shard.
    pub metrics: Arc<Metrics>,
    /// The destinations that were called, of which each worker has a shard.
    pub destinations: Arc<Destinations>,
    /// Names and their addresses.
    pub names: Arc<Names>,
    /// TLS towards upstreams.
    pub originator: Arc<Originator>,
    /// What all workers know together of each cluster.
    pub shared_clusters: Arc<SharedClusterStates>,
    /// TLS that gateways end.
    pub terminator: Arc<Terminator>,
    /// Its own sockets.
    pub own: Arc<OwnSockets>,
    /// Room for bodies that are kept to be sent again.
    pub kept_bytes: KeptBytes,
    /// Admits clients.
    pub admission: Admission,
    /// How long clients may take.
    pub client_times: ClientTimes,
    /// The port that egret-init's validation connects to.
    pub probe_port: u16,
    /// Whether the process is on its way out.
    pub drain: Drain,
}

/// The handles of one worker. Worker-local (`Rc`) where state is, shared (`Arc`) where it is the process's.
#[derive(Debug)]
pub struct Proxy {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// Takes the facts of each call.
    pub reporter: Arc<Reporter>,
    /// What this worker counts of calls.
    pub shard: Arc<Shard>,
    /// How often limits of the process were in the way.
    pub limits: Arc<LimitHits>,
    /// The destinations that this worker called.
    pub destinations: Arc<DestinationShard>,
    /// What is alive of each cluster on this worker.
    pub clusters: Clusters,
    /// TLS that gateways end.
    pub terminator: Arc<Terminator>,
    /// Room for bodies that are kept to be sent again.
    pub kept_bytes: KeptBytes,
    /// Admits clients.
    pub admission: Rc<Admission>,
    /// How long clients may take.
    pub client_times: ClientTimes,
    /// The port that egret-init's validation connects to.
    pub probe_port: u16,
    /// Whether the process is on its way out.
    pub drain: Drain,
}

impl Proxy {
    /// The handles of one worker; to be called on the worker's thread, inside its `LocalSet`, because it starts a task
    /// there that forgets clusters which a reload took away and closes connections that idled too long.
    pub fn start(shared: Shared) -> Rc<Self> {
        let Shared {
            current,
            reporter,
            metrics,
            destinations,
            names,
            originator,
            shared_clusters,
            terminator,
            own,
            kept_bytes,
            admission,
            client_times,
            probe_port,
            drain,
        } = shared;
        let (shard, limits) = (metrics.shard(), Arc::clone(&metrics.limits));
        let clusters = Clusters::new(names, originator, shared_clusters, own);
        let clusters = clusters.counted(&shard.upstream);
        shard.relabel(&current.load().telemetry.metrics);
        let destinations = destinations.shard();
        let proxy = Rc::new(Self {
            reporter: reporter
                .with(Arc::<Shard>::clone(&shard))
                .with(Arc::<DestinationShard>::clone(&destinations)),
            current,
            shard,
            limits,
            destinations,
            clusters,
            terminator,
            kept_bytes,
            admission: Rc::new(admission),
            client_times,
            probe_port,
            drain,
        });
        spawn_local(tend(Rc::downgrade(&proxy), proxy.current.changes()));
        spawn_local(count_streams(
            Rc::downgrade(&proxy),
            proxy.current.changes(),
        ));
        proxy
    }
}

/// Keeps the clusters in step with the configuration, as long as the worker lives.
async fn tend(proxy: Weak<Proxy>, mut changes: watch::Receiver<u64>) {
    loop {
        let changed = timeout(SWEEP, changes.changed()).await;
        let Some(proxy) = proxy.upgrade() else { return };
        if let Ok(Ok(())) = changed {
            let snapshot = proxy.current.load();
            proxy.clusters.keep_only(&snapshot);
            proxy.shard.relabel(&snapshot.telemetry.metrics);
            proxy.destinations.reloaded();
        } else {
            proxy.clusters.sweep();
            stalled::let_go();
            memory::give_back();
        }
    }
}

/// Counts the bytes of open streams at the pace that the configuration says, as long as the worker lives.
async fn count_streams(proxy: Weak<Proxy>, mut changes: watch::Receiver<u64>) {
    loop {
        let Some(interval) = proxy.upgrade().map(|proxy| {
            let metrics = &proxy.current.load().telemetry.metrics;
            metrics.reporting_interval.unwrap_or(COUNT_INTERVAL)
        }) else {
            return;
        };
        let _ = timeout(interval, changes.changed()).await;
        if let Some(proxy) = proxy.upgrade() {
            proxy.shard.count_open_streams();
            proxy.destinations.count_open_streams();
        }
    }
}
