//! All metrics of the process: the shards of its workers, merged when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use egret_config::address::EndpointAddress;
use egret_config::snapshot::cluster::BLACK_HOLE_CLUSTER;
use egret_config::snapshot::workload::Mode;

use crate::current::Current;
use crate::lock::lock;
use crate::report::metrics::bounds::HistogramBounds;
use crate::report::metrics::context::Context;
use crate::report::metrics::ejections::EjectionSource;
use crate::report::metrics::envoy::cluster::UpstreamBuckets;
use crate::report::metrics::envoy::cluster_families::ClusterFamilies;
use crate::report::metrics::envoy::downstream::DownstreamFamilies;
use crate::report::metrics::envoy::endpoint::EndpointCounts;
use crate::report::metrics::family::Family;
use crate::report::metrics::identity::Identity;
use crate::report::metrics::istio::IstioFamilies;
use crate::report::metrics::limits::LimitHits;
use crate::report::metrics::own::{self, OwnFamilies, pool_connections};
use crate::report::metrics::series::CallBuckets;
use crate::report::metrics::shard::Shard;
use crate::report::metrics::spans::SpanCounters;

/// Nanoseconds of a millisecond.
const NANOS: f64 = 1e6;

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    context: Arc<Context>,
    /// One of each worker that there ever was.
    shards: Mutex<Vec<Arc<Shard>>>,
    /// What becomes of spans.
    pub spans: Arc<SpanCounters>,
    /// How often limits of the process were in the way.
    pub limits: Arc<LimitHits>,
    ejections: OnceLock<Arc<dyn EjectionSource>>,
}

/// What shards and counters say at a moment.
#[derive(Debug)]
pub struct Scraped {
    /// All families.
    pub families: Vec<Family>,
    /// Clients' connections there are.
    pub connections: u64,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(mode: Mode, identity: Identity, current: Arc<Current>) -> Self {
        Self::with_bounds(mode, identity, current, &HistogramBounds::default())
    }

    /// Nothing counted yet; histograms have these bounds.
    pub fn with_bounds(
        mode: Mode,
        identity: Identity,
        current: Arc<Current>,
        bounds: &HistogramBounds,
    ) -> Self {
        let buckets = CallBuckets {
            duration: bounds.of("istiocustom.istio_request_duration_milliseconds", NANOS),
            request_bytes: bounds.of("istiocustom.istio_request_bytes", 1.0),
            response_bytes: bounds.of("istiocustom.istio_response_bytes", 1.0),
            upstream: UpstreamBuckets {
                request_time: bounds.of("cluster.upstream_rq_time", NANOS),
                connect_time: bounds.of("cluster.upstream_cx_connect_ms", NANOS),
            },
        };
        Self {
            context: Arc::new(Context::new(mode, identity, buckets, current)),
            shards: Mutex::default(),
            spans: Arc::default(),
            limits: Arc::default(),
            ejections: OnceLock::new(),
        }
    }

    /// The shard of one more worker.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new(Arc::clone(&self.context)));
        lock(&self.shards).push(Arc::clone(&shard));
        shard
    }

    /// Shows the ejections that `source` knows, too.
    pub fn show_ejections(&self, source: Arc<dyn EjectionSource>) {
        // There is one of a process.
        let _ = self.ejections.set(source);
    }

    /// All families at this moment, with the connections that listeners ever had and have now.
    pub fn scrape(&self) -> Scraped {
        let shards = lock(&self.shards).clone();
        let ejections = self.ejections.get().map(|source| source.ejections());
        let ejections = ejections.unwrap_or_default();
        let (mut clusters, mut downstream) =
            (ClusterFamilies::default(), DownstreamFamilies::default());
        let mut idle = 0;
        let mut istio = IstioFamilies::new(&self.context.identity);
        let mut own = OwnFamilies::default();
        for shard in &shards {
            let copy = shard.copy();
            for series in &copy.calls {
                istio.call(series);
            }
            for series in &copy.streams {
                istio.stream(series);
            }
            own.shard(shard, &copy);
            clusters.worker(&shard.upstream);
            downstream.worker(&shard.downstream);
            idle += shard.upstream.pool.idle();
        }
        let blackholed = shards.iter().map(|shard| shard.blackholed_streams()).sum();
        if blackholed > 0 {
            clusters.streams(BLACK_HOLE_CLUSTER, blackholed);
        }
        let (connections, open) = (downstream.active, clusters.http_connections);
        let mut families = istio.finish();
        families.extend(clusters.finish(&ejections));
        families.extend(downstream.finish());
        families.extend(own.finish(&self.context));
        families.push(pool_connections(open, idle));
        families.extend(own::ejections(&ejections));
        families.push(self.limits.family(shards.iter().map(|shard| &**shard)));
        families.extend(self.spans.families());
        Scraped {
            families,
            connections,
        }
    }

    /// What is counted of the endpoints of each cluster.
    pub fn endpoints(&self) -> BTreeMap<Arc<str>, BTreeMap<EndpointAddress, EndpointCounts>> {
        let shards = lock(&self.shards).clone();
        let mut clusters = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (name, counters) in shards.iter().flat_map(|shard| shard.upstream.all()) {
            counters
                .by_endpoint
                .add_to(clusters.entry(name).or_default());
        }
        clusters
    }

    /// All families at this moment.
    pub fn families(&self) -> Vec<Family> {
        self.scrape().families
    }
}
