//! Builds everything once, in order; starts; waits; drains.
//!
//! Threads: the main thread is the control thread, with a runtime for the pages, the signals, the configuration's files
//! and the gateway's ports; the workers carry the traffic; the access log has a thread of its own.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Mode;
use jiff::Timestamp;
use thiserror::Error;
use tokio::runtime;
use tokio::sync::Notify;
use tokio::task;
use tokio::task::LocalSet;
use tokio::time;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::admin::Admin;
use crate::admin::serve;
use crate::admin::serve::Pages;
use crate::connection::Entrance;
use crate::current::Current;
use crate::dns::names::Names;
use crate::dns::serve::Captured;
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::signal::Signal;
use crate::life::signal::Signals;
use crate::listen::bind;
use crate::listen::bind::BindError;
use crate::listen::bind::Purpose;
use crate::listen::reconcile::Ports;
use crate::listen::worker;
use crate::listen::worker::Ended;
use crate::listen::worker::Orders;
use crate::listen::worker::Place;
use crate::proxy::Proxy;
use crate::proxy::Shared;
use crate::report::access_log::AccessLog;
use crate::settings::Settings;
use crate::source::files::ReadError;
use crate::source::follow::Source;
use crate::source::status::Status;
use crate::sys::limits;
use crate::tls::originate::Originator;
use crate::tls::terminate::Terminator;

/// Where the pod's name servers are.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The limit of open files when the kernel does not tell.
const OPEN_FILES_USUAL: u64 = 1024;

/// Threads for reading and compiling the configuration.
const BLOCKING_THREADS: usize = 2;

/// Files that are not connections: the log, the pages' clients, epoll instances, configuration being read.
const FILES_RESERVED: u64 = 256;

/// How long cut connections may take to write their lines of the access log.
const CUT_TIME: Duration = Duration::from_millis(500);

/// How long a worker may take to let go of what it was serving.
const WORKER_END: Duration = Duration::from_secs(1);

/// Why the proxy did not start, in one line that says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Source(#[from] ReadError),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] BindError),
    /// The kernel refuses something that every process needs.
    #[error("cannot {what}: {source}; raise the limits of this container")]
    Kernel {
        /// What was wanted.
        what: &'static str,
        /// The kernel's words.
        source: io::Error,
    },
}

/// Runs until a signal or `/quitquitquit` ends it, in good order.
///
/// # Errors
/// What kept it from starting. Once started, it does not fail.
pub fn run(settings: &Settings) -> Result<(), StartError> {
    let started = Timestamp::now();
    let open_files = limits::raise_open_files().unwrap_or(OPEN_FILES_USUAL);
    let control = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("control-blocking")
        .build()
        .map_err(refused("make an epoll instance"))?;
    let status = Status::default();
    let (source, snapshot) = Source::load(
        settings.source.clone(),
        settings.workload.clone(),
        status.clone(),
    )?;
    let access_log = AccessLog::start().map_err(refused("start a thread"))?;
    let shared = Shared {
        current: Arc::new(Current::new(snapshot)),
        access_log: Arc::new(access_log.telling_reasons(settings.access_log_reasons)),
        names: Arc::new(Names::system(RESOLV_CONF, control.handle().clone())),
        originator: Arc::new(Originator::new()),
        standings: Arc::default(),
        terminator: Arc::new(Terminator::new()),
        drain: Drain::new(),
    };

    // The pages' ports come first: a second proxy with the same ones must not get as far as taking calls.
    let admin_socket = bind::alone(Purpose::Admin, settings.admin)?;
    let health_socket = bind::alone(Purpose::Health, settings.health)?;
    let dns_sockets = match settings.workload.dns_capture {
        true => bind::dns(settings.dns_port)?,
        false => Vec::new(),
    };
    let (orders, workers) = start_workers(settings, open_files, &shared)?;
    let mut ports = Ports::new(orders);
    if settings.workload.mode == Mode::Sidecar {
        ports.open(
            Purpose::Outbound,
            Entrance::Outbound,
            settings.outbound_port,
        )?;
        ports.open(Purpose::Inbound, Entrance::Inbound, settings.inbound_port)?;
    }
    let failed = ports.reconcile(&shared.current.load().bound_ports()).pop();
    // A sidecar without one of its egress listeners is still the way out for all other calls.
    if let (Some(error), Mode::Gateway) = (failed, settings.workload.mode) {
        return Err(error.into());
    }

    source.announce();
    configure(&shared.access_log, &shared.current.load());
    let ready = Ready::new();
    let starting = ready.wait_for("start");
    let admin = Admin {
        current: Arc::clone(&shared.current),
        status,
        board: ports.board(),
        names: Arc::clone(&shared.names),
        standings: Arc::clone(&shared.standings),
        ready,
        drain: shared.drain.clone(),
        quit: Arc::new(Notify::new()),
        started,
        threads: settings.threads.get(),
    };
    LocalSet::new().block_on(&control, async {
        let mut signals = Signals::take().map_err(refused("take over signals"))?;
        let look = Arc::new(Notify::new());
        for (socket, pages) in [(admin_socket, Pages::Admin), (health_socket, Pages::Health)] {
            task::spawn_local(show(socket, pages, admin.clone()));
        }
        let captured = Captured::new(Arc::clone(&shared.current), RESOLV_CONF);
        for (datagrams, listener) in dns_sockets {
            captured
                .serve(datagrams, listener)
                .map_err(refused("wait for DNS queries"))?;
        }
        task::spawn_local(source.follow(Arc::clone(&shared.current), Arc::clone(&look)));
        task::spawn_local(keep_configured(shared.clone()));
        starting.done();
        info!(
            version = env!("CARGO_PKG_VERSION"),
            mode = ?settings.workload.mode,
            namespace = %settings.workload.namespace,
            threads = settings.threads,
            admin = %settings.admin,
            health = %settings.health,
            open_files,
            "ready"
        );
        tokio::select! {
            () = ports.follow(&shared.current) => {}
            () = told_to_end(&mut signals, &admin.quit, &look, &shared) => {}
        }
        drain_within(settings.drain_time, &shared.drain, ports).await;
        Ok::<_, StartError>(())
    })?;
    end(workers);
    shared.access_log.flush(WORKER_END);
    info!("ended");
    Ok(())
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Kernel { what, source }
}

fn start_workers(
    settings: &Settings,
    open_files: u64,
    shared: &Shared,
) -> Result<(Vec<Orders>, Vec<Ended>), StartError> {
    let of = settings.threads.get();
    let files = open_files.saturating_sub(FILES_RESERVED) / of as u64;
    let files_max = usize::try_from(files).unwrap_or(usize::MAX);
    let mut started = (Vec::new(), Vec::new());
    for index in 0..of {
        let shared = shared.clone();
        let place = Place {
            index,
            of,
            files_max,
        };
        let (orders, ended) = worker::start(place, || Proxy::start(shared))
            .map_err(refused("start a worker thread"))?;
        started.0.push(orders);
        started.1.push(ended);
    }
    Ok(started)
}

async fn show(socket: TcpListener, pages: Pages, admin: Admin) {
    if let Err(error) = serve::serve(socket, pages, admin).await {
        error!(%error, ?pages, "cannot serve the pages");
    }
}

/// Returns when the process is to end.
async fn told_to_end(signals: &mut Signals, quit: &Notify, look: &Notify, shared: &Shared) {
    loop {
        tokio::select! {
            () = quit.notified() => {
                info!("told to end by /quitquitquit");
                return;
            }
            signal = signals.next() => match signal {
                Signal::End { name } => {
                    info!(signal = name, "told to end");
                    return;
                }
                Signal::Reload => {
                    info!("SIGHUP: looking at the configuration, opening the access log again");
                    configure(&shared.access_log, &shared.current.load());
                    look.notify_one();
                }
            }
        }
    }
}

/// Stops accepting, waits for work in flight up to `patience`, then cuts it.
async fn drain_within(patience: Duration, drain: &Drain, ports: Ports) {
    drain.start();
    let cut = async {
        time::sleep(patience).await;
        let left = drain.held();
        if left > 0 {
            warn!(left, after = ?patience, "cutting connections: they took longer than --drain-time");
        }
        // Without orders to wait for the workers end, and with them their connections.
        drop(ports);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = drain.finish(patience + CUT_TIME) => {}
        () = cut => {}
    }
}

/// Waits for workers that were told to end; one that is stuck ends with the process.
fn end(workers: Vec<Ended>) {
    let deadline = Instant::now() + WORKER_END;
    for worker in workers {
        worker.wait(deadline);
    }
}

/// Takes the access log's settings from each configuration that comes into force and changes them.
async fn keep_configured(shared: Shared) {
    let mut changes = shared.current.changes();
    while changes.changed().await.is_ok() {
        configure(&shared.access_log, &shared.current.load());
    }
}

fn configure(access_log: &AccessLog, snapshot: &Snapshot) {
    let mesh = &snapshot.mesh;
    if let Err(error) = access_log.configure(&mesh.access_log_file, mesh.access_log_encoding) {
        let cause = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        error!(cause, "{error}; the access log stays where it was");
    }
}
