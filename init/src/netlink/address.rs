//! Addresses of interfaces, over rtnetlink.

use std::net::Ipv6Addr;

use crate::netlink::message::{Attributes, Message, flag};

/// Adds an address with a prefix length of 128.
pub fn add(address: Ipv6Addr, interface_index: u32) -> Message {
    message(
        NEW_ADDRESS,
        flag::CREATE | flag::EXCLUSIVE,
        address,
        interface_index,
    )
}

/// Removes an address with a prefix length of 128.
pub fn remove(address: Ipv6Addr, interface_index: u32) -> Message {
    message(DELETE_ADDRESS, 0, address, interface_index)
}

const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;

const AF_INET6: u8 = 10;

/// `IFA_F_NODAD`: otherwise nobody could bind the address until the kernel has looked for duplicates, even on loopback.
const NO_DUPLICATE_DETECTION: u8 = 0x02;

fn message(kind: u16, flags: u16, address: Ipv6Addr, interface_index: u32) -> Message {
    // `struct ifaddrmsg`: family, prefix length, flags, scope, interface.
    let mut fixed = vec![AF_INET6, 128, NO_DUPLICATE_DETECTION, 0];
    fixed.extend(interface_index.to_ne_bytes());
    let attributes = Attributes::new()
        .bytes(1, &address.octets())
        .bytes(2, &address.octets());
    Message::new(
        kind,
        flags | flag::ACK,
        &fixed,
        &attributes,
        format!("address {address}/128"),
    )
}
