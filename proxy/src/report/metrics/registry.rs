//! All metrics of the process: the shards of its workers, merged when somebody scrapes.

use std::sync::{Arc, Mutex};

use egret_config::snapshot::workload::Mode;

use crate::current::Current;
use crate::lock::lock;
use crate::report::metrics::context::Context;
use crate::report::metrics::family::Family;
use crate::report::metrics::histogram::{BOUNDS_DEFAULT, Buckets};
use crate::report::metrics::identity::Identity;
use crate::report::metrics::istio::IstioFamilies;
use crate::report::metrics::own::OwnFamilies;
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
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(mode: Mode, identity: Identity, current: Arc<Current>) -> Self {
        let bytes = Buckets::new(&BOUNDS_DEFAULT, 1.0);
        let buckets = CallBuckets {
            duration: Buckets::new(&BOUNDS_DEFAULT, NANOS),
            request_bytes: Arc::clone(&bytes),
            response_bytes: bytes,
        };
        Self {
            context: Arc::new(Context::new(mode, identity, buckets, current)),
            shards: Mutex::default(),
            spans: Arc::default(),
        }
    }

    /// The shard of one more worker.
    pub fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::new(Arc::clone(&self.context)));
        lock(&self.shards).push(Arc::clone(&shard));
        shard
    }

    /// All families at this moment.
    pub fn families(&self) -> Vec<Family> {
        let shards = lock(&self.shards).clone();
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
        }
        let mut families = istio.finish();
        families.extend(own.finish(&self.context));
        families.extend(self.spans.families());
        families
    }
}
