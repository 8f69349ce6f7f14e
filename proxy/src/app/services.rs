//! The ports beside those for calls: admin, health, metrics and captured DNS, each on a thread of its own.

use std::future::{Future, pending};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::net;
use tokio::sync::watch;
use tracing::error;

use crate::admin::serve::Pages;
use crate::admin::{Admin, serve};
use crate::current::Current;
use crate::dns::serve::{Captured, CapturedCounters};
use crate::life::service::Service;

/// Notified when another proxy has taken over the ports.
pub(super) type Open = watch::Receiver<()>;

/// Threads that render large pages, started when there are such.
const RENDERERS: usize = 2;

/// Serves pages on a thread of their own, to a limited number of clients of each socket, until `open` reports that another
/// proxy does.
///
/// # Errors
/// The kernel's, for want of a thread or an epoll instance.
pub(super) fn pages(
    name: &'static str,
    sockets: Vec<(TcpListener, Pages)>,
    admin: &Admin,
    clients_max: usize,
    open: Open,
) -> io::Result<()> {
    let service = Service::new(name, RENDERERS)?;
    let listeners: io::Result<Vec<_>> = service.enter(|| {
        let all = sockets.into_iter();
        all.map(|(socket, pages)| Ok((net::TcpListener::from_std(socket)?, pages)))
            .collect()
    });
    let (listeners, admin) = (listeners?, admin.clone());
    let serving = async move || {
        let each = listeners
            .into_iter()
            .map(|(listener, pages)| serve::serve(listener, pages, admin.clone(), clients_max));
        join_all(each).await;
    };
    service.run(move || until_closed(serving(), open))
}

/// Answers captured DNS queries, if there are sockets for them.
///
/// # Errors
/// As for [`pages`].
pub(super) fn dns(
    sockets: Vec<(UdpSocket, TcpListener)>,
    current: &Arc<Current>,
    resolv_conf: &'static str,
    counters: CapturedCounters,
    open: Open,
) -> io::Result<()> {
    if sockets.is_empty() {
        return Ok(());
    }
    let current = Arc::clone(current);
    let serving = async move || {
        let captured = Captured::new(current, resolv_conf, counters);
        for (datagrams, listener) in sockets {
            if let Err(error) = captured.serve(datagrams, listener) {
                error!(%error, "cannot wait for DNS queries");
            }
        }
        pending().await
    };
    Service::new("dns", 1)?.run(move || until_closed(serving(), open))
}

/// Serves until another proxy does.
async fn until_closed(serving: impl Future<Output = ()>, mut open: Open) {
    tokio::select! {
        () = serving => {}
        // Sent to or dropped, it is time.
        _ = open.changed() => {}
    }
}
