//! The addresses of this host.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// The addresses of all interfaces, loopback included (getifaddrs(3)).
///
/// # Errors
/// The kernel's, as when no descriptor is left.
pub fn local() -> io::Result<BTreeSet<IpAddr>> {
    let addresses = getifaddrs()?.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    Ok(addresses.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_of_this_host() {
        let addresses = local().expect("addresses");
        assert!(addresses.contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
