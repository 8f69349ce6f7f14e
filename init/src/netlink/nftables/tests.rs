//! Tests of the messages' bytes.

use super::*;
use crate::netlink::message::HEADER_LENGTH;
use crate::rules::{Action, Interface, Match, Owner, Protocol, Reason, SetName};

/// The messages as the kernel gets them, numbered from zero.
fn bytes(messages: &[Message]) -> Vec<Vec<u8>> {
    (0..)
        .zip(messages)
        .map(|(index, message)| {
            let mut bytes = Vec::new();
            message.write(index, &mut bytes);
            bytes
        })
        .collect()
}

fn kinds(messages: &[Message]) -> Vec<u16> {
    bytes(messages)
        .iter()
        .map(|bytes| u16::from_ne_bytes([bytes[4], bytes[5]]))
        .collect()
}

/// An attribute as the kernel sees it.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4)
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn nested(kind: u16, inner: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | 0x8000, &inner.concat())
}

fn expression(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
    nested(
        1,
        &[
            attribute(1, format!("{name}\0").as_bytes()),
            nested(2, data),
        ],
    )
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

/// The expressions of a rule that accepts, with these matches.
fn accepting(matches: Vec<Match>, expected: &[Vec<u8>]) {
    let rule = Rule {
        matches,
        action: Action::Leave,
        reason: Reason::Proxy,
    };
    let counter = expression("counter", &[]);
    let accept = expression(
        "immediate",
        &[number(1, 0), nested(2, &[nested(2, &[number(1, 1)])])],
    );
    let expected = [expected.concat(), counter, accept].concat();
    let whole = Attributes::new().nested(4, &expressions(&rule, TableFamily::Inet));
    let message = Message::new(0, 0, &[], &whole, "");
    let mut bytes = Vec::new();
    message.write(0, &mut bytes);
    assert_eq!(bytes[HEADER_LENGTH + 4..], expected);
}

#[test]
fn replacing_is_one_transaction() {
    let rules = RuleSet {
        family: TableFamily::Ip,
        sets: vec![Set {
            name: SetName::InboundIncludePorts,
            elements: Elements::Ports(vec![80..=80]),
        }],
        chains: vec![Chain {
            name: ChainName::Prerouting,
            rules: vec![Rule {
                matches: vec![Match::PortIn(Protocol::Tcp, SetName::InboundIncludePorts)],
                action: Action::Redirect(15006),
                reason: Reason::IncludedInboundPort,
            }],
        }],
    };
    let messages = replace(&rules, Old::Any, Vec::new());
    let table = [NEW_TABLE, DELETE_TABLE, NEW_TABLE, DELETE_TABLE, NEW_TABLE];
    let expected = [
        &[BATCH_BEGIN][..],
        &table,
        &[NEW_SET, NEW_ELEMENTS, NEW_CHAIN, NEW_RULE],
        &[BATCH_END],
    ]
    .concat();
    assert_eq!(kinds(&messages), expected);
    assert_eq!(
        messages[9].label().to_string(),
        "rule 1 of chain prerouting (captured inbound ports)"
    );
    let acknowledged: Vec<bool> = messages.iter().map(Message::wants_ack).collect();
    assert_eq!(acknowledged.iter().position(|wants| *wants), Some(9));
    assert_eq!(acknowledged.iter().filter(|wants| **wants).count(), 1);
}

#[test]
fn nothing_is_deleted_where_nothing_is() {
    let messages = replace(&RuleSet::default(), Old::None, Vec::new());
    assert_eq!(kinds(&messages), [BATCH_BEGIN, NEW_TABLE, BATCH_END]);
}

#[test]
fn removing_needs_no_table() {
    assert_eq!(
        kinds(&remove(Vec::new())),
        [
            BATCH_BEGIN,
            NEW_TABLE,
            DELETE_TABLE,
            NEW_TABLE,
            DELETE_TABLE,
            BATCH_END
        ]
    );
}

#[test]
fn edges_name_the_subsystem() {
    let begin = &bytes(&remove(Vec::new()))[0];
    assert_eq!(begin[HEADER_LENGTH..], [0, 0, 0, 10]);
}

#[test]
fn only_the_beginning_has_the_generation() {
    let plain = replace(&RuleSet::default(), Old::None, Vec::new());
    let bound = unless_changed(plain.clone(), 7);
    assert_eq!(
        bytes(&bound)[0][HEADER_LENGTH..],
        [vec![0, 0, 0, 10], number(1, 7)].concat()
    );
    assert_eq!(bound[1..], plain[1..]);
}

#[test]
fn ranges_end_after_their_last_value() {
    let keys = |set: Elements| -> Vec<Vec<u8>> {
        elements(&set)
            .iter()
            .map(|element| {
                let mut bytes = Vec::new();
                Message::new(0, 0, &[], element, "").write(0, &mut bytes);
                bytes[HEADER_LENGTH..].to_vec()
            })
            .collect()
    };
    let key = |value: &[u8]| nested(1, &[attribute(1, value)]);
    let end = |value: &[u8]| [key(value), number(3, 1)].concat();
    assert_eq!(
        keys(Elements::Ports(vec![80..=90])),
        [key(&[0, 80]), end(&[0, 91])]
    );
    assert_eq!(
        keys(Elements::Ports(vec![65535..=65535])),
        [key(&[255, 255])]
    );
    assert_eq!(
        keys(Elements::Ipv4(vec![
            "10.0.0.0/8".parse().unwrap(),
            "255.0.0.0/8".parse().unwrap()
        ])),
        [
            key(&[10, 0, 0, 0]),
            end(&[11, 0, 0, 0]),
            key(&[255, 0, 0, 0])
        ]
    );
    assert_eq!(
        keys(Elements::Ipv4(vec!["0.0.0.0/0".parse().unwrap()])),
        [key(&[0; 4])]
    );
    assert_eq!(
        keys(Elements::Ipv6(vec!["::/0".parse().unwrap()])),
        [key(&[0; 16])]
    );
}

#[test]
fn large_sets_travel_in_pieces() {
    let ranges = (0..3000u32).map(|index| {
        format!("10.{}.{}.0/25", index / 256, index % 256)
            .parse()
            .unwrap()
    });
    let set = Set {
        name: SetName::OutboundIncludeIpv4,
        elements: Elements::Ipv4(ranges.collect()),
    };
    let rules = RuleSet {
        family: TableFamily::Ip,
        sets: vec![set],
        chains: vec![],
    };
    let messages = replace(&rules, Old::Any, Vec::new());
    assert_eq!(
        kinds(&messages)
            .iter()
            .filter(|kind| **kind == NEW_ELEMENTS)
            .count(),
        6
    );
}

#[test]
fn owners_are_in_host_order_and_their_ranges_are_not() {
    let user = |owner: Owner| vec![Match::User(owner)];
    let meta = expression("meta", &[number(1, 1), number(2, 10)]);
    let value = nested(3, &[attribute(1, &1337u32.to_ne_bytes())]);
    accepting(
        user(1337..=1337),
        &[
            meta.clone(),
            expression("cmp", &[number(1, 1), number(2, 0), value]),
        ],
    );
    let order = expression(
        "byteorder",
        &[
            number(1, 1),
            number(2, 1),
            number(3, 1),
            number(4, 4),
            number(5, 4),
        ],
    );
    let compare = |operation, value: &[u8]| {
        let value = nested(3, &[attribute(1, value)]);
        expression("cmp", &[number(1, 1), number(2, operation), value])
    };
    accepting(
        user(5..=256),
        &[
            meta,
            order,
            compare(5, &[0, 0, 0, 5]),
            compare(3, &[0, 0, 1, 0]),
        ],
    );
}

#[test]
fn names_fill_their_room_and_prefixes_do_not() {
    let meta = expression("meta", &[number(1, 1), number(2, 7)]);
    let compare = |name: &[u8]| {
        expression(
            "cmp",
            &[number(1, 1), number(2, 0), nested(3, &[attribute(1, name)])],
        )
    };
    accepting(
        vec![Match::Through(Interface::Loopback)],
        &[meta.clone(), compare(b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0")],
    );
    accepting(
        vec![Match::Through(Interface::Prefixed("tun".to_owned()))],
        &[meta, compare(b"tun")],
    );
}

#[test]
fn ranges_are_masked_and_single_addresses_are_not() {
    let family = [
        expression("meta", &[number(1, 1), number(2, 15)]),
        expression(
            "cmp",
            &[number(1, 1), number(2, 0), nested(3, &[attribute(1, &[2])])],
        ),
    ];
    let load = expression(
        "payload",
        &[number(1, 1), number(2, 1), number(3, 16), number(4, 4)],
    );
    let compare = |operation, address: &[u8]| {
        expression(
            "cmp",
            &[
                number(1, 1),
                number(2, operation),
                nested(3, &[attribute(1, address)]),
            ],
        )
    };
    accepting(
        vec![Match::Destination("127.0.0.1/32".parse().unwrap())],
        &[family.concat(), load.clone(), compare(0, &[127, 0, 0, 1])],
    );
    let (mask, zero) = (
        nested(4, &[attribute(1, &[255, 0, 0, 0])]),
        nested(5, &[attribute(1, &[0; 4])]),
    );
    let bitwise = expression(
        "bitwise",
        &[number(1, 1), number(2, 1), number(3, 4), mask, zero],
    );
    accepting(
        vec![Match::DestinationOutside("127.0.0.0/8".parse().unwrap())],
        &[family.concat(), load, bitwise, compare(1, &[127, 0, 0, 0])],
    );
}

/// Each message has the features that a kernel may lack, so that an error names the one module that would help.
#[test]
fn messages_name_the_modules_they_need() {
    let rule = |matches, action| Rule {
        matches,
        action,
        reason: Reason::Proxy,
    };
    let needs = |chain: ChainName, rule: Rule| {
        let rules = RuleSet {
            family: TableFamily::Inet,
            sets: Vec::new(),
            chains: vec![Chain {
                name: chain,
                rules: vec![rule],
            }],
        };
        let messages = replace(&rules, Old::None, Vec::new());
        let find = |start: &str| {
            let refused = messages
                .iter()
                .find(|message| message.label().to_string().starts_with(start));
            refused.unwrap().needs().to_vec()
        };
        (find("chain "), find("rule "))
    };
    let module = |name| vec![Need::Module(name)];
    let nat = module("nft_chain_nat");
    for (action, expected) in [
        (Action::Leave, Vec::new()),
        (Action::Redirect(15001), module("nft_redir")),
    ] {
        let kinds_and_needs = needs(ChainName::Output, rule(Vec::new(), action));
        assert_eq!(kinds_and_needs, (nat.clone(), expected), "{action:?}");
    }
    let deliver = Action::Deliver {
        port: 15006,
        mark: 1337,
    };
    for (action, expected) in [
        (deliver, module("nft_tproxy")),
        (Action::SaveMark, module("nft_ct")),
        (Action::Zone(1), module("nft_ct")),
        (Action::Reject, module("nft_reject_inet")),
        (Action::Mark(1338), Vec::new()),
    ] {
        let kinds_and_needs = needs(ChainName::Arriving, rule(Vec::new(), action));
        assert_eq!(kinds_and_needs, (Vec::new(), expected), "{action:?}");
    }
    let kinds_and_needs = needs(
        ChainName::Arriving,
        rule(vec![Match::Invalid], Action::Drop),
    );
    assert_eq!(kinds_and_needs, (Vec::new(), module("nft_ct")));
}
