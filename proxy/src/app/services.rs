//! The ports beside those for calls: admin, health and captured DNS, each on a thread of its own.

use std::future::{Future, pending};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::net;
use tokio::sync::watch;
use tracing::error;

use crate::admin::serve::Pages;
use crate::admin::{Admin, serve};
use crate::current::Current;
use crate::dns::serve::Captured;
use crate::life::service::Service;

/// Sent to when another proxy has taken the ports.
pub(super) type Open = watch::Receiver<()>;

/// Threads that render large pages.
const RENDERERS: usize = 2;

/// Serves pages to so many clients at a time, until `open` says that another proxy does.
///
/// # Errors
/// The kernel's, for want of a thread or an epoll instance.
pub(super) fn pages(
    socket: TcpListener,
    pages: Pages,
    admin: &Admin,
    clients_max: usize,
    open: Open,
) -> io::Result<()> {
    let (name, threads) = match pages {
        Pages::Admin => ("admin", RENDERERS),
        Pages::Health => ("health", 1),
    };
    let service = Service::new(name, threads)?;
    let listener = service.enter(|| net::TcpListener::from_std(socket))?;
    let admin = admin.clone();
    service.run(move || until_closed(serve::serve(listener, pages, admin, clients_max), open))
}

/// Answers captured DNS queries, if there are sockets for them.
///
/// # Errors
/// As for [`pages`].
pub(super) fn dns(
    sockets: Vec<(UdpSocket, TcpListener)>,
    current: &Arc<Current>,
    resolv_conf: &'static str,
    open: Open,
) -> io::Result<()> {
    if sockets.is_empty() {
        return Ok(());
    }
    let current = Arc::clone(current);
    let serving = async move || {
        let captured = Captured::new(current, resolv_conf);
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
