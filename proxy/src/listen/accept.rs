//! The accept loop of one listening socket on one worker: cap, refusal, backoff, span, spawn.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::{task, time};
use tracing::{Instrument, debug, debug_span, warn};

use crate::connection;
use crate::connection::ListenerKind;
use crate::life::files::{FdBudget, FdPermit};
use crate::proxy::Proxy;
use crate::sys::{limits, socket};

/// Waits after an accept that failed for want of resources: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Refusals for want of descriptors are logged once in this time.
const WARNING_INTERVAL: Duration = Duration::from_secs(1);

/// What the accept loops of one worker have in common.
#[derive(Clone)]
pub struct AcceptContext {
    /// Serves what is accepted.
    pub proxy: Rc<Proxy>,
    /// Room for this worker's sockets.
    pub files: FdBudget,
    /// Number of the last connection; differs between workers in its lowest digits.
    pub last_id: Rc<Cell<u64>>,
    /// Distance between the ids of one worker.
    pub id_step: u64,
    /// When a refusal for want of descriptors was logged last.
    pub warned: Rc<Cell<Option<Instant>>>,
}

/// Accepts until `open`'s sender is dropped or sends; the inbound port until the process drains: an application that is
/// about to end still makes calls, but is asked for none. What had already come is still accepted. Each connection becomes
/// a task of its own, which outlives the loop and holds a drain open.
pub async fn accept(
    listener: TcpListener,
    entrance: ListenerKind,
    reception: AcceptContext,
    mut open: watch::Receiver<()>,
) {
    let drain = &reception.proxy.drain;
    let mut until_drain = (entrance == ListenerKind::Inbound).then(|| drain.guard());
    let mut backoff = BACKOFF.0;
    loop {
        let drained = async {
            match &mut until_drain {
                Some(guard) => guard.inbound_draining().await,
                None => pending().await,
            }
        };
        let accepted = tokio::select! {
            biased;
            () = drained => break,
            _ = open.changed() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                backoff = BACKOFF.0;
                begin_or_refuse(socket, peer, entrance, &reception);
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection left before it was accepted")
            }
            Err(error) => {
                warn!(%error, wait = ?backoff, "cannot accept connections; trying again");
                reception.make_room();
                time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
    // Closing the socket would reset what waits in its queue.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        begin_or_refuse(socket, peer, entrance, &reception);
    }
}

fn begin_or_refuse(
    socket: TcpStream,
    peer: SocketAddr,
    entrance: ListenerKind,
    reception: &AcceptContext,
) {
    match reception.room_for(&socket) {
        Some(held) => begin(socket, peer, entrance, reception, held),
        None => {
            reception.warn_of_refusals();
            connection::refuse(socket, entrance, &reception.proxy);
        }
    }
}

impl AcceptContext {
    /// Room for a connection that was just accepted, if there is any or some can be made.
    fn room_for(&self, socket: &TcpStream) -> Option<FdPermit> {
        // Whose own descriptor is in the reserve needs one that is about to be closed.
        if limits::is_for_calls(socket) || self.make_room() {
            self.files.try_hold()
        } else {
            None
        }
    }

    /// Closes connections that idle: a client's, and those to upstreams. Says whether there were any.
    fn make_room(&self) -> bool {
        let upstream = self.proxy.clusters.close_idle();
        self.files.dismiss_idle() || upstream > 0
    }

    fn warn_of_refusals(&self) {
        let recent = |warned: Instant| warned.elapsed() < WARNING_INTERVAL;
        if !self.warned.get().is_some_and(recent) {
            self.warned.set(Some(Instant::now()));
            warn!(
                "refusing connections: there are as many as the limit of open files allows, and none of them idles; \
                 raise the limit of open files of this container"
            );
        }
    }
}

fn begin(
    socket: TcpStream,
    peer: SocketAddr,
    entrance: ListenerKind,
    reception: &AcceptContext,
    held: FdPermit,
) {
    let guard = reception.proxy.drain.guard();
    if let Err(error) = socket::prepare_accepted(&socket) {
        // The peer is gone; serving it will tell.
        debug!(%error, "cannot set options of a connection");
    }
    let id = reception.last_id.get() + reception.id_step;
    reception.last_id.set(id);
    let span = debug_span!("connection", id, ?entrance, %peer);
    let served = connection::serve(socket, entrance, Rc::clone(&reception.proxy), held);
    let task = async move {
        served.await;
        drop(guard);
    };
    // A panic ends this task alone; the hook that main installs has logged it.
    drop(task::spawn_local(task.instrument(span)));
}

fn is_of_one_connection(error: &io::Error) -> bool {
    // accept(2): errors that were pending on the new connection are reported here too.
    let errno = error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw);
    matches!(
        errno,
        Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::EPROTO
            | Errno::EINTR
            | Errno::EPERM
            | Errno::ENETDOWN
            | Errno::ENOPROTOOPT
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::EHOSTUNREACH
            | Errno::EOPNOTSUPP
            | Errno::ENETUNREACH
    )
}
