//! The accept loop of one listening socket on one worker: cap, refusal, backoff, span, spawn.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::{task, time};
use tracing::{Instrument, debug, debug_span, warn};

use crate::connection;
use crate::connection::ListenerKind;
use crate::life::admission::AdmittedConnection;
use crate::life::files::{FdBudget, FdPermit};
use crate::proxy::Proxy;
use crate::report::metrics::envoy::downstream::ListenerCounters;
use crate::sys::{limits, socket};

/// Waits after an accept that failed for want of resources: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

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
}

/// Accepts until `open`'s sender is dropped or sends; the inbound port until the process drains: an application that is
/// about to end still makes calls, but is asked for none. What had already come is still accepted. Each connection becomes
/// a task of its own, which outlives the loop and holds a drain open.
pub async fn accept(
    listener: TcpListener,
    kind: ListenerKind,
    context: AcceptContext,
    mut open: watch::Receiver<()>,
) {
    let drain = &context.proxy.drain;
    let mut until_drain = (kind == ListenerKind::Inbound).then(|| drain.guard());
    let mut backoff = BACKOFF.0;
    let counters = counters(&listener, &context.proxy);
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
                let accepted = Accepted {
                    socket,
                    peer,
                    kind,
                    counters: &counters,
                };
                begin_or_refuse(accepted, &context);
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(%error, "a connection left before it was accepted")
            }
            Err(error) => {
                warn!(%error, wait = ?backoff, "cannot accept connections; trying again");
                context.make_room();
                time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
    // Closing the socket would reset what waits in its queue.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        let accepted = Accepted {
            socket,
            peer,
            kind,
            counters: &counters,
        };
        begin_or_refuse(accepted, &context);
    }
}

/// A connection that was just accepted.
struct Accepted<'a> {
    socket: TcpStream,
    peer: SocketAddr,
    kind: ListenerKind,
    counters: &'a Arc<ListenerCounters>,
}

/// The counters of a listening socket. The kernel always has its address; nothing depends on it.
fn counters(listener: &TcpListener, proxy: &Proxy) -> Arc<ListenerCounters> {
    let address = listener.local_addr();
    let address = address.unwrap_or_else(|_| (Ipv4Addr::UNSPECIFIED, 0).into());
    proxy.shard.downstream.listener(address)
}

fn begin_or_refuse(accepted: Accepted<'_>, context: &AcceptContext) {
    let source = accepted.peer.ip().to_canonical();
    let files = &context.files;
    let admitted = context
        .proxy
        .admission
        .connection(source, || files.dismiss_idle());
    let refused = match (admitted, context.room_for(&accepted.socket)) {
        (Ok(admitted), Some(permit)) => return begin(accepted, context, permit, admitted),
        (Err(limit), _) => limit.into(),
        (_, None) => connection::overloaded(),
    };
    drop(accepted.counters.connection());
    connection::refuse(accepted.socket, accepted.kind, &refused, &context.proxy);
}

impl AcceptContext {
    /// Room for a connection that was just accepted, if there is any or some can be made.
    fn room_for(&self, socket: &TcpStream) -> Option<FdPermit> {
        // A connection whose own descriptor is in the reserve needs one that is about to be closed.
        if limits::is_for_calls(socket) || self.make_room() {
            self.files.try_hold()
        } else {
            None
        }
    }

    /// Closes connections that idle: a client's, and those to upstreams. Returns whether there were any.
    fn make_room(&self) -> bool {
        let upstream = self.proxy.clusters.close_idle();
        self.files.dismiss_idle() || upstream > 0
    }
}

fn begin(
    accepted: Accepted<'_>,
    context: &AcceptContext,
    permit: FdPermit,
    admitted: AdmittedConnection,
) {
    let Accepted {
        socket,
        peer,
        kind,
        counters,
    } = accepted;
    let active = counters.connection();
    let guard = context.proxy.drain.guard();
    if let Err(error) = socket::prepare_accepted(&socket) {
        // The peer is gone; serving it reports that.
        debug!(%error, "cannot set options of a connection");
    }
    let id = context.last_id.get() + context.id_step;
    context.last_id.set(id);
    let span = debug_span!("connection", id, listener = ?kind, %peer);
    let (proxy, counters) = (Rc::clone(&context.proxy), Arc::clone(counters));
    let served = connection::serve(socket, kind, proxy, permit, counters);
    let task = async move {
        served.await;
        drop((guard, active, admitted));
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
