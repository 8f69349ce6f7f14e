//! Builds everything once, in order; starts; waits; drains.
//!
//! Threads: the main thread is the control thread, with a runtime for the pages, the signals, the configuration's files
//! and the gateway's ports; the workers carry the traffic; the access log has a thread of its own.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
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
use crate::life::drain::Drain;
use crate::life::ready::Ready;
use crate::life::signal::Signal;
use crate::life::signal::Signals;
use crate::listen::bind;
use crate::listen::bind::BindError;
use crate::listen::bind::Purpose;
use crate::listen::reconcile::Ports;
use crate::listen::worker;
use crate::listen::worker::Orders;
use crate::listen::worker::Place;
use crate::proxy::Proxy;
use crate::report::access_log::AccessLog;
use crate::settings::Settings;
use crate::source::files::ReadError;
use crate::source::follow::Source;
use crate::source::status::Status;
use crate::sys::limits;

/// Files that are not connections: the log, the pages' clients, epoll instances, configuration being read.
const FILES_RESERVED: u64 = 256;

/// Files of one connection: the client's socket and the upstream's.
const FILES_PER_CONNECTION: u64 = 2;

/// Connections of one worker, however many files are allowed.
const CONNECTIONS_MAX: usize = 1 << 20;

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
    let kernel = |what| move |source| StartError::Kernel { what, source };
    let open_files = limits::raise_open_files().unwrap_or(1024);
    let ready = Ready::new();
    let starting = ready.wait_for("start");
    let drain = Drain::new();
    let status = Status::default();
    let (source, snapshot) = Source::load(
        settings.source.clone(),
        settings.workload.clone(),
        status.clone(),
    )?;
    let access_log = Arc::new(AccessLog::start().map_err(kernel("start the access log's thread"))?);
    configure(&access_log, &snapshot);
    let current = Arc::new(Current::new(snapshot));

    // Sockets of the pages first: a second proxy with the same ports must not get as far as taking calls.
    let admin_socket = bind::alone(Purpose::Admin, settings.admin)?;
    let health_socket = bind::alone(Purpose::Health, settings.health)?;
    let (orders, threads) = workers(settings, open_files, &current, &drain, &access_log)?;
    let mut ports = Ports::new(orders);
    if settings.workload.mode == Mode::Sidecar {
        ports.open(
            Purpose::Outbound,
            Entrance::Outbound,
            settings.outbound_port,
        )?;
        ports.open(Purpose::Inbound, Entrance::Inbound, settings.inbound_port)?;
    }
    if let Some(error) = ports.reconcile(&current.load().gateway_ports()).pop() {
        return Err(error.into());
    }

    let control = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("control-blocking")
        .build()
        .map_err(kernel("make an epoll instance"))?;
    let quit = Arc::new(Notify::new());
    let admin = Admin {
        current: Arc::clone(&current),
        status,
        board: ports.board(),
        ready,
        drain: drain.clone(),
        quit: Arc::clone(&quit),
        started,
        threads: settings.threads.get(),
    };
    let local = LocalSet::new();
    local.block_on(&control, async {
        let mut signals = Signals::take().map_err(kernel("take over signals"))?;
        for (socket, pages) in [(admin_socket, Pages::Admin), (health_socket, Pages::Health)] {
            let admin = admin.clone();
            task::spawn_local(async move {
                if let Err(error) = serve::serve(socket, pages, admin).await {
                    error!(%error, ?pages, "cannot serve the pages");
                }
            });
        }
        let look = Arc::new(Notify::new());
        task::spawn_local(source.follow(Arc::clone(&current), Arc::clone(&look)));
        task::spawn_local(keep_configured(Arc::clone(&access_log), Arc::clone(&current)));
        starting.done();
        info!(
            version = env!("CARGO_PKG_VERSION"), mode = ?settings.workload.mode, namespace = %settings.workload.namespace,
            threads = settings.threads, admin = %settings.admin, health = %settings.health, open_files,
            "ready"
        );
        tokio::select! {
            () = ports.follow(&current) => {}
            () = told_to_end(&mut signals, &quit, &look, &access_log, &current) => {}
        }
        drain_within(settings.drain_time, &drain, ports).await;
        Ok::<_, StartError>(())
    })?;
    end(threads);
    access_log.flush(WORKER_END);
    info!("ended");
    Ok(())
}

fn workers(
    settings: &Settings,
    open_files: u64,
    current: &Arc<Current>,
    drain: &Drain,
    _access_log: &Arc<AccessLog>,
) -> Result<(Vec<Orders>, Vec<JoinHandle<()>>), StartError> {
    let of = settings.threads.get();
    let connections = open_files.saturating_sub(FILES_RESERVED) / FILES_PER_CONNECTION / of as u64;
    let connections_max = usize::try_from(connections)
        .unwrap_or(CONNECTIONS_MAX)
        .clamp(1, CONNECTIONS_MAX);
    let mut started = (Vec::new(), Vec::new());
    for index in 0..of {
        let current = Arc::clone(current);
        let place = Place {
            index,
            of,
            connections_max,
        };
        let (orders, thread) = worker::start(place, drain.clone(), move || -> Rc<Proxy> {
            Proxy::start(current)
        })
        .map_err(|source| StartError::Kernel {
            what: "start a worker thread",
            source,
        })?;
        started.0.push(orders);
        started.1.push(thread);
    }
    Ok(started)
}

/// Returns when the process is to end.
async fn told_to_end(
    signals: &mut Signals,
    quit: &Notify,
    look: &Notify,
    access_log: &AccessLog,
    current: &Current,
) {
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
                    info!("SIGHUP: looking at the configuration and opening the access log again");
                    configure(access_log, &current.load());
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

/// Waits for threads that were told to end; one that is stuck ends with the process.
fn end(threads: Vec<JoinHandle<()>>) {
    let deadline = Instant::now() + WORKER_END;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Takes the access log's settings from each configuration that comes into force.
async fn keep_configured(access_log: Arc<AccessLog>, current: Arc<Current>) {
    let mut changes = current.changes();
    while changes.changed().await.is_ok() {
        configure(&access_log, &current.load());
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
