//! Whether the other end of a connection has closed it.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// `POLLRDHUP` of `poll(2)`, which the `nix` crate does not name: the other end sends no more.
const PEER_CLOSED: PollFlags = PollFlags::from_bits_retain(0x2000);

/// Whether the other end has closed or reset the connection, or its writing half. Bytes may still wait to be read.
pub fn has_hung_up(socket: &impl AsFd) -> bool {
    let mut files = [PollFd::new(socket.as_fd(), PEER_CLOSED)];
    let found = poll(&mut files, PollTimeout::ZERO);
    found.is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_end_is_noticed_behind_bytes_that_nobody_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let mut client = TcpStream::connect(address).expect("connect");
        let (socket, _) = listener.accept().expect("accept");
        client.write_all(b"bytes").expect("write");
        assert!(!has_hung_up(&socket));
        drop(client);
        assert!(has_hung_up(&socket));
    }
}
