//! Whose socket it is.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use crate::probe::socket::Connecting;
use crate::probe::trouble::Trouble;

/// The user and group a socket is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Owner {
    /// This process's own.
    pub(super) fn current() -> Self {
        Self {
            uid: Uid::effective().as_raw(),
            gid: Gid::effective().as_raw(),
        }
    }

    /// Begins a TCP connection of this owner.
    pub(super) fn tcp(self, from: Option<IpAddr>, to: SocketAddr) -> Result<Connecting, Trouble> {
        self.run_as(|| Connecting::begin(from, to))?
            .map_err(Trouble::from)
    }

    /// Makes a UDP socket of this owner and sends a datagram through it.
    pub(super) fn udp(self, to: SocketAddr) -> Result<UdpSocket, Trouble> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = self.run_as(|| UdpSocket::bind((any, 0)))??;
        socket.connect(to)?;
        socket.send(b"egret-init")?;
        Ok(socket)
    }

    /// Does something while this thread counts as this owner's.
    fn run_as<T>(self, action: impl FnOnce() -> T) -> Result<T, Trouble> {
        let own = Self::current();
        self.become_it();
        let became = Self {
            uid: setfsuid(NOBODY_UID).as_raw(),
            gid: setfsgid(NOBODY_GID).as_raw(),
        };
        let result = (became == self).then(action);
        own.become_it();
        result.ok_or_else(|| {
            let reason =
                format!("{own} may not act for it: that needs the capabilities SETUID and SETGID");
            Trouble::Skipped(reason)
        })
    }

    fn become_it(self) {
        // The group first: changing the user may take the right to change the group.
        setfsgid(Gid::from_raw(self.gid));
        setfsuid(Uid::from_raw(self.uid));
    }
}

/// Invalid ids: setting them changes nothing, and returns the current one.
const NOBODY_UID: Uid = Uid::from_raw(u32::MAX);
const NOBODY_GID: Gid = Gid::from_raw(u32::MAX);

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "uid {}, gid {}", self.uid, self.gid)
    }
}
