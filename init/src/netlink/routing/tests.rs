//! Tests of what counts as a rule or route like ours.

use super::*;

const RULE: PolicyRule = PolicyRule {
    family: Family::Ipv4,
    mark: 1337,
    table: 133,
};

fn rule(fixed: [u8; FIXED_LENGTH], attributes: &Attributes) -> Option<Listed<PolicyRule>> {
    PolicyRule::read(&[&fixed[..], attributes.reader().0].concat())
}

const PLAIN: [u8; FIXED_LENGTH] = [2, 0, 0, 0, 133, 0, 0, TO_TABLE, 0, 0, 0, 0];

/// As the kernel lists `ip rule add fwmark 1337 lookup 133`.
fn marked() -> Attributes {
    Attributes::new()
        .host_number(attribute::TABLE, 133)
        .host_number(attribute::SUPPRESS_LENGTH, u32::MAX)
        .bytes(attribute::RULE_PROTOCOL, &[3])
        .host_number(attribute::PRIORITY, 32765)
        .host_number(attribute::MARK, 1337)
        .host_number(attribute::MASK, u32::MAX)
}

#[test]
fn a_plain_rule_is_read_with_its_protocol() {
    let listed = rule(PLAIN, &marked()).unwrap();
    assert_eq!((listed.item, listed.is_own()), (RULE, false));
    assert_eq!((listed.protocol, listed.priority), (3, Some(32765)));
    let mut sent = Vec::new();
    RULE.adding().write(0, &mut sent);
    let own = PolicyRule::read(&sent[crate::netlink::message::HEADER_LENGTH..]).unwrap();
    assert_eq!((own.item, own.is_own()), (RULE, true));
}

#[test]
fn a_rule_with_more_conditions_is_not_like_ours() {
    const INCOMING: u16 = 3;
    const USERS: u16 = 20;
    for foreign in [
        marked().text(INCOMING, "eth0"),
        marked().bytes(USERS, &[0; 8]),
        marked().host_number(attribute::SUPPRESS_GROUP, 4),
        Attributes::new().host_number(attribute::TABLE, 133),
    ] {
        assert_eq!(rule(PLAIN, &foreign), None, "{foreign:?}");
    }
    let narrow = Attributes::new()
        .host_number(attribute::TABLE, 133)
        .bytes(attribute::RULE_PROTOCOL, &[3])
        .host_number(attribute::MARK, 1337)
        .host_number(attribute::MASK, 0xffff);
    assert_eq!(rule(PLAIN, &narrow), None);
    // A destination, a type of service, another action, an inversion.
    for (at, value) in [(1, 24), (3, 8), (7, 6), (8, 2)] {
        let mut fixed = PLAIN;
        fixed[at] = value;
        assert_eq!(rule(fixed, &marked()), None, "{fixed:?}");
    }
}

#[test]
fn only_a_local_route_for_all_addresses_is_like_ours() {
    let read = |fixed: [u8; FIXED_LENGTH], attributes: &Attributes| {
        LocalRoute::read(&[&fixed[..], attributes.reader().0].concat())
    };
    const FIXED: [u8; FIXED_LENGTH] = [10, 0, 0, 0, 133, 3, 254, LOCAL, 0, 0, 0, 0];
    let through = |interface| {
        Attributes::new()
            .host_number(attribute::TABLE, 133)
            .host_number(attribute::ROUTE_INTERFACE, interface)
    };
    let route = LocalRoute {
        family: Family::Ipv6,
        table: 133,
    };
    let listed = read(FIXED, &through(LOOPBACK)).unwrap();
    assert_eq!((listed.item, listed.is_own()), (route, false));
    assert_eq!(read(FIXED, &through(2)), None);
    let gateway = through(LOOPBACK).bytes(attribute::ROUTE_GATEWAY, &[0; 16]);
    assert_eq!(read(FIXED, &gateway), None);
    for (at, value) in [(1, 64), (7, 1)] {
        let mut fixed = FIXED;
        fixed[at] = value;
        assert_eq!(read(fixed, &through(LOOPBACK)), None, "{fixed:?}");
    }
}
