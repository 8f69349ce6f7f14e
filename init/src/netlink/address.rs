//! Addresses of interfaces, over rtnetlink.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netlink::message::{Attributes, Message, Need, Reader, flag};
use crate::rules::Family;

/// The number of the loopback interface, which is the first of every network namespace.
pub const LOOPBACK: u32 = 1;

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The number of the interface.
    pub interface: u32,
    /// The interface's own address, also where it has a peer's beside it.
    pub address: IpAddr,
}

/// Adds an address with a prefix length of 128.
pub fn add(address: Ipv6Addr, interface: u32) -> Message {
    message(
        NEW_ADDRESS,
        flag::CREATE | flag::EXCLUSIVE,
        address,
        interface,
    )
}

/// Removes an address with a prefix length of 128.
pub fn remove(address: Ipv6Addr, interface: u32) -> Message {
    message(DELETE_ADDRESS, 0, address, interface)
}

/// Requests all addresses of a family, which are listed in the order of the interfaces.
///
/// Asked for all families at once, the kernel would first wait for whoever is making or removing interfaces on the node.
pub fn list(family: Family) -> Message {
    let number = match family {
        Family::Ipv4 => AF_INET,
        Family::Ipv6 => AF_INET6,
    };
    let mut fixed = [0; FIXED_LENGTH];
    fixed[0] = number;
    let label = "the addresses";
    Message::new(GET_ADDRESS, flag::DUMP, &fixed, &Attributes::new(), label)
}

/// Reads one of the addresses listed.
pub fn read(payload: &[u8]) -> Option<Address> {
    let interface = u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?);
    let attributes = Reader(payload.get(FIXED_LENGTH..)?);
    // Where an interface has a peer, the other attribute is the peer's.
    let bytes = attributes.value(LOCAL).or(attributes.value(ADDRESS))?;
    let address = match *payload.first()? {
        AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        _ => return None,
    };
    Some(Address { interface, address })
}

const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `IFA_ADDRESS` and `IFA_LOCAL`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;

/// Length of `struct ifaddrmsg`: family, prefix length, flags, scope, interface.
const FIXED_LENGTH: usize = 8;

/// `IFA_F_NODAD`: otherwise the address cannot be bound until the kernel has looked for duplicates, even on loopback.
const NO_DUPLICATE_DETECTION: u8 = 0x02;

fn message(kind: u16, flags: u16, address: Ipv6Addr, interface: u32) -> Message {
    let mut fixed = vec![AF_INET6, 128, NO_DUPLICATE_DETECTION, 0];
    fixed.extend(interface.to_ne_bytes());
    let attributes = Attributes::new()
        .bytes(ADDRESS, &address.octets())
        .bytes(LOCAL, &address.octets());
    Message::new(
        kind,
        flags | flag::ACK,
        &fixed,
        &attributes,
        format!("address {address}/128"),
    )
    .needing(vec![Need::Module("ipv6")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(family: u8, attributes: &Attributes) -> Vec<u8> {
        let mut payload = vec![family, 24, 0, 0];
        payload.extend(3u32.to_ne_bytes());
        payload.extend(attributes.reader().0);
        payload
    }

    #[test]
    fn the_own_address_and_not_the_peers() {
        let peer = Attributes::new()
            .bytes(ADDRESS, &[10, 0, 0, 2])
            .bytes(LOCAL, &[10, 0, 0, 1]);
        let expected = Address {
            interface: 3,
            address: "10.0.0.1".parse().unwrap(),
        };
        assert_eq!(read(&listed(AF_INET, &peer)), Some(expected));
        let ipv6: Ipv6Addr = "fd00::5".parse().unwrap();
        let alone = Attributes::new().bytes(ADDRESS, &ipv6.octets());
        let expected = Address {
            interface: 3,
            address: ipv6.into(),
        };
        assert_eq!(read(&listed(AF_INET6, &alone)), Some(expected));
    }

    #[test]
    fn what_is_no_address() {
        let short = Attributes::new().bytes(ADDRESS, &[10, 0]);
        assert_eq!(read(&listed(AF_INET, &short)), None);
        assert_eq!(read(&listed(AF_INET, &Attributes::new())), None);
        assert_eq!(read(&listed(17, &short)), None);
        assert_eq!(read(&[2]), None);
    }
}
