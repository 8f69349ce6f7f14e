//! Where listening sockets come from: the proxy that this one replaces, or the kernel.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::str::FromStr;
use std::{fmt, io};

use crate::listen::bind;
use crate::listen::bind::{BindError, Purpose};

/// What is known of a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it takes datagrams, and not connections.
    pub datagrams: bool,
    /// Where it is bound.
    pub address: SocketAddr,
}

/// A listening socket that goes from one proxy to the next.
#[derive(Debug)]
pub struct Handed {
    /// What it is.
    pub label: Label,
    /// The socket.
    pub socket: OwnedFd,
}

/// Gives out listening sockets.
#[derive(Debug, Default)]
pub struct Binder {
    inherited: Vec<Handed>,
    /// A copy of each socket in use, for the proxy that replaces this one; none where none can.
    copies: Option<Vec<Handed>>,
}

impl Binder {
    /// Gives out `inherited` sockets before new ones; `hands_over` keeps copies of all.
    pub fn new(inherited: Vec<Handed>, hands_over: bool) -> Self {
        Self {
            inherited,
            copies: hands_over.then(Vec::new),
        }
    }

    /// As [`bind::shared`] does, one socket for each worker; there are more where a proxy with more workers was replaced: each
    /// has connections that wait in it.
    ///
    /// # Errors
    /// As for [`bind::shared`].
    pub fn shared(
        &mut self,
        purpose: Purpose,
        bind: Option<IpAddr>,
        port: u16,
        workers: NonZeroUsize,
    ) -> Result<(SocketAddr, Vec<TcpListener>), BindError> {
        let address = bind::address(bind, port);
        let label = Label {
            purpose,
            datagrams: false,
            address,
        };
        let mut sockets: Vec<TcpListener> =
            self.inherited(label).into_iter().map(Into::into).collect();
        match NonZeroUsize::new(workers.get().saturating_sub(sockets.len())) {
            Some(all) if sockets.is_empty() => {
                sockets = bind::shared(purpose, address, all)?;
            }
            Some(missing) => sockets.extend(bind::more(purpose, address, missing)?),
            None => {}
        }
        self.keep(label, &sockets, address)?;
        Ok((address, sockets))
    }

    /// As [`bind::alone`] does.
    ///
    /// # Errors
    /// As for [`bind::alone`].
    pub fn alone(
        &mut self,
        purpose: Purpose,
        address: SocketAddr,
    ) -> Result<TcpListener, BindError> {
        let label = Label {
            purpose,
            datagrams: false,
            address,
        };
        let socket = match self.inherited(label).pop() {
            Some(socket) => socket.into(),
            None => bind::alone(purpose, address)?,
        };
        self.keep(label, std::slice::from_ref(&socket), address)?;
        Ok(socket)
    }

    /// The sockets of captured DNS queries on loopback, where the kernel redirects them to: one for datagrams and one for
    /// connections of each family that this machine has.
    ///
    /// # Errors
    /// As for [`bind::alone`].
    pub fn dns(&mut self, port: u16) -> Result<Vec<(UdpSocket, TcpListener)>, BindError> {
        let mut pairs = Vec::new();
        for address in bind::loopback(port) {
            let label = Label {
                purpose: Purpose::Dns,
                datagrams: true,
                address,
            };
            let datagrams = match self.inherited(label).pop() {
                Some(socket) => socket.into(),
                None => match bind::datagrams(Purpose::Dns, address) {
                    Err(error) if error.is_for_want_of_ipv6() && !pairs.is_empty() => break,
                    bound => bound?,
                },
            };
            self.keep(label, std::slice::from_ref(&datagrams), address)?;
            pairs.push((datagrams, self.alone(Purpose::Dns, address)?));
        }
        Ok(pairs)
    }

    /// Forgets the copies of a socket that is about to be closed.
    pub fn forget(&mut self, purpose: Purpose, address: SocketAddr) {
        if let Some(copies) = &mut self.copies {
            copies.retain(|copy| (copy.label.purpose, copy.label.address) != (purpose, address));
        }
    }

    /// Copies of all sockets in use.
    ///
    /// # Errors
    /// The kernel's, for want of descriptors.
    pub fn copies(&self) -> io::Result<Vec<Handed>> {
        let copies = self.copies.iter().flatten();
        copies
            .map(|copy| {
                Ok(Handed {
                    label: copy.label,
                    socket: copy.socket.try_clone()?,
                })
            })
            .collect()
    }

    /// Closes the inherited sockets that were not used.
    pub fn settle(&mut self) {
        self.inherited = Vec::new();
    }

    fn inherited(&mut self, wanted: Label) -> Vec<OwnedFd> {
        let (found, left) = std::mem::take(&mut self.inherited)
            .into_iter()
            .partition::<Vec<_>, _>(|handed| handed.label == wanted);
        self.inherited = left;
        found.into_iter().map(|handed| handed.socket).collect()
    }

    fn keep<S: AsFd>(
        &mut self,
        label: Label,
        sockets: &[S],
        address: SocketAddr,
    ) -> Result<(), BindError> {
        let Some(copies) = &mut self.copies else {
            return Ok(());
        };
        for socket in sockets {
            let copy = socket.as_fd().try_clone_to_owned();
            let socket = copy.map_err(|source| BindError::new(label.purpose, address, source))?;
            copies.push(Handed { label, socket });
        }
        Ok(())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.datagrams { "udp" } else { "tcp" };
        write!(f, "{} {kind} {}", self.purpose, self.address)
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is not the label of a socket");
        let mut parts = text.split(' ');
        let (Some(purpose), Some(kind), Some(address), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(unknown());
        };
        let purposes = Purpose::ALL.into_iter();
        Ok(Self {
            purpose: purposes
                .into_iter()
                .find(|known| known.to_string() == purpose)
                .ok_or_else(unknown)?,
            datagrams: match kind {
                "tcp" => false,
                "udp" => true,
                _ => return Err(unknown()),
            },
            address: address.parse().map_err(|_| unknown())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");
    const THREE: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

    #[test]
    fn labels_are_read_as_they_are_written() {
        for purpose in Purpose::ALL {
            for (datagrams, address) in [(false, "[::]:15001"), (true, "127.0.0.1:15053")] {
                let label = Label {
                    purpose,
                    datagrams,
                    address: address.parse().expect("address"),
                };
                assert_eq!(label.to_string().parse(), Ok(label));
            }
        }
        for text in [
            "",
            "outbound",
            "outbound tcp here",
            "door tcp [::]:1",
            "DNS ip [::]:1",
        ] {
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }

    #[test]
    fn inherited_sockets_are_used_before_new_ones() {
        let mut first = Binder::new(Vec::new(), true);
        let bind = Some(IpAddr::from([127, 0, 0, 1]));
        let free = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = free.local_addr().expect("address").port();
        drop(free);
        let (address, sockets) = first
            .shared(Purpose::Outbound, bind, port, TWO)
            .expect("bind");
        let mut second = Binder::new(first.copies().expect("copies"), false);
        let (same, more) = second
            .shared(Purpose::Outbound, bind, port, THREE)
            .expect("bind");
        assert_eq!((address, sockets.len(), more.len()), (same, 2, 3));
        first.forget(Purpose::Outbound, address);
        assert!(first.copies().expect("copies").is_empty());
        drop((sockets, first));
        let client = std::net::TcpStream::connect(address).expect("still open");
        drop((client, more));
        assert!(std::net::TcpStream::connect(address).is_err(), "closed");
    }
}
