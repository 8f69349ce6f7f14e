//! The PROXY protocol's header, by which an upstream learns who called and whom. Pure.
//!
//! The format is HAProxy's, <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::net::{IpAddr, SocketAddr};

/// What a header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection that is made for somebody else.
const PROXIED: u8 = 0x21;
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;

/// The two ends of a client's connection, as a PROXY header tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Who calls.
    pub client: SocketAddr,
    /// Whom the client dialled.
    pub to: SocketAddr,
}

/// The header of a version, 1 or 2, for a call from `client` to `to`.
pub fn header(version: u8, client: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let (client, to) = one_family(client, to);
    if version == 1 {
        text(client, to)
    } else {
        binary(client, to)
    }
}

fn text(client: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, from_port) = (client.ip(), client.port());
    let (ip, port) = (to.ip(), to.port());
    format!("PROXY {family} {from} {ip} {from_port} {port}\r\n").into_bytes()
}

fn binary(client: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut addresses = Vec::new();
    for address in [client, to] {
        match address.ip() {
            IpAddr::V4(ip) => addresses.extend(ip.octets()),
            IpAddr::V6(ip) => addresses.extend(ip.octets()),
        }
    }
    for address in [client, to] {
        addresses.extend(address.port().to_be_bytes());
    }
    let family = if client.is_ipv4() { TCP_V4 } else { TCP_V6 };
    let mut header = SIGNATURE.to_vec();
    header.extend([PROXIED, family]);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

/// A header has room for one family: when they differ, both are written as IPv6.
fn one_family(client: SocketAddr, to: SocketAddr) -> (SocketAddr, SocketAddr) {
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (client, to) = (plain(client), plain(to));
    if client.is_ipv4() == to.is_ipv4() {
        return (client, to);
    }
    let wide = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    (wide(client), wide(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(version: u8, client: &str, to: &str) -> Vec<u8> {
        let address = |text: &str| text.parse().expect("address");
        header(version, address(client), address(to))
    }

    #[test]
    fn version_1_is_a_line() {
        for (client, to, line) in [
            (
                "10.0.0.1:1",
                "10.0.0.2:80",
                "PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n",
            ),
            (
                "[::ffff:10.0.0.1]:1",
                "10.0.0.2:80",
                "PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n",
            ),
            (
                "[fd00::1]:65535",
                "[fd00::2]:80",
                "PROXY TCP6 fd00::1 fd00::2 65535 80\r\n",
            ),
            (
                "10.0.0.1:1",
                "[fd00::2]:80",
                "PROXY TCP6 ::ffff:10.0.0.1 fd00::2 1 80\r\n",
            ),
        ] {
            let header = header_of(1, client, to);
            assert_eq!(String::from_utf8(header).expect("text"), line);
        }
    }

    #[test]
    fn version_2_is_binary() {
        let header = header_of(2, "10.0.0.1:258", "10.0.0.2:80");
        let rest = header.strip_prefix(SIGNATURE).expect("signature");
        assert_eq!(
            rest,
            [0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 0, 80]
        );
        let header = header_of(2, "[fd00::1]:1", "[fd00::2]:80");
        assert_eq!(
            (header.len(), &header[12..16]),
            (16 + 36, &[0x21, 0x21, 0, 36][..])
        );
    }
}
