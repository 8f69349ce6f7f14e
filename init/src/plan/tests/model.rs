//! The plan against a slow, obvious model: the table of istio-iptables' decisions, row by row.
//!
//! Every intent of a grid decides every packet of another grid, once by walking the rules and once by the model.

use std::net::IpAddr;

use super::intent;
use crate::explain::{self, Origin, explain};
use crate::intent::{Dns, Groups, Inbound, Intent, Ipv6};
use crate::plan::plan;
use crate::rules::{Interface, Owner, Protocol, RuleSet};

/// Where a packet ends up: at a port of the proxy, or where it was going.
type Verdict = Option<u16>;

#[derive(Debug, Clone)]
struct Packet {
    interface: &'static str,
    protocol: Option<Protocol>,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    /// The socket's user and group; packets may come without a socket.
    owner: Option<(u32, u32)>,
}

#[test]
fn rules_decide_as_the_table_does() {
    let mut captured = 0;
    for intent in intents() {
        let rules = plan(&intent);
        for packet in packets() {
            let origin = Origin::Process {
                owner: packet.owner,
                through: packet.interface.to_owned(),
            };
            let sent = walk(&rules, &packet, origin);
            assert_eq!(
                sent,
                leaving(&intent, &packet),
                "{packet:?} leaving under {intent:?}"
            );
            let origin = Origin::Interface(packet.interface.to_owned());
            let received = walk(&rules, &packet, origin);
            assert_eq!(
                received,
                arriving(&intent, &packet),
                "{packet:?} arriving under {intent:?}"
            );
            captured += usize::from(sent.is_some()) + usize::from(received.is_some());
        }
    }
    assert!(
        captured > 1000,
        "the grids meet the rules that capture, {captured} times"
    );
}

fn intents() -> Vec<Intent> {
    let mut intents = Vec::new();
    for include in [
        "",
        "*",
        "10.0.0.0/8,fd00::/8",
        "127.0.0.0/8,10.0.0.0/8,fd00::/8",
    ] {
        for owners in ["-u 1337", "-u 1337,7 -g 1337,8-9"] {
            for ports in ["", "-q 443 -o 22", "-x 10.9.0.0/16,fd09::/16 -q 443"] {
                for inbound in [
                    "-b * -d 80",
                    "-b 80,15008",
                    "-c eth1 -b *",
                    "-k eth1 -b *",
                    "-k eth1 -c eth+",
                ] {
                    for variables in [
                        &["DUAL_STACK=true"][..],
                        &["REDIRECT_DNS=true", "CAPTURE_ALL_DNS=true"],
                        &[
                            "REDIRECT_DNS=true",
                            "RESOLV_CONF=nameserver 10.9.0.1\nnameserver fd00::5",
                            "DUAL_STACK=true",
                        ],
                        &["ISTIO_OUTBOUND_OWNER_GROUPS=1000,1337", "DUAL_STACK=true"],
                        &[
                            "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=1000",
                            "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.0/8",
                        ],
                    ] {
                        let mut line = format!("{owners} {inbound}");
                        for part in [ports, &format!("-i {include}")] {
                            if !part.is_empty() {
                                line.push_str(&format!(" {part}"));
                            }
                        }
                        intents.push(intent(&line, variables, &["10.1.0.5", "fd00::5"]));
                    }
                }
            }
        }
    }
    intents
}

fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for interface in ["lo", "eth0", "eth1"] {
        for protocol in [Some(Protocol::Tcp), Some(Protocol::Udp), None] {
            for (source, destination) in [
                ("10.1.0.5", "10.1.0.5"),
                ("127.0.0.6", "10.1.0.5"),
                ("127.0.0.1", "127.0.0.1"),
                ("127.0.0.1", "127.0.0.2"),
                ("10.1.0.5", "10.9.0.1"),
                ("10.1.0.5", "93.184.216.34"),
                ("fd00::5", "fd00::5"),
                ("::6", "fd00::5"),
                ("::1", "::1"),
                ("fd00::5", "fd09::1"),
                ("fd00::5", "2001:db8::1"),
            ] {
                for port in [22, 53, 80, 443, 15008] {
                    for owner in [
                        None,
                        Some((1337, 1337)),
                        Some((7, 1000)),
                        Some((1000, 1000)),
                        Some((1, 9)),
                        Some((1, 1)),
                    ] {
                        let (source, destination) =
                            (source.parse().unwrap(), destination.parse().unwrap());
                        packets.push(Packet {
                            interface,
                            protocol,
                            source,
                            destination,
                            port,
                            owner,
                        });
                    }
                }
            }
        }
    }
    packets
}

/// The model of what leaves.
fn leaving(intent: &Intent, packet: &Packet) -> Verdict {
    let tcp = packet.protocol == Some(Protocol::Tcp);
    let outbound = &intent.outbound;
    if packet.destination.is_ipv6() && intent.ipv6 != Ipv6::On {
        return None;
    }
    // Row 1
    if intent
        .excluded_interfaces
        .iter()
        .any(|interface| named(interface, packet))
    {
        return None;
    }
    // Row 2
    if packet.protocol.is_some()
        && outbound
            .exclude_ports
            .iter()
            .any(|ports| ports.contains(&packet.port))
    {
        return None;
    }
    // Row 3
    let loopback = packet.interface == "lo";
    if loopback && ["127.0.0.6", "::6"].contains(&packet.source.to_string().as_str()) {
        return None;
    }
    // Rows 4 and 5
    let dns = intent.dns.is_captured();
    let localhost = match packet.destination {
        IpAddr::V4(destination) => intent.loopback.contains(&destination),
        IpAddr::V6(destination) => destination.is_loopback(),
    };
    let users = intent
        .proxy_users
        .iter()
        .map(|user| (user, packet.owner.map(|(uid, _)| uid), dns));
    let groups = intent
        .proxy_groups
        .iter()
        .map(|group| (group, packet.owner.map(|(_, gid)| gid), false));
    for (owner, id, spares_dns) in users.chain(groups) {
        let own = id.is_some_and(|id| owner.contains(&id));
        let spared = packet.port == intent.tunnel_port || (spares_dns && packet.port == 53);
        if loopback && !localhost && tcp && !spared && own {
            return Some(intent.inbound_port);
        }
        let local = loopback && (!dns || (tcp && packet.port != 53));
        if local && !own && !outbound.include.names_loopback() {
            return None;
        }
        if own {
            return None;
        }
    }
    // Row 6
    let group_in = |groups: &[Owner]| {
        packet
            .owner
            .is_some_and(|(_, gid)| groups.iter().any(|own| own.contains(&gid)))
    };
    match &outbound.groups {
        Groups::Only(groups) if !group_in(groups) => return None,
        Groups::Except(groups) if group_in(groups) => return None,
        _ => {}
    }
    // Row 7
    let to_name_server = match &intent.dns {
        Dns::Off | Dns::NoServers => false,
        Dns::Every => true,
        Dns::Servers { ipv4, ipv6 } => match packet.destination {
            IpAddr::V4(server) => ipv4.iter().any(|own| own.addr() == server),
            IpAddr::V6(server) => ipv6.iter().any(|own| own.addr() == server),
        },
    };
    if to_name_server && packet.protocol.is_some() && packet.port == 53 {
        return Some(15053);
    }
    // Rows 8 and 9
    if localhost || outbound.exclude.contains(packet.destination) {
        return None;
    }
    // Rows 10 and 11
    let included = outbound
        .include_ports
        .iter()
        .any(|ports| ports.contains(&packet.port))
        || outbound.include.contains(packet.destination);
    (tcp && included).then_some(intent.outbound_port)
}

/// The model of what arrives.
fn arriving(intent: &Intent, packet: &Packet) -> Verdict {
    let tcp = packet.protocol == Some(Protocol::Tcp);
    if packet.destination.is_ipv6() && intent.ipv6 != Ipv6::On {
        return None;
    }
    // Rows 1 and 2
    if intent
        .virtual_interfaces
        .iter()
        .any(|interface| named(interface, packet))
    {
        let captured = tcp && intent.outbound.include.contains(packet.destination);
        return captured.then_some(intent.outbound_port);
    }
    // Rows 3 and 5
    if intent
        .excluded_interfaces
        .iter()
        .any(|interface| named(interface, packet))
        || packet.port == intent.tunnel_port
    {
        return None;
    }
    // Rows 4, 6 and 7
    let captured = match &intent.inbound {
        Inbound::Nothing => false,
        Inbound::Except(ports) => !ports.iter().any(|ports| ports.contains(&packet.port)),
        Inbound::Only(ports) => ports.iter().any(|ports| ports.contains(&packet.port)),
    };
    (tcp && captured).then_some(intent.inbound_port)
}

fn named(interface: &Interface, packet: &Packet) -> bool {
    match interface {
        Interface::Loopback => packet.interface == "lo",
        Interface::Named(name) => packet.interface == name,
        Interface::Prefixed(stem) => packet.interface.starts_with(stem),
    }
}

/// What the rules do, on paper.
fn walk(rules: &RuleSet, packet: &Packet, origin: Origin) -> Verdict {
    let packet = explain::Packet {
        origin,
        protocol: packet.protocol,
        source: packet.source,
        destination: packet.destination,
        port: packet.port,
        is_for_this_host: true,
    };
    match explain(rules, &packet).verdict {
        explain::Verdict::Proxy(port) => Some(port),
        explain::Verdict::Untouched => None,
        verdict => panic!("{verdict:?} of {packet:?}"),
    }
}
