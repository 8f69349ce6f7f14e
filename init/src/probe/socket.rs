//! A TCP connection that is being made, and waiting for sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

/// A connection under way.
pub(super) struct Connecting {
    pub(super) stream: TcpStream,
}

impl Connecting {
    /// Begins a connection without waiting for it.
    pub(super) fn begin(from: Option<IpAddr>, to: SocketAddr) -> io::Result<Self> {
        let family = match to {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, SockType::Stream, flags, None)?;
        if let Some(from) = from {
            bind(
                socket.as_raw_fd(),
                &SockaddrStorage::from(SocketAddr::new(from, 0)),
            )?;
        }
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(Self {
                stream: TcpStream::from(socket),
            }),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until it is made or refused.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<()> {
        if !wait(&self.stream, PollFlags::POLLOUT, limit)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match self.stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Waits until a socket is ready, and returns whether it is.
pub(super) fn wait(socket: &impl AsFd, flags: PollFlags, limit: Duration) -> io::Result<bool> {
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let mut sockets = [PollFd::new(socket.as_fd(), flags)];
    Ok(poll(&mut sockets, limit)? > 0)
}
