//! The accept loop of one listening socket on one worker: cap, backoff, span, spawn.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use nix::errno::Errno;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task;
use tokio::time;
use tracing::Instrument;
use tracing::debug;
use tracing::debug_span;
use tracing::warn;

use crate::connection;
use crate::connection::Entrance;
use crate::life::drain::Guard;
use crate::life::files::Files;
use crate::life::files::Held;
use crate::proxy::Proxy;
use crate::sys::socket;

/// Waits after an accept that failed for want of resources: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What the accept loops of one worker have in common.
#[derive(Clone)]
pub struct Reception {
    /// Serves what is accepted.
    pub proxy: Rc<Proxy>,
    /// Room for this worker's sockets.
    pub files: Files,
    /// Number of the last connection; differs between workers in its lowest digits.
    pub last_id: Rc<Cell<u64>>,
    /// Distance between the ids of one worker.
    pub id_step: u64,
}

/// Accepts until the process drains or `open`'s sender is dropped. What had already come is still accepted. Each
/// connection becomes a task of its own, which outlives the loop and holds a drain open.
pub async fn accept(
    listener: TcpListener,
    entrance: Entrance,
    reception: Reception,
    mut open: watch::Receiver<()>,
    mut guard: Guard,
) {
    let mut backoff = BACKOFF.0;
    loop {
        let next = async {
            let held = hold(&reception.files).await;
            (held, listener.accept().await)
        };
        let (held, accepted) = tokio::select! {
            biased;
            () = guard.draining() => break,
            _ = open.changed() => break,
            next = next => next,
        };
        match accepted {
            Ok((socket, peer)) => {
                backoff = BACKOFF.0;
                begin(socket, peer, entrance, &reception, held, guard.clone());
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection left before it was accepted")
            }
            Err(error) => {
                warn!(%error, wait = ?backoff, "cannot accept connections; trying again");
                drop(held);
                time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
    // Closing the socket would reset what waits in its queue.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        let Some(held) = reception.files.try_hold() else {
            break;
        };
        begin(socket, peer, entrance, &reception, held, guard.clone());
    }
}

/// Room for one more connection. While there is none, callers wait in the kernel's queue.
async fn hold(files: &Files) -> Held {
    if let Some(held) = files.try_hold() {
        return held;
    }
    warn!("as many connections as the limit of open files allows; new ones wait until others end");
    files.hold().await
}

fn begin(
    socket: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
    reception: &Reception,
    held: Held,
    guard: Guard,
) {
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
