//! The policy rule and the route that bring marked packets to this host, over rtnetlink.
//!
//! Both carry a protocol number of their own, so that they are found again without any memory of the mark and table.

use crate::netlink::message::{Attributes, Message, Reader, flag};
use crate::rules::Family;

/// Who made a rule or route; the numbers from 4 on are free for administrators.
const PROTOCOL: u8 = 0xe6;

/// A policy rule that sends marked packets to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyRule {
    /// Of which family the packets are.
    pub family: Family,
    /// The mark.
    pub mark: u32,
    /// The table.
    pub table: u32,
}

/// A route to this host for every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalRoute {
    /// Of which family the addresses are.
    pub family: Family,
    /// The table it is in.
    pub table: u32,
}

const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;

/// Length of `struct fib_rule_hdr` and of `struct rtmsg`.
const FIXED_LENGTH: usize = 12;

/// What makes `table` of the header say nothing, so that the attribute counts.
const TABLE_IN_ATTRIBUTE: u8 = 0;

mod attribute {
    pub(super) const ROUTE_INTERFACE: u16 = 4;
    pub(super) const TABLE: u16 = 15;
    pub(super) const MARK: u16 = 10;
    pub(super) const MASK: u16 = 16;
    pub(super) const RULE_PROTOCOL: u16 = 21;
}

impl PolicyRule {
    /// Adds the rule, unless an equal one is there, which is an error that callers ignore.
    pub fn adding(self) -> Message {
        self.message(NEW_RULE, flag::CREATE | flag::EXCLUSIVE)
    }

    /// Removes the rule.
    pub fn removing(self) -> Message {
        self.message(DELETE_RULE, 0)
    }

    /// Asks for all rules of a family.
    pub fn list(family: Family) -> Message {
        question(GET_RULE, family, "the policy rules")
    }

    /// Reads one of the rules listed; `None` when it is not ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let attributes = Reader(payload.get(FIXED_LENGTH..)?);
        (attributes.value(attribute::RULE_PROTOCOL)? == [PROTOCOL]).then_some(())?;
        Some(Self {
            family: family(payload)?,
            mark: attributes.host_number(attribute::MARK)?,
            table: attributes.host_number(attribute::TABLE)?,
        })
    }

    fn message(self, kind: u16, flags: u16) -> Message {
        const TO_TABLE: u8 = 1;
        let mut fixed = [0; FIXED_LENGTH];
        fixed[0] = number(self.family);
        fixed[4] = TABLE_IN_ATTRIBUTE;
        fixed[7] = TO_TABLE;
        let attributes = Attributes::new()
            .host_number(attribute::MARK, self.mark)
            .host_number(attribute::MASK, u32::MAX)
            .host_number(attribute::TABLE, self.table)
            .bytes(attribute::RULE_PROTOCOL, &[PROTOCOL]);
        let label = format!("the policy rule for mark {}", self.mark);
        Message::new(kind, flags | flag::ACK, &fixed, &attributes, label)
    }
}

impl LocalRoute {
    /// Adds the route, unless one is there, which is an error that callers ignore.
    pub fn adding(self, interface_index: u32) -> Message {
        self.message(NEW_ROUTE, flag::CREATE | flag::EXCLUSIVE, interface_index)
    }

    /// Removes the route.
    pub fn removing(self, interface_index: u32) -> Message {
        self.message(DELETE_ROUTE, 0, interface_index)
    }

    /// Asks for all routes of a family.
    pub fn list(family: Family) -> Message {
        question(GET_ROUTE, family, "the routes")
    }

    /// Reads one of the routes listed; `None` when it is not ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let attributes = Reader(payload.get(FIXED_LENGTH..)?);
        (*payload.get(5)? == PROTOCOL).then_some(())?;
        Some(Self {
            family: family(payload)?,
            table: attributes.host_number(attribute::TABLE)?,
        })
    }

    fn message(self, kind: u16, flags: u16, interface_index: u32) -> Message {
        const HOST_SCOPE: u8 = 254;
        const LOCAL: u8 = 2;
        let mut fixed = [0; FIXED_LENGTH];
        fixed[0] = number(self.family);
        fixed[4] = TABLE_IN_ATTRIBUTE;
        fixed[5] = PROTOCOL;
        fixed[6] = HOST_SCOPE;
        fixed[7] = LOCAL;
        let attributes = Attributes::new()
            .host_number(attribute::ROUTE_INTERFACE, interface_index)
            .host_number(attribute::TABLE, self.table);
        let label = format!("the local route of table {}", self.table);
        Message::new(kind, flags | flag::ACK, &fixed, &attributes, label)
    }
}

fn question(kind: u16, family: Family, label: &str) -> Message {
    let mut fixed = [0; FIXED_LENGTH];
    fixed[0] = number(family);
    Message::new(kind, flag::DUMP, &fixed, &Attributes::new(), label)
}

fn number(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

fn family(payload: &[u8]) -> Option<Family> {
    match payload.first()? {
        2 => Some(Family::Ipv4),
        10 => Some(Family::Ipv6),
        _ => None,
    }
}
