//! Listening sockets, outgoing sockets and the options of accepted ones.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use crate::sys::limits;

/// Connections the kernel may hold for a listener that is busy; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Whether several sockets may listen on one port, so that the kernel spreads connections over workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReusePort {
    /// This socket shares its port with others of this user.
    Shared,
    /// This socket has the port to itself.
    Alone,
}

/// A non-blocking listening socket on `address`. `[::]` accepts IPv4 clients too; any other IPv6 address accepts IPv6 only.
///
/// # Errors
/// The kernel's: `AddrInUse`, `PermissionDenied` for a port below 1024, `AddrNotAvailable`, or no IPv6 on this machine.
pub fn bind_listener(address: SocketAddr, reuse_port: ReusePort) -> io::Result<TcpListener> {
    let socket = bound(address, reuse_port)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A non-blocking socket for datagrams on `address`.
///
/// # Errors
/// Those of [`bind_listener`].
pub fn bind_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Fails with `AddrInUse` when another socket listens on `address`, even one that shares its port. Checked once before the
/// workers bind: a second proxy on the same port is an error and does not receive half the calls.
///
/// # Errors
/// Those of [`bind_listener`].
pub fn probe(address: SocketAddr) -> io::Result<()> {
    bound(address, ReusePort::Alone).map(drop)
}

fn bound(address: SocketAddr, reuse_port: ReusePort) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    // Connections of a process that just ended linger in TIME_WAIT and must not keep us from the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port == ReusePort::Shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// TCP keepalive. `None` leaves the kernel's own value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// The idle time before the first probe.
    pub time: Option<Duration>,
    /// The interval between probes.
    pub interval: Option<Duration>,
    /// Unanswered probes before the connection is closed.
    pub probes: Option<u32>,
}

impl Keepalive {
    /// What client connections get: a peer that vanished is noticed after about four minutes.
    pub const CLIENT: Self = Self {
        time: Some(Duration::from_secs(180)),
        interval: Some(Duration::from_secs(15)),
        probes: Some(4),
    };
}

/// Enables keepalive for a connection.
///
/// # Errors
/// The kernel's, for values it does not take.
pub fn set_keepalive(socket: &impl AsFd, keepalive: &Keepalive) -> io::Result<()> {
    let mut options = TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        options = options.with_time(time);
    }
    if let Some(interval) = keepalive.interval {
        options = options.with_interval(interval);
    }
    if let Some(probes) = keepalive.probes {
        options = options.with_retries(probes);
    }
    SockRef::from(socket).set_tcp_keepalive(&options)
}

/// Sets the options of every accepted connection: no delay of small writes, and [`Keepalive::CLIENT`].
///
/// # Errors
/// The kernel's, when the peer has already closed.
pub fn prepare_accepted(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).set_tcp_nodelay(true)?;
    set_keepalive(socket, &Keepalive::CLIENT)
}

/// Makes closing a connection a reset: unsent bytes are discarded, and the peer gets an error instead of the end of the stream.
pub fn reset_on_close(socket: &impl AsFd) {
    // A socket that is broken already cannot be set, and needs no reset.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// A socket that begins to connect to `to`, without delay of small writes, from the source address `from` where one is
/// given. Its own address is known already.
///
/// # Errors
/// The kernel's: `from` is not an address of this machine or of another family than `to`, no route leads to `to`, or no file
/// is left but the reserve ([`limits`]).
pub fn begin_connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP))?;
    let socket = limits::within_calls(socket)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(from) = from {
        // Without this the kernel picks a port at bind, where it may not reuse one that another peer's connection has.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        Ok(()) | Err(_) => Ok(socket),
    }
}

/// Waits until a socket that began to connect is connected.
///
/// # Errors
/// The kernel's: the port is closed, or there is no answer.
pub async fn connected(socket: Socket) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

#[cfg(test)]
mod tests;
