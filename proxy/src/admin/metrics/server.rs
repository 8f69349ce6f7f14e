//! The process and its state as metrics.

use egret_config::snapshot::workload::Mode;
use jiff::Timestamp;

use crate::admin::certs;
use crate::admin::state::Admin;
use crate::life::drain::Phase;
use crate::report::metrics::definition::{Definition, Kind};
use crate::report::metrics::family::{Family, Value};
use crate::sys::process;
use crate::sys::process::ProcessFacts;

/// Families of one number each.
macro_rules! families {
    ($($static:ident $kind:ident $name:literal $stat:literal $help:literal,)*) => {
        $(
            static $static: Definition = Definition {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                labels: &[],
                stat: $stat,
            };
        )*

        /// The families.
        pub static DEFINITIONS: &[&Definition] = &[$(&$static,)*];
    };
}

families! {
    LIVE Gauge "envoy_server_live" "server.live" "",
    STATE Gauge "envoy_server_state" "server.state" "",
    UPTIME Gauge "envoy_server_uptime" "server.uptime" "",
    CONCURRENCY Gauge "envoy_server_concurrency" "server.concurrency" "",
    MEMORY_ALLOCATED Gauge "envoy_server_memory_allocated" "server.memory_allocated" "",
    MEMORY_HEAP_SIZE Gauge "envoy_server_memory_heap_size" "server.memory_heap_size" "",
    HOT_RESTART_EPOCH Gauge "envoy_server_hot_restart_epoch" "server.hot_restart_epoch" "",
    TOTAL_CONNECTIONS Gauge "envoy_server_total_connections" "server.total_connections" "",
    DAYS_UNTIL_EXPIRY Gauge "envoy_server_days_until_first_cert_expiring" "server.days_until_first_cert_expiring" "",
    ACTIVE_CLUSTERS Gauge "envoy_cluster_manager_active_clusters" "cluster_manager.active_clusters" "",
    WORKERS_STARTED Gauge "envoy_listener_manager_workers_started" "listener_manager.workers_started" "",
    ACTIVE_LISTENERS Gauge "envoy_listener_manager_total_listeners_active" "listener_manager.total_listeners_active" "",
    DRAINING Gauge "egret_draining" "" "1 once the process drains, else 0.",
    CPU Counter "process_cpu_seconds_total" "" "Total user and system CPU time spent in seconds.",
    MEMORY Gauge "process_resident_memory_bytes" "" "Resident memory size in bytes.",
    OPEN_FILES Gauge "process_open_fds" "" "Number of open file descriptors.",
    OPEN_FILES_MAX Gauge "process_max_fds" "" "Maximum number of open file descriptors.",
    START Gauge "process_start_time_seconds" "" "Start time of the process since unix epoch in seconds.",
}

/// What Envoy shows where there is no certificate.
const NO_CERTIFICATE: u64 = u32::MAX as u64;

/// Envoy's states.
#[derive(Clone, Copy)]
enum State {
    Live = 0,
    Draining = 1,
    PreInitializing = 2,
}

/// The families; `connections` are those of clients.
pub(super) fn families(admin: &Admin, connections: u64) -> Vec<Family> {
    let draining = admin.drain.phase() != Phase::Running;
    let state = match admin.ready.is_ready() {
        _ if draining => State::Draining,
        true => State::Live,
        false => State::PreInitializing,
    };
    let uptime = Timestamp::now().duration_since(admin.started).as_secs();
    let snapshot = admin.current.load();
    // A sidecar has two clusters that no object names.
    let clusters = snapshot.clusters.len() + built_in_clusters(snapshot.workload.mode);
    let listeners = admin.listener_status.listeners();
    let listening = listeners.iter().filter(|listener| listener.state.is_ok());
    let days = certs::days_until_first_expiry(admin);
    let process = process::facts().unwrap_or_default();
    let mut numbers = vec![
        (&LIVE, u64::from(matches!(state, State::Live))),
        (&STATE, state as u64),
        (&UPTIME, u64::try_from(uptime).unwrap_or_default()),
        (&CONCURRENCY, admin.threads as u64),
        (&HOT_RESTART_EPOCH, 0),
        (&TOTAL_CONNECTIONS, connections),
        (&DAYS_UNTIL_EXPIRY, days.unwrap_or(NO_CERTIFICATE)),
        (&ACTIVE_CLUSTERS, clusters as u64),
        (
            &WORKERS_STARTED,
            u64::from(!matches!(state, State::PreInitializing)),
        ),
        (&ACTIVE_LISTENERS, listening.count() as u64),
        (&DRAINING, u64::from(draining)),
    ];
    numbers.extend(of_process(&process));
    let families = numbers
        .into_iter()
        .map(|(definition, number)| Family::single(definition, Value::Integer(number)));
    let seconds = [(&CPU, process.cpu_seconds), (&START, process.start_seconds)];
    let seconds = seconds
        .into_iter()
        .map(|(definition, seconds)| Family::single(definition, Value::Float(seconds)));
    families.chain(seconds).collect()
}

fn built_in_clusters(mode: Mode) -> usize {
    match mode {
        Mode::Sidecar => 2,
        Mode::Gateway => 0,
    }
}

fn of_process(process: &ProcessFacts) -> [(&'static Definition, u64); 5] {
    [
        (&MEMORY_ALLOCATED, process.anonymous_memory),
        (&MEMORY_HEAP_SIZE, process.heap_size()),
        (&MEMORY, process.resident_memory),
        (&OPEN_FILES, process.open_files),
        (&OPEN_FILES_MAX, process.open_files_max),
    ]
}
