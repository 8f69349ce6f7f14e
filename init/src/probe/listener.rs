//! Listeners on the proxy's ports while the proxy is not running.

use std::cell::RefCell;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream,
    UdpSocket,
};
use std::time::Instant;

use nix::poll::PollFlags;
use nix::sys::socket::{getsockopt, sockopt};

use crate::plan::DNS_LISTENER;
use crate::probe::socket::{Connecting, wait};
use crate::probe::trouble::{Trouble, remaining};

/// A port of the proxy.
pub(super) enum Listener {
    /// Nobody else listens, so we do and see what arrives.
    Own {
        listener: TcpListener,
        /// Who has connected so far.
        peers: RefCell<Vec<SocketAddr>>,
    },
    /// The proxy runs already; only whether it accepts a connection can be checked.
    InUse,
}

impl Listener {
    pub(super) fn bind(address: IpAddr, port: u16) -> Result<Self, Trouble> {
        match TcpListener::bind((address, port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Own {
                    listener,
                    peers: RefCell::default(),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(Self::InUse),
            Err(error) => Err(Trouble::Failed(format!(
                "cannot listen on {address} port {port}: {error}"
            ))),
        }
    }

    /// Waits for a connection and checks that it arrives here.
    pub(super) fn receives(
        &self,
        socket: &Connecting,
        destination: SocketAddr,
        end: Instant,
    ) -> Result<(), Trouble> {
        let made = socket.wait(remaining(end));
        let elsewhere = "it was not redirected";
        match made {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Trouble::Failed(format!("{elsewhere}: no answer in time")));
            }
            Err(error) => {
                return match Trouble::from(error) {
                    Trouble::Failed(reason) => {
                        Err(Trouble::Failed(format!("{elsewhere}: {reason}")))
                    }
                    skipped @ Trouble::Skipped(_) => Err(skipped),
                };
            }
        }
        let Self::Own { listener, peers } = self else {
            return Ok(());
        };
        while wait(listener, PollFlags::POLLIN, remaining(end))? {
            let (stream, peer) = listener.accept()?;
            peers.borrow_mut().push(peer);
            if Ok(peer) == socket.stream.local_addr().map_err(drop) {
                return match original(&stream) {
                    Some(original) if original == destination => Ok(()),
                    original => Err(Trouble::Failed(format!(
                        "it arrived, but its destination reads {}",
                        original.map_or("unknown".to_owned(), |original| original.to_string())
                    ))),
                };
            }
        }
        Err(Trouble::Failed(format!(
            "{elsewhere}: another listener accepted it"
        )))
    }

    /// Whether no other process listens.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// Whether a connection is among those that arrived here.
    pub(super) fn has_taken(&self, socket: &Connecting) -> bool {
        let Self::Own { listener, peers } = self else {
            return false;
        };
        let mut peers = peers.borrow_mut();
        peers.extend(std::iter::from_fn(|| listener.accept().ok()).map(|(_, peer)| peer));
        let own = socket.stream.local_addr().ok();
        peers.iter().any(|peer| Some(*peer) == own)
    }
}

/// The original destination of a redirected connection.
fn original(stream: &TcpStream) -> Option<SocketAddr> {
    if stream.local_addr().ok()?.is_ipv4() {
        let address = getsockopt(stream, sockopt::OriginalDst).ok()?;
        let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
        return Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port)).into());
    }
    let address = getsockopt(stream, sockopt::Ip6tOriginalDst).ok()?;
    let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
    Some(SocketAddrV6::new(ip, u16::from_be(address.sin6_port), 0, 0).into())
}

/// The proxy's DNS port.
pub(super) struct DnsListener(UdpSocket);

impl DnsListener {
    pub(super) fn bind(address: IpAddr) -> Result<Self, Trouble> {
        match UdpSocket::bind((address, DNS_LISTENER)) {
            Ok(socket) => Ok(Self(socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(Trouble::Skipped("the proxy listens already".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for what a socket has sent.
    pub(super) fn receives(&self, sender: &UdpSocket, end: Instant) -> Result<(), Trouble> {
        let own = sender.local_addr()?;
        let mut buffer = [0; 512];
        while wait(&self.0, PollFlags::POLLIN, remaining(end))? {
            let (_, peer) = self.0.recv_from(&mut buffer)?;
            if peer == own {
                return Ok(());
            }
        }
        Err(Trouble::Failed("it was not redirected".to_owned()))
    }
}
