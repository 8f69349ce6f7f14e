//! What the admin pages show and what they may do.

use std::sync::Arc;

use jiff::Timestamp;

use crate::admin::application::ApplicationMetrics;
use crate::current::Current;
use crate::dns::names::Names;
use crate::life::drain::Drain;
use crate::life::end::Commands;
use crate::life::ready::Ready;
use crate::listen::reconcile::ListenerStatus;
use crate::logging::LogLevels;
use crate::report::access_log::AccessLog;
use crate::report::destinations::Destinations;
use crate::report::metrics::dns::QueryCounters;
use crate::report::metrics::identity::Surroundings;
use crate::report::metrics::registry::Metrics;
use crate::source::status::Status;
use crate::upstream::shared_state::SharedClusterStates;

/// What the pages show and what they may do. Clones share one state.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The configuration in force.
    pub current: Arc<Current>,
    /// Where it came from.
    pub status: Status,
    /// What is listened on.
    pub listener_status: ListenerStatus,
    /// The access log.
    pub access_log: Arc<AccessLog>,
    /// What names resolved to.
    pub names: Arc<Names>,
    /// What all workers know together of each cluster.
    pub shared_clusters: Arc<SharedClusterStates>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The destinations that were called.
    pub destinations: Arc<Destinations>,
    /// Captured DNS queries, where they are captured.
    pub captured_queries: Option<Arc<QueryCounters>>,
    /// Where the application's own metrics are.
    pub application: Arc<[ApplicationMetrics]>,
    /// Whether the process is ready.
    pub ready: Ready,
    /// Whether it is on its way out.
    pub drain: Drain,
    /// Where orders to the process go.
    pub commands: Commands,
    /// The levels of loggers.
    pub log_levels: Arc<LogLevels>,
    /// What the environment says about the workload.
    pub surroundings: Surroundings,
    /// When the process started.
    pub started: Timestamp,
    /// Worker threads.
    pub threads: usize,
}
