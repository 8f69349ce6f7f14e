//! Sockets of both sides: listeners that answer with their port, and clients that learn from the answer where they went.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use crate::helpers::init_world::{Fate, Owner, POD, POD_AT_ETH1};

/// The port that the world outside answers with.
pub(super) const OUTSIDE: u16 = 9;

/// How long an answer may take before it counts as none. Only a dropped packet waits for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers with a port what comes to it: over TCP at every address, over UDP at one.
pub(super) fn serve(port: u16, address: IpAddr) -> anyhow::Result<()> {
    serve_tcp(port)?;
    serve_udp(port, address)
}

/// Answers every connection with the port. The thread ends with the test's process.
pub(super) fn serve_tcp(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    setsockopt(&listener, sockopt::IpTransparent, &true)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // A client that went away learns nothing.
            let _ = stream.write_all(&port.to_be_bytes());
        }
    });
    Ok(())
}

/// Answers every datagram with the port. The thread ends with the test's process.
pub(super) fn serve_udp(port: u16, address: IpAddr) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((address, port))?;
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            // A client that went away learns nothing.
            let _ = socket.send_to(&port.to_be_bytes(), peer);
        }
    });
    Ok(())
}

/// Does something while this thread counts as an owner's.
pub(crate) fn act_as<T>((uid, gid): Owner, action: impl FnOnce() -> T) -> T {
    setfsgid(Gid::from_raw(gid));
    setfsuid(Uid::from_raw(uid));
    let result = action();
    setfsgid(Gid::from_raw(0));
    setfsuid(Uid::from_raw(0));
    result
}

/// Where a TCP connection goes.
pub(super) fn tcp(owner: Owner, from: Option<IpAddr>, to: SocketAddr) -> Fate {
    let stream = act_as(owner, || match from {
        None => TcpStream::connect_timeout(&to, PATIENCE),
        Some(from) => connect_from(from, to),
    });
    let mut answer = [0; 2];
    let read = stream.and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut answer)
    });
    fate(read.map(|()| answer), to)
}

/// The kernel chooses the port.
fn connect_from(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket(family(to), SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(
        socket.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(from, 0)),
    )?;
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(PATIENCE))?;
    connect(stream.as_raw_fd(), &SockaddrStorage::from(to))?;
    Ok(stream)
}

/// Where a datagram goes.
pub(super) fn udp(owner: Owner, from: Option<IpAddr>, port: u16, to: SocketAddr) -> Fate {
    let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
    let from = from.unwrap_or_else(|| any.parse().expect("both are addresses"));
    let mut answer = [0; 2];
    let local = SocketAddr::new(from, port);
    let read = act_as(owner, || udp_socket(local)).and_then(|socket| {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(to)?;
        socket.send(b"?")?;
        socket.recv(&mut answer).map(drop)
    });
    match fate(read.map(|()| answer), to) {
        // What says that nobody listens may itself be lost where connections are kept in zones.
        Fate::Silent if is_of_pod(to.ip()) => Fate::Untouched,
        fate => fate,
    }
}

/// A socket for datagrams. A process that another test starts may hold the one before it for a moment more, up to its
/// `exec`: the port is had all the same, and what comes goes to the newer one.
fn udp_socket(local: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = socket(
        family(local),
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(local))?;
    Ok(socket.into())
}

fn family(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn fate(answer: std::io::Result<[u8; 2]>, to: SocketAddr) -> Fate {
    match answer.map(u16::from_be_bytes) {
        Ok(OUTSIDE) => Fate::Untouched,
        Ok(port) => Fate::Proxy(port),
        // Nobody listens in the pod but the proxy.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused && is_of_pod(to.ip()) => {
            Fate::Untouched
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Fate::Refused,
        // The sender may hear of it before the message does.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Fate::Refused,
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
            Fate::Silent
        }
        Err(error) => panic!("a connection to {to} failed in an unexpected way: {error}"),
    }
}

fn is_of_pod(address: IpAddr) -> bool {
    let own = POD.iter().chain(&POD_AT_ETH1);
    address.is_loopback() || own.into_iter().any(|own| own.parse() == Ok(address))
}
