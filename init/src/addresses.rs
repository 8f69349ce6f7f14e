//! The pod's addresses, and whether they have IPv6.

use std::net::{IpAddr, Ipv6Addr};

/// Drops loopback and link-local addresses and puts IPv4 first, each family in its given order.
pub fn usable(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut usable: Vec<IpAddr> = addresses
        .into_iter()
        .map(|address| address.to_canonical())
        .filter(|address| !local(*address))
        .collect();
    usable.sort_by_key(IpAddr::is_ipv6);
    usable
}

/// The address that an earlier run has added to the loopback interface; it is not the pod's.
const PASS_THROUGH: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6);

fn local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address == PASS_THROUGH
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_first_and_only_usable_ones() {
        let listed = [
            "::1",
            "::6",
            "fd00::5",
            "fe80::1",
            "127.0.0.1",
            "169.254.1.1",
            "10.0.0.9",
            "::ffff:10.0.0.8",
            "fd00::4",
        ];
        let usable: Vec<String> = usable(listed.map(|text| text.parse().unwrap()))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(usable, ["10.0.0.9", "10.0.0.8", "fd00::5", "fd00::4"]);
    }
}
