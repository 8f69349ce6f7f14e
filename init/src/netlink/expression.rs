//! A rule's matches and action as nf_tables expressions.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::netlink::message::Attributes;
use crate::rules::{Action, Family, Interface, Match, Owner, Protocol, Rule, SetName, TableFamily};

use self::list::{List, VALUE};

mod list;

/// The expressions of a rule in a table of a family: its matches, a counter, its action.
pub(super) fn expressions(rule: &Rule, table: TableFamily) -> Attributes {
    let mut list = List {
        attributes: Attributes::with_room(USUAL_LENGTH),
        protocol: None,
        family: (table == TableFamily::Ip).then_some(Family::Ipv4),
        table,
    };
    for condition in &rule.matches {
        list.condition(condition);
    }
    list.add("counter", |data| data);
    list.action(rule.action);
    list.attributes
}

/// Room for the expressions of most rules.
const USUAL_LENGTH: usize = 768;

/// The kernel modules beside nf_tables that a rule's expressions live in.
pub(super) fn modules(rule: &Rule, table: TableFamily) -> Vec<&'static str> {
    let mut modules = Vec::new();
    for condition in &rule.matches {
        match condition {
            Match::ConnectionMarkIs(_) | Match::Invalid | Match::Established | Match::Original => {
                modules.push("nft_ct");
            }
            _ => {}
        }
    }
    modules.extend(match rule.action {
        Action::Redirect(_) => Some("nft_redir"),
        Action::Deliver { .. } => Some("nft_tproxy"),
        Action::SaveMark | Action::RestoreMark | Action::Zone(_) => Some("nft_ct"),
        Action::Reject if table == TableFamily::Ip => Some("nft_reject_ipv4"),
        Action::Reject => Some("nft_reject_inet"),
        Action::Leave | Action::Divert(_) | Action::Mark(_) | Action::Goto(_) | Action::Drop => {
            None
        }
    });
    modules
}

/// How two values compare.
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;

/// What `meta` loads.
const MARK: u32 = 3;
const INPUT_NAME: u32 = 6;
const OUTPUT_NAME: u32 = 7;
const SOCKET_UID: u32 = 10;
const SOCKET_GID: u32 = 11;
const FAMILY: u32 = 15;
const TRANSPORT: u32 = 16;

/// What `ct` loads, and the bits of the state that are tested, in host byte order.
const CONNECTION_STATE: u32 = 0;
const CONNECTION_DIRECTION: u32 = 1;
const CONNECTION_MARK: u32 = 3;
const CONNECTION_ZONE: u32 = 17;
const INVALID: u32 = 1;
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;

/// Which header `payload` loads from.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// Room for an interface name with its final NUL.
const INTERFACE_NAME_SIZE: usize = 16;

impl List {
    fn condition(&mut self, condition: &Match) {
        match condition {
            Match::Family(family) => self.family(*family),
            Match::From(interface) => self.interface(INPUT_NAME, interface),
            Match::Through(interface) => self.interface(OUTPUT_NAME, interface),
            Match::Protocol(protocol) => self.protocol(*protocol),
            Match::PortIn(protocol, set) => {
                self.port(*protocol);
                self.lookup(*set);
            }
            Match::PortIs(protocol, port) => {
                self.port(*protocol);
                self.compare(EQUAL, &port.to_be_bytes());
            }
            Match::PortIsNot(protocol, port) => {
                self.port(*protocol);
                self.compare(DIFFERENT, &port.to_be_bytes());
            }
            Match::SourcePortIs(protocol, port) => {
                self.protocol(*protocol);
                self.payload(TRANSPORT_HEADER, 0, 2);
                self.compare(EQUAL, &port.to_be_bytes());
            }
            Match::Source(range) => self.address(Side::Source, EQUAL, range),
            Match::Destination(range) => self.address(Side::Destination, EQUAL, range),
            Match::DestinationOutside(range) => self.address(Side::Destination, DIFFERENT, range),
            Match::SourceIn(set) => self.address_in(Side::Source, *set),
            Match::DestinationIn(set) => self.address_in(Side::Destination, *set),
            Match::User(owner) => self.owner(SOCKET_UID, owner),
            Match::Group(owner) => self.owner(SOCKET_GID, owner),
            Match::MarkIs(mark) => {
                self.meta(MARK);
                self.compare(EQUAL, &mark.to_ne_bytes());
            }
            Match::MarkIsNot(mark) => {
                self.meta(MARK);
                self.compare(DIFFERENT, &mark.to_ne_bytes());
            }
            Match::ConnectionMarkIs(mark) => {
                self.connection(CONNECTION_MARK);
                self.compare(EQUAL, &mark.to_ne_bytes());
            }
            Match::Invalid => self.state(INVALID),
            Match::Established => self.state(ESTABLISHED_OR_RELATED),
            Match::Original => {
                self.connection(CONNECTION_DIRECTION);
                self.compare(EQUAL, &[0]);
            }
        }
    }

    fn action(&mut self, action: Action) {
        match action {
            Action::Leave => self.verdict(ACCEPT, None),
            Action::Drop => self.verdict(DROP, None),
            Action::Goto(chain) => self.verdict(GOTO, Some(chain)),
            Action::Deliver { port, mark } => {
                self.value(&port.to_be_bytes());
                let family = match self.family {
                    Some(Family::Ipv4) => 2,
                    Some(Family::Ipv6) => 10,
                    None => 0,
                };
                self.add("tproxy", |data| data.number(1, family).number(3, VALUE));
                self.mark(mark);
                self.verdict(ACCEPT, None);
            }
            Action::Divert(mark) => {
                self.mark(mark);
                self.verdict(ACCEPT, None);
            }
            Action::Mark(mark) => self.mark(mark),
            Action::SaveMark => {
                self.meta(MARK);
                self.set_connection(CONNECTION_MARK);
                self.verdict(ACCEPT, None);
            }
            Action::RestoreMark => {
                self.connection(CONNECTION_MARK);
                self.set_mark();
            }
            Action::Zone(zone) => {
                self.value(&zone.to_ne_bytes());
                self.set_connection(CONNECTION_ZONE);
                self.verdict(ACCEPT, None);
            }
            Action::Reject => {
                let (kind, code) = match self.table {
                    TableFamily::Ip => UNREACHABLE_IPV4,
                    TableFamily::Inet => UNREACHABLE_EITHER,
                };
                self.add("reject", |data| data.number(1, kind).bytes(2, &[code]));
            }
            Action::Redirect(port) => {
                self.value(&port.to_be_bytes());
                self.add("redir", |data| data.number(1, VALUE).number(3, PORT_GIVEN));
            }
        }
    }

    /// The packet's mark (fwmark) is in host byte order.
    fn mark(&mut self, mark: u32) {
        self.value(&mark.to_ne_bytes());
        self.set_mark();
    }

    fn set_mark(&mut self) {
        self.add("meta", |data| data.number(2, MARK).number(3, VALUE));
    }

    /// Whether any of some states holds.
    fn state(&mut self, bits: u32) {
        self.connection(CONNECTION_STATE);
        self.mask(&bits.to_ne_bytes());
        self.compare(DIFFERENT, &[0; 4]);
    }

    fn address_in(&mut self, side: Side, set: SetName) {
        let family = set
            .family()
            .expect("addresses are looked up in sets of addresses");
        self.load_address(side, family);
        self.lookup(set);
    }

    fn family(&mut self, family: Family) {
        if self.family.replace(family) == Some(family) {
            return;
        }
        self.meta(FAMILY);
        let number = match family {
            Family::Ipv4 => 2,
            Family::Ipv6 => 10,
        };
        self.compare(EQUAL, &[number]);
    }

    fn protocol(&mut self, protocol: Protocol) {
        if self.protocol.replace(protocol) == Some(protocol) {
            return;
        }
        self.meta(TRANSPORT);
        let number = match protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        };
        self.compare(EQUAL, &[number]);
    }

    fn interface(&mut self, key: u32, interface: &Interface) {
        let (name, is_prefix) = match interface {
            Interface::Loopback => ("lo", false),
            Interface::Named(name) => (name.as_str(), false),
            Interface::Prefixed(stem) => (stem.as_str(), true),
        };
        let mut bytes = name.as_bytes().to_vec();
        // Comparing fewer bytes than a name has room for is what makes a prefix.
        if !is_prefix {
            bytes.resize(INTERFACE_NAME_SIZE, 0);
        }
        self.meta(key);
        self.compare(EQUAL, &bytes);
    }

    /// Loads the destination port of a protocol; in TCP and UDP it has the same offset.
    fn port(&mut self, protocol: Protocol) {
        self.protocol(protocol);
        self.payload(TRANSPORT_HEADER, 2, 2);
    }

    fn address(&mut self, side: Side, comparison: u32, range: &IpNet) {
        let (family, network, mask) = match (range.network(), range.netmask()) {
            (IpAddr::V4(network), IpAddr::V4(mask)) => (
                Family::Ipv4,
                network.octets().to_vec(),
                mask.octets().to_vec(),
            ),
            (network, mask) => (Family::Ipv6, octets(network), octets(mask)),
        };
        self.load_address(side, family);
        if range.prefix_len() < range.max_prefix_len() {
            self.mask(&mask);
        }
        self.compare(comparison, &network);
    }

    /// The chains see both families, so an address is only looked at after the family.
    fn load_address(&mut self, side: Side, family: Family) {
        self.family(family);
        let (offset, length) = match (family, side) {
            (Family::Ipv4, Side::Source) => (12, 4),
            (Family::Ipv4, Side::Destination) => (16, 4),
            (Family::Ipv6, Side::Source) => (8, 16),
            (Family::Ipv6, Side::Destination) => (24, 16),
        };
        self.payload(NETWORK_HEADER, offset, length);
    }

    /// Owners are the one value in host byte order; a range is compared byte by byte and so needs the other order. nft
    /// writes it as the same two comparisons.
    fn owner(&mut self, key: u32, owner: &Owner) {
        self.meta(key);
        if owner.start() == owner.end() {
            return self.compare(EQUAL, &owner.start().to_ne_bytes());
        }
        self.add("byteorder", |data| {
            let data = data.number(1, VALUE).number(2, VALUE);
            data.number(3, 1).number(4, 4).number(5, 4)
        });
        self.compare(AT_LEAST, &owner.start().to_be_bytes());
        self.compare(AT_MOST, &owner.end().to_be_bytes());
    }
}

/// Verdicts.
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const GOTO: i32 = -4;

/// `NFT_REJECT_ICMPX_UNREACH` and `NFT_REJECT_ICMP_UNREACH`, each with its code for a port.
const UNREACHABLE_EITHER: (u32, u8) = (2, 1);
const UNREACHABLE_IPV4: (u32, u8) = (0, 3);

/// `NF_NAT_RANGE_PROTO_SPECIFIED`
const PORT_GIVEN: u32 = 2;

#[derive(Clone, Copy)]
enum Side {
    Source,
    Destination,
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
