//! The PROXY protocol's header, which gives an upstream the addresses of the client and of its destination. Pure.
//!
//! The format is HAProxy's, <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::net::{IpAddr, SocketAddr};

use egret_config::address::{ClientAddress, LocalAddress};

/// The signature of a version 2 header.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const PROXIED: u8 = 0x21;
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;

/// The two ends of a client's connection, as a PROXY header has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The client's address.
    pub client: ClientAddress,
    /// The address that the client connected to.
    pub local: LocalAddress,
}

/// The header of a version, 1 or 2, for a connection with these ends.
pub fn header(version: u8, ends: Ends) -> Vec<u8> {
    let ends = one_family(ends);
    if version == 1 {
        text(ends)
    } else {
        binary(ends)
    }
}

fn text(Ends { client, local }: Ends) -> Vec<u8> {
    let family = family(client, "TCP4", "TCP6");
    let (from, from_port) = (client.ip(), client.port());
    let (ip, port) = (local.ip(), local.port());
    format!("PROXY {family} {from} {ip} {from_port} {port}\r\n").into_bytes()
}

/// The header for two addresses of one family.
fn family<T>(client: ClientAddress, v4: T, v6: T) -> T {
    if client.0.is_ipv4() { v4 } else { v6 }
}

fn binary(Ends { client, local }: Ends) -> Vec<u8> {
    let mut addresses = Vec::new();
    for ip in [client.ip(), local.ip()] {
        match ip {
            IpAddr::V4(ip) => addresses.extend(ip.octets()),
            IpAddr::V6(ip) => addresses.extend(ip.octets()),
        }
    }
    for port in [client.port(), local.port()] {
        addresses.extend(port.to_be_bytes());
    }
    let mut header = SIGNATURE.to_vec();
    header.extend([PROXIED, family(client, TCP_V4, TCP_V6)]);
    header.extend((addresses.len() as u16).to_be_bytes());
    header.extend(addresses);
    header
}

/// A header has room for one family: when they differ, both are written as IPv6.
fn one_family(Ends { client, local }: Ends) -> Ends {
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (client, local) = (plain(client.0), plain(local.0));
    if client.is_ipv4() == local.is_ipv4() {
        return Ends {
            client: ClientAddress(client),
            local: LocalAddress(local),
        };
    }
    let wide = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    Ends {
        client: ClientAddress(wide(client)),
        local: LocalAddress(wide(local)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(version: u8, client: &str, to: &str) -> Vec<u8> {
        let address = |text: &str| text.parse().expect("address");
        let ends = Ends {
            client: ClientAddress(address(client)),
            local: LocalAddress(address(to)),
        };
        header(version, ends)
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
