//! The name servers of a resolver's configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// The servers of each family, ascending, each once. What is no address is skipped, as istio-iptables does; a zone
/// such as `%eth0` is no part of the address that packets carry.
pub(super) fn servers(resolv_conf: &str) -> (Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let (mut ipv4, mut ipv6): (Vec<Ipv4Addr>, Vec<Ipv6Addr>) = Default::default();
    for line in resolv_conf.lines() {
        let mut fields = line.split_whitespace();
        let (Some("nameserver"), Some(address)) = (fields.next(), fields.next()) else {
            continue;
        };
        let address = address.split('%').next().unwrap_or(address);
        match address.parse() {
            Ok(IpAddr::V4(address)) => ipv4.push(address),
            Ok(IpAddr::V6(address)) => ipv6.push(address),
            Err(_) => {}
        }
    }
    ipv4.sort();
    ipv4.dedup();
    ipv6.sort();
    ipv6.dedup();
    (
        ipv4.into_iter().map(Ipv4Net::from).collect(),
        ipv6.into_iter().map(Ipv6Net::from).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_both_families() {
        let text = "search a b\n# nameserver 9.9.9.9\nnameserver 10.96.0.10\n nameserver\tfe80::1%eth0 x\n\
                    nameserver nowhere\nnameserver\nnameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:5";
        let (ipv4, ipv6) = servers(text);
        let join = |list: Vec<String>| list.join(" ");
        assert_eq!(
            join(ipv4.iter().map(ToString::to_string).collect()),
            "1.1.1.1/32 10.96.0.10/32"
        );
        assert_eq!(
            join(ipv6.iter().map(ToString::to_string).collect()),
            "fe80::1/128"
        );
    }
}
