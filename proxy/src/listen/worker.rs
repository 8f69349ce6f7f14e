//! Worker threads: each has a runtime of its own, its own sockets and its own connections, which never leave it.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::{io, net, sync, thread};

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;
use tokio::{runtime, task};
use tracing::error;

use crate::connection::ListenerKind;
use crate::life::files::FdBudget;
use crate::listen::accept;
use crate::listen::accept::AcceptContext;
use crate::proxy::Proxy;

/// An order to a worker: serve this socket until the sender of `open` is dropped.
#[derive(Debug)]
pub struct Order {
    /// Bound and listening.
    pub socket: net::TcpListener,
    /// Which door it is.
    pub kind: ListenerKind,
    /// Closed when the port is to be given up.
    pub open: watch::Receiver<()>,
}

/// The sender of orders to one worker. Once all are dropped, the worker ends at once, with the connections it serves.
pub type WorkerHandle = UnboundedSender<Order>;

/// Which of the workers one is.
#[derive(Clone, Copy, Debug)]
pub struct WorkerId {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
    /// Files that each may have open for calls.
    pub files_max: usize,
}

/// Reports the end of a worker's thread. A standard thread cannot be joined within a time limit; a channel whose other
/// end it drops can be waited for.
#[derive(Debug)]
pub struct WorkerExit(sync::mpsc::Receiver<Infallible>);

impl WorkerExit {
    /// Waits for the end, until `deadline` at most.
    pub fn wait(&self, deadline: Instant) {
        let patience = deadline.saturating_duration_since(Instant::now());
        // Nothing is ever sent: either the time is over or the thread.
        let _ = self.0.recv_timeout(patience);
    }
}

/// Starts a worker. `proxy` is called once, on its thread, inside its `LocalSet`.
///
/// # Errors
/// The kernel's, when there is no thread or no epoll to be had.
pub fn start(
    id: WorkerId,
    proxy: impl FnOnce() -> Rc<Proxy> + Send + 'static,
) -> io::Result<(WorkerHandle, WorkerExit)> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (orders, received) = mpsc::unbounded_channel();
    let (running, ended) = sync::mpsc::channel();
    thread::Builder::new()
        .name(format!("worker-{}", id.index))
        .spawn(move || {
            let local = LocalSet::new();
            local.block_on(&runtime, run(id, proxy, received));
            // Tasks go before the runtime that drives their sockets.
            drop(local);
            drop::<sync::mpsc::Sender<Infallible>>(running);
        })?;
    Ok((orders, WorkerExit(ended)))
}

async fn run(
    id: WorkerId,
    proxy: impl FnOnce() -> Rc<Proxy>,
    mut orders: UnboundedReceiver<Order>,
) {
    let context = AcceptContext {
        proxy: proxy(),
        files: FdBudget::new(id.files_max),
        last_id: Rc::new(Cell::new(id.index as u64)),
        id_step: id.of as u64,
    };
    while let Some(Order { socket, kind, open }) = orders.recv().await {
        match TcpListener::from_std(socket) {
            Ok(listener) => {
                let accepting = accept::accept(listener, kind, context.clone(), open);
                drop(task::spawn_local(accepting));
            }
            Err(error) => {
                error!(%error, listener = ?kind, "a worker cannot take a listening socket")
            }
        }
    }
}
