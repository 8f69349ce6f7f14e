//! Reads the original destination of a redirected connection from the kernel.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use egret_config::address::OriginalDestination;
use nix::errno::Errno;
use socket2::SockRef;

/// How a connection reached a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Netfilter redirected it from this original destination. Never an IPv4-mapped IPv6 address.
    Redirected(OriginalDestination),
    /// The client connected to the listener itself. There is no other destination; dialling this one would be a loop.
    Direct,
}

/// The original destination of `socket`, an accepted connection.
///
/// # Errors
/// The kernel's error when neither is known. The connection must not be served then.
pub fn origin(socket: &impl AsFd) -> io::Result<Origin> {
    let socket = SockRef::from(socket);
    let local = internet(&socket.local_addr()?)?;
    // On a dual-stack listener an IPv4 client has a mapped address, and only the IPv4 option has its entry.
    let answer = match local.ip() {
        IpAddr::V4(_) => socket.original_dst_v4(),
        IpAddr::V6(_) => socket.original_dst_v6(),
    };
    match answer {
        Ok(address) => match internet(&address)? {
            original if original == local => Ok(Origin::Direct),
            original => Ok(Origin::Redirected(OriginalDestination(original))),
        },
        // No connection-tracking entry, or no connection tracking at all in this namespace: nothing redirected it.
        Err(error) if [Errno::ENOENT, Errno::ENOPROTOOPT].contains(&errno(&error)) => {
            Ok(Origin::Direct)
        }
        Err(error) => Err(error),
    }
}

/// `address`, with an IPv4-mapped IPv6 address as IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

fn internet(address: &socket2::SockAddr) -> io::Result<SocketAddr> {
    let address = address
        .as_socket()
        .ok_or_else(|| io::Error::other("not an internet socket"))?;
    Ok(canonical(address))
}

fn errno(error: &io::Error) -> Errno {
    error
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn accepted(listen: &str, dial: &str) -> TcpStream {
        let listener = TcpListener::bind(listen).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let _client = TcpStream::connect((dial, port)).expect("connect");
        listener.accept().expect("accept").0
    }

    #[test]
    fn a_connection_to_the_listener_itself_is_direct() {
        for (listen, dial) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            assert_eq!(
                origin(&accepted(listen, dial)).expect(listen),
                Origin::Direct,
                "{listen}"
            );
        }
    }

    #[test]
    fn mapped_addresses_become_ipv4() {
        for (given, expected) in [
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            let given: SocketAddr = given.parse().expect("address");
            assert_eq!(canonical(given).to_string(), expected);
        }
    }
}
