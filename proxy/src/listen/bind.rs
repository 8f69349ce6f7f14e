//! Binds listening sockets, and explains failures to do so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::{fmt, io};

use nix::errno::Errno;
use thiserror::Error;

use crate::sys::socket;
use crate::sys::socket::ReusePort;

/// What a listening socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Redirected calls of the application.
    Outbound,
    /// Redirected calls to the application.
    Inbound,
    /// A port of a Gateway, or of a Sidecar's egress listener that applications dial.
    Configured,
    /// The admin pages.
    Admin,
    /// The health page.
    Health,
    /// The metrics page.
    Stats,
    /// The pages of Istio's agent.
    Agent,
    /// Captured DNS queries.
    Dns,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Outbound,
        Self::Inbound,
        Self::Configured,
        Self::Admin,
        Self::Health,
        Self::Stats,
        Self::Agent,
        Self::Dns,
    ];

    /// The flag that moves the port, where one does.
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Outbound => Some("--outbound-port"),
            Self::Inbound => Some("--inbound-port"),
            Self::Admin => Some("--admin"),
            Self::Health => Some("--health"),
            Self::Stats => Some("--stats"),
            Self::Agent => Some("--agent"),
            Self::Dns => Some("--dns-port"),
            Self::Configured => None,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Configured => "configured",
            Self::Admin => "admin",
            Self::Health => "health",
            Self::Stats => "stats",
            Self::Agent => "agent",
            Self::Dns => "DNS",
        })
    }
}

/// A socket that cannot be opened, in one line with a hint.
#[derive(Debug, Error)]
#[error("cannot listen on {address} ({purpose}): {}", advice(*.purpose, .source))]
pub struct BindError {
    address: SocketAddr,
    purpose: Purpose,
    source: io::Error,
}

impl BindError {
    pub(super) fn new(purpose: Purpose, address: SocketAddr, source: io::Error) -> Self {
        Self {
            address,
            purpose,
            source,
        }
    }

    /// Whether this machine has no IPv6.
    pub(super) fn is_for_want_of_ipv6(&self) -> bool {
        self.address.is_ipv6() && no_ipv6(&self.source)
    }
}

/// `bind` where one is given, else all addresses: `[::]`, which takes IPv4 as well, or `0.0.0.0` where IPv6 is missing.
pub fn address(bind: Option<IpAddr>, port: u16) -> SocketAddr {
    match bind {
        Some(ip) => SocketAddr::new(ip, port),
        None => everywhere(port),
    }
}

/// One socket for each worker on `address`. The kernel spreads connections over them.
///
/// # Errors
/// A port that another process listens on, even if it would share the port, and other errors of the kernel.
pub fn shared(
    purpose: Purpose,
    address: SocketAddr,
    workers: NonZeroUsize,
) -> Result<Vec<TcpListener>, BindError> {
    socket::probe(address).map_err(|source| BindError::new(purpose, address, source))?;
    more(purpose, address, workers)
}

/// Sockets on `address` beside those that this process has there.
///
/// # Errors
/// Whatever the kernel refuses.
pub fn more(
    purpose: Purpose,
    address: SocketAddr,
    count: NonZeroUsize,
) -> Result<Vec<TcpListener>, BindError> {
    let sockets: io::Result<Vec<_>> = (0..count.get())
        .map(|_| socket::bind_listener(address, ReusePort::Shared))
        .collect();
    sockets.map_err(|source| BindError::new(purpose, address, source))
}

/// One socket on `address`, for a page server.
///
/// # Errors
/// As for [`shared`].
pub fn alone(purpose: Purpose, address: SocketAddr) -> Result<TcpListener, BindError> {
    socket::bind_listener(address, ReusePort::Alone)
        .map_err(|source| BindError::new(purpose, address, source))
}

/// A socket for datagrams on `address`.
///
/// # Errors
/// As for [`shared`].
pub fn datagrams(purpose: Purpose, address: SocketAddr) -> Result<UdpSocket, BindError> {
    socket::bind_datagrams(address).map_err(|source| BindError::new(purpose, address, source))
}

/// Loopback of both families.
pub fn loopback(port: u16) -> [SocketAddr; 2] {
    [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ]
}

/// All addresses: of both families where the kernel has IPv6.
fn everywhere(port: u16) -> SocketAddr {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match socket::probe(both) {
        Err(error) if no_ipv6(&error) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        _ => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL | Errno::EPROTONOSUPPORT)
    )
}

fn advice(purpose: Purpose, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let away = match purpose.flag() {
                Some(flag) => format!("stop it, or choose another port with {flag}"),
                None => "stop it, or change the port of the Gateway or Sidecar".to_owned(),
            };
            format!("the port is in use, maybe by another egret-proxy; {away}")
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need the capability NET_BIND_SERVICE, or the sysctl \
             net.ipv4.ip_unprivileged_port_start=0 in the pod"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "the address is not one of this machine".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
