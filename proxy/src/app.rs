//! The process: builds all parts in order, starts them, waits for a signal, and drains.
//!
//! Threads: the main thread is the control thread, with a runtime for the signals, the configuration's files, names of
//! upstreams and the gateway's ports; the workers carry the traffic; the admin pages, the health page, captured DNS and
//! the access log have a thread each, so that none waits for another.

mod access_log;
mod end;
mod refresh_rate;
mod handover;
mod services;
mod spans;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use egret_config::snapshot::workload::Mode;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;
use tokio::{runtime, task};
use tracing::{error, info, warn};

use crate::admin::Admin;
use crate::admin::serve::Pages;
use crate::app::access_log::Reports;
use crate::app::end::Requests;
use crate::client::body::KeptBytes;
use crate::connection::ListenerKind;
use crate::current::Current;
use crate::dns::names::Names;
use crate::dns::serve::CapturedCounters;
use crate::life::admission::Admission;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::service::IDLE_THREAD_MAX;
use crate::life::signal::Signals;
use crate::life::{buffers, stalled};
use crate::listen::bind::{BindError, Purpose};
use crate::listen::reconcile::Ports;
use crate::listen::worker;
use crate::listen::worker::{WorkerExit, WorkerHandle, WorkerId};
use crate::logging::LogLevels;
use crate::own_sockets::OwnSockets;
use crate::proxy::{Proxy, Shared};
use crate::report::access_log::AccessLog;
use crate::report::destinations::Destinations;
use crate::report::metrics::identity::Identity;
use crate::report::metrics::registry::Metrics;
use crate::report::overload::OverloadWarning;
use crate::report::reporter::{Reporter, Sink};
use crate::report::spans::Spans;
use crate::report::spans::pace::Pace;
use crate::settings::Settings;
use crate::source::compile::Terms;
use crate::source::files::follow::{FileSource, LoadError};
use crate::source::status::Status;
use crate::sys::limits;
use crate::sys::limits::OpenFiles;
use crate::tls::originate::Originator;
use crate::tls::terminate::Terminator;
use crate::upstream::shared_state::SharedClusterStates;

/// The file with the pod's name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The limit of open files when the kernel does not return one.
const OPEN_FILES_USUAL: u64 = 1024;

/// Threads for reading and compiling the configuration.
const BLOCKING_THREADS: usize = 2;

/// Descriptors of a worker beside those of calls: its runtime's, and its share of the listening sockets.
const FILES_OF_A_WORKER: u64 = 8;

/// With fewer descriptors for calls than this a worker is worth a warning.
const FILES_FEW: usize = 64;

/// The time limit for a worker to drop its connections.
const WORKER_END: Duration = Duration::from_secs(1);

/// Why the proxy did not start, in one line with advice.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration cannot be read, or must not be started with.
    #[error(transparent)]
    Source(#[from] LoadError),
    /// A port cannot be bound.
    #[error(transparent)]
    Port(#[from] BindError),
    /// The kernel refuses something that every process needs.
    #[error("cannot {what}: {source}; raise the limits of this container")]
    Kernel {
        /// What was to be done.
        what: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The proxy at `--hot-restart` does not hand over its sockets.
    #[error("cannot take over from the proxy at --hot-restart: {0}; end it, or give another path")]
    Handover(io::Error),
}

/// Runs until a signal or `/quitquitquit` ends it, in good order. `log_levels` are those of the log that was started.
///
/// # Errors
/// The reason why it did not start. Once started, it does not fail.
pub fn run(settings: &Settings, log_levels: Arc<LogLevels>) -> Result<(), StartError> {
    let started = Timestamp::now();
    let open_files = OpenFiles::of(limits::raise_open_files().unwrap_or(OPEN_FILES_USUAL));
    let control = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(IDLE_THREAD_MAX)
        .thread_name("control-blocking")
        .build()
        .map_err(refused("make an epoll instance"))?;
    buffers::share(settings.buffers_max, settings.threads);
    stalled::share(settings.stalled_max, settings.threads);
    let signals = {
        let _entered = control.enter();
        Signals::take().map_err(refused("take over signals"))?
    };
    let status = Status::default();
    let terms = Terms {
        workload: settings.workload.clone(),
        ignore_authorization_policies: settings.ignore_authorization_policies,
    };
    let (source, snapshot) = FileSource::load(settings.source.clone(), terms, status.clone())?;
    let access_log = Arc::new(AccessLog::new(settings.access_log_reasons));
    let current = Arc::new(Current::new(snapshot));
    let (bounds, wrong) = &settings.histogram_bounds;
    if let Some(wrong) = wrong {
        error!("{wrong}");
    }
    let metrics = Metrics::with_bounds(
        settings.workload.mode,
        Identity::of(&settings.workload, &settings.surroundings),
        Arc::clone(&current),
        bounds,
    );
    let (spans, queued_spans) = Spans::new(Arc::clone(&metrics.spans));
    let spans = Arc::new(spans);
    let sinks: [Arc<dyn Sink>; 3] = [
        access_log.clone(),
        Arc::new(OverloadWarning::default()),
        spans.clone(),
    ];
    let destinations = Destinations::new(Arc::clone(&current));
    let shared_clusters = Arc::<SharedClusterStates>::default();
    metrics.show_ejections(Arc::<SharedClusterStates>::clone(&shared_clusters));
    let hits = Arc::clone(&metrics.limits);
    let shared = Shared {
        own: Arc::new(OwnSockets::new(Arc::clone(&current))),
        current,
        reporter: Reporter::new(sinks),
        metrics: Arc::new(metrics),
        destinations: Arc::new(destinations),
        names: Arc::new(Names::system(RESOLV_CONF, control.handle().clone())),
        originator: Arc::new(Originator::new()),
        shared_clusters,
        terminator: Arc::new(Terminator::new()),
        kept_bytes: KeptBytes::new(settings.kept_bodies_max, hits),
        admission: Admission::new(settings.client_bounds),
        client_times: settings.client_times,
        probe_port: settings.probe_port,
        drain: Drain::new(),
    };

    // The pages' ports are bound first, so that a second proxy with the same ports fails before it accepts calls.
    let (predecessor, mut binder) =
        handover::predecessor(settings.hot_restart.as_deref()).map_err(StartError::Handover)?;
    let admin_socket = binder.alone(Purpose::Admin, settings.admin)?;
    let health_socket = binder.alone(Purpose::Health, settings.health)?;
    let stats_socket = binder.alone(Purpose::Stats, settings.stats)?;
    let agent_socket = binder.alone(Purpose::Agent, settings.agent)?;
    let dns_sockets = match settings.workload.dns_capture {
        true => binder.dns(settings.dns_port)?,
        false => Vec::new(),
    };
    let (orders, workers) = start_workers(settings, open_files, &shared)?;
    let mut ports = Ports::new(orders, binder);
    if settings.workload.mode == Mode::Sidecar {
        ports.open(
            Purpose::Outbound,
            ListenerKind::Outbound,
            settings.outbound_port,
        )?;
        ports.open(
            Purpose::Inbound,
            ListenerKind::Inbound,
            settings.inbound_port,
        )?;
    }
    let failed = ports.reconcile(&shared.current.load().bound_ports()).pop();
    // A sidecar without one of its egress listeners still serves all other calls.
    if let (Some(error), Mode::Gateway) = (failed, settings.workload.mode) {
        return Err(error.into());
    }

    source.announce();
    let reports = Reports {
        access_log: Arc::clone(&access_log),
        spans: Arc::clone(&spans),
        reporter: Arc::clone(&shared.reporter),
        surroundings: settings.surroundings.clone(),
    };
    access_log::configure(&reports, &shared.current.load());
    let (commands, received) = mpsc::unbounded_channel();
    let ready = Ready::new();
    let starting = ready.wait_for("start");
    let (application, wrong) = &settings.application;
    for wrong in wrong {
        error!("{wrong}; these metrics are left out");
    }
    let captured = CapturedCounters {
        limits: Arc::clone(&shared.metrics.limits),
        ..CapturedCounters::default()
    };
    let captured_queries = (!dns_sockets.is_empty()).then(|| Arc::clone(&captured.queries));
    let admin = Admin {
        metrics: Arc::clone(&shared.metrics),
        destinations: Arc::clone(&shared.destinations),
        captured_queries,
        application: Arc::clone(application),
        current: Arc::clone(&shared.current),
        status,
        listener_status: ports.listener_status(),
        access_log: Arc::clone(&access_log),
        names: Arc::clone(&shared.names),
        shared_clusters: Arc::clone(&shared.shared_clusters),
        log_levels,
        surroundings: settings.surroundings.clone(),
        ready,
        drain: shared.drain.clone(),
        commands,
        started,
        threads: settings.threads.get(),
    };
    let clients_max = open_files.page_clients();
    let (pages, open) = watch::channel(());
    for (name, sockets) in [
        ("admin", vec![(admin_socket, Pages::Admin)]),
        ("health", vec![(health_socket, Pages::Health)]),
        (
            "stats",
            vec![(stats_socket, Pages::Stats), (agent_socket, Pages::Agent)],
        ),
    ] {
        services::pages(name, sockets, &admin, clients_max, open.clone())
            .map_err(refused("serve the pages"))?;
    }
    services::dns(dns_sockets, &shared.current, RESOLV_CONF, captured, open)
        .map_err(refused("wait for DNS queries"))?;
    // From now on: what was opened before is needed by all calls.
    open_files.keep_reserve();
    let local = LocalSet::new();
    let exporting = spans::start(&local, &shared, &spans, queued_spans);
    local.block_on(&control, async {
        let look = Arc::new(Notify::new());
        task::spawn_local(source.follow(Arc::clone(&shared.current), Arc::clone(&look)));
        task::spawn_local(access_log::keep_configured(
            Arc::clone(&shared.current),
            reports.clone(),
        ));
        task::spawn_local(refresh_rate::keep_configured(
            Arc::clone(&shared.current),
            Arc::clone(&shared.names),
        ));
        starting.done();
        info!(
            version = env!("CARGO_PKG_VERSION"),
            mode = ?settings.workload.mode,
            namespace = %settings.workload.namespace,
            threads = settings.threads,
            admin = %settings.admin,
            health = %settings.health,
            stats = %settings.stats,
            agent = %settings.agent,
            open_files = open_files.limit,
            "ready"
        );
        let handovers = handover::begin(predecessor, settings.hot_restart.as_deref(), &mut ports);
        let mut requests = Requests {
            signals,
            commands: received,
            handovers,
            look: &look,
            current: &shared.current,
            reports: &reports,
            drain: &shared.drain,
            drain_time: settings.drain_time,
            has_inbound: settings.workload.mode == Mode::Sidecar,
            closing: None,
            drained: false,
        };
        let end = requests.until_end(&mut ports).await;
        end::drain(end, &shared, ports, pages, requests).await;
    });
    end(workers);
    access_log.flush(WORKER_END);
    spans.set_pace(Pace::Last);
    local.block_on(&control, spans::finish(exporting));
    info!("ended");
    Ok(())
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Kernel { what, source }
}

fn start_workers(
    settings: &Settings,
    open_files: OpenFiles,
    shared: &Shared,
) -> Result<(Vec<WorkerHandle>, Vec<WorkerExit>), StartError> {
    let of = settings.threads.get();
    let left = open_files
        .left_for_calls()
        .map_err(refused("open a file"))?;
    let files = (left / of as u64).saturating_sub(FILES_OF_A_WORKER);
    let files_max = usize::try_from(files).unwrap_or(usize::MAX);
    if files_max < FILES_FEW {
        warn!(
            limit = open_files.limit,
            each_worker = files_max,
            "the limit of open files allows few calls at a time; raise it for this container"
        );
    }
    let mut started = (Vec::new(), Vec::new());
    for index in 0..of {
        let shared = shared.clone();
        let id = WorkerId {
            index,
            of,
            files_max,
        };
        let (orders, ended) =
            worker::start(id, || Proxy::start(shared)).map_err(refused("start a worker thread"))?;
        started.0.push(orders);
        started.1.push(ended);
    }
    Ok(started)
}

/// Waits for workers that are ending. One that does not end in time ends with the process.
fn end(workers: Vec<WorkerExit>) {
    let deadline = Instant::now() + WORKER_END;
    for worker in workers {
        worker.wait(deadline);
    }
}
