//! Addresses by their role in a call. Each role has a type, so that one address is not taken for another.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Types for addresses that are internet sockets.
macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $role(pub SocketAddr);

        impl $role {
            /// The IP address.
            pub fn ip(self) -> IpAddr {
                self.0.ip()
            }

            /// The port.
            pub fn port(self) -> u16 {
                self.0.port()
            }
        }

        impl fmt::Display for $role {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

roles! {
    /// The address of a client: the peer's, or the one that a PROXY header names.
    ClientAddress;
    /// Where the client's connection was going before it was redirected. A connection that was not redirected (on a
    /// gateway none is) has the address that it was accepted on.
    OriginalDestination;
    /// This side's address of a connection. For a client's connection it is the address that the client connected to, as
    /// upstreams and reports get: the one that a PROXY header names, else the original destination.
    LocalAddress;
}

impl OriginalDestination {
    /// The local address of a connection without a PROXY header.
    pub fn as_local(self) -> LocalAddress {
        LocalAddress(self.0)
    }
}

/// The address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointAddress {
    /// An internet socket.
    Ip(SocketAddr),
    /// The path of a Unix socket; with `@` at its beginning a name in the kernel's abstract table.
    Unix(Arc<str>),
}

impl EndpointAddress {
    /// Whether it is an IPv4 address.
    pub fn is_ipv4(&self) -> bool {
        match self {
            Self::Ip(address) => address.is_ipv4(),
            Self::Unix(_) => false,
        }
    }
}

/// An address with its port, or the path.
impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// The proxy's own address of a connection to an endpoint. Its end of a Unix socket has no name, so the path of the
/// endpoint stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamLocalAddress(pub EndpointAddress);

impl fmt::Display for UpstreamLocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_socket_is_no_ip_address() {
        let unix = EndpointAddress::Unix("/run/egret.sock".into());
        let unspecified = EndpointAddress::Ip(([0, 0, 0, 0, 0, 0, 0, 0], 0).into());
        assert_ne!(unix, unspecified);
        assert!(!unix.is_ipv4() && !unspecified.is_ipv4());
        assert_eq!(unix.to_string(), "/run/egret.sock");
        assert_eq!(unspecified.to_string(), "[::]:0");
        assert_eq!(size_of::<EndpointAddress>(), size_of::<SocketAddr>());
    }
}
