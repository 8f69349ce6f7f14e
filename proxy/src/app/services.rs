//! The ports beside those for calls: admin, health and captured DNS, each on a thread of its own.

use std::future::pending;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::net;
use tracing::error;

use crate::admin::serve::Pages;
use crate::admin::{Admin, serve};
use crate::current::Current;
use crate::dns::serve::Captured;
use crate::life::service::Service;

/// Threads that render large pages.
const RENDERERS: usize = 2;

/// Serves pages to so many clients at a time.
///
/// # Errors
/// The kernel's, for want of a thread or an epoll instance.
pub(super) fn pages(
    socket: TcpListener,
    pages: Pages,
    admin: &Admin,
    clients_max: usize,
) -> io::Result<()> {
    let (name, threads) = match pages {
        Pages::Admin => ("admin", RENDERERS),
        Pages::Health => ("health", 1),
    };
    let service = Service::new(name, threads)?;
    let listener = service.enter(|| net::TcpListener::from_std(socket))?;
    let admin = admin.clone();
    service.run(move || serve::serve(listener, pages, admin, clients_max))
}

/// Answers captured DNS queries, if there are sockets for them.
///
/// # Errors
/// As for [`pages`].
pub(super) fn dns(
    sockets: Vec<(UdpSocket, TcpListener)>,
    current: &Arc<Current>,
    resolv_conf: &'static str,
) -> io::Result<()> {
    if sockets.is_empty() {
        return Ok(());
    }
    let current = Arc::clone(current);
    Service::new("dns", 1)?.run(move || async move {
        let captured = Captured::new(current, resolv_conf);
        for (datagrams, listener) in sockets {
            if let Err(error) = captured.serve(datagrams, listener) {
                error!(%error, "cannot wait for DNS queries");
            }
        }
        pending().await
    })
}
