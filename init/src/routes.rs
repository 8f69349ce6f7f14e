//! The address `::6` on the loopback interface, from which the proxy calls IPv6 applications.
//!
//! Its IPv4 counterpart 127.0.0.6 needs nothing, since all of 127.0.0.0/8 is local.

use std::net::Ipv6Addr;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use crate::netlink::address;
use crate::netlink::message::Message;
use crate::netlink::socket::{Refusal, Subsystem, exchange};

/// Gives the loopback interface an address; one that is there already is fine.
///
/// # Errors
/// When the kernel refuses, for instance since IPv6 is disabled on the loopback interface.
pub fn add_to_loopback(address: Ipv6Addr) -> Result<(), Refusal> {
    change(|index| address::add(address, index), &[Errno::EEXIST])
}

/// Takes an address off the loopback interface; one that is not there is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_from_loopback(address: Ipv6Addr) -> Result<(), Refusal> {
    // Without IPv6 in the kernel, there is nothing to take off either.
    let fine = [
        Errno::EADDRNOTAVAIL,
        Errno::ENODEV,
        Errno::ENXIO,
        Errno::EAFNOSUPPORT,
        Errno::EOPNOTSUPP,
    ];
    change(|index| address::remove(address, index), &fine)
}

fn change(message: impl Fn(u32) -> Message, fine: &[Errno]) -> Result<(), Refusal> {
    let index = if_nametoindex("lo").map_err(Refusal::Unusable)?;
    match exchange(Subsystem::Route, &[message(index)]) {
        Err(Refusal::Message { reason, .. }) if fine.contains(&reason) => Ok(()),
        other => other,
    }
}
