//! Passes open sockets to another process: one packet of a Unix socket each, with a text beside it (unix(7), SCM_RIGHTS).

use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind,
    connect, listen, recvmsg, sendmsg, socket_with,
};

/// Bytes of a text.
const TEXT_MAX: usize = 512;

/// Processes that may wait to be accepted.
const BACKLOG: i32 = 4;

/// A socket that waits for processes, at a path.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// A connection to another process, which keeps the bounds of packets.
#[derive(Debug)]
pub struct Peer(OwnedFd);

impl Listener {
    /// Listens at `path`, where nothing may be.
    ///
    /// # Errors
    /// The kernel's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let socket = socket()?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, BACKLOG)?;
        Ok(Self(socket))
    }

    /// The next process. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn accept(&self) -> io::Result<Peer> {
        Ok(Peer(accept_with(&self.0, SocketFlags::CLOEXEC)?))
    }
}

impl Peer {
    /// Connects to the process that listens at `path`; `None` when none does.
    ///
    /// # Errors
    /// The kernel's.
    pub fn connect(path: &Path) -> io::Result<Option<Self>> {
        let socket = socket()?;
        match connect(&socket, &SocketAddrUnix::new(path)?).map_err(io::Error::from) {
            Ok(()) => Ok(Some(Self(socket))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The user that the other process ran as when it connected or listened.
    ///
    /// # Errors
    /// The kernel's.
    pub fn user(&self) -> io::Result<u32> {
        Ok(getsockopt(&self.0, PeerCredentials)?.uid())
    }

    /// Limits how long [`Peer::receive`] and [`Peer::send`] wait.
    ///
    /// # Errors
    /// The kernel's.
    pub fn limit(&self, time: Duration) -> io::Result<()> {
        set_socket_timeout(&self.0, Timeout::Recv, Some(time))?;
        set_socket_timeout(&self.0, Timeout::Send, Some(time))?;
        Ok(())
    }

    /// Sends a text, with an open socket if one is given. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, text: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut space = [const { MaybeUninit::uninit() }; rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
        if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
            return Err(io::Error::other("no room for a descriptor"));
        }
        sendmsg(
            &self.0,
            &[IoSlice::new(text.as_bytes())],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// The next text, and the socket that came with it; `None` when the other process has closed. Blocks.
    ///
    /// # Errors
    /// The kernel's, and texts that are none.
    pub fn receive(&self) -> io::Result<Option<(String, Option<OwnedFd>)>> {
        let mut text = [0; TEXT_MAX];
        let mut space = [const { MaybeUninit::uninit() }; rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut text)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        if received.bytes == 0 {
            return Ok(None);
        }
        let socket = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        let text = std::str::from_utf8(&text[..received.bytes]).map_err(io::Error::other)?;
        Ok(Some((text.to_owned(), socket)))
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::unistd::getuid;

    use super::*;

    #[test]
    fn sockets_arrive_open_with_their_texts() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("handover");
        assert!(Peer::connect(&path).expect("no error").is_none());
        let listener = Listener::bind(&path).expect("bind");
        let client = Peer::connect(&path).expect("connect").expect("a listener");
        let server = listener.accept().expect("accept");
        assert_eq!(server.user().expect("user"), getuid().as_raw());
        let socket = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = socket.local_addr().expect("address");
        server.send("one", Some(socket.as_fd())).expect("send");
        server.send("two", None).expect("send");
        drop((server, socket));
        let (text, passed) = client.receive().expect("packet").expect("first");
        assert_eq!(text, "one");
        let passed = TcpListener::from(passed.expect("a socket"));
        assert_eq!(passed.local_addr().expect("address"), address);
        let (text, passed) = client.receive().expect("packet").expect("second");
        assert!(text == "two" && passed.is_none());
        assert!(client.receive().expect("end").is_none());
        drop(listener);
        assert!(Peer::connect(&path).expect("no listener").is_none());
    }
}
