//! The policy rule and the route that bring marked packets to this host, over rtnetlink.
//!
//! Ours carry a protocol number of their own, so that they are found again without any memory of the mark and table.

use crate::netlink::address::LOOPBACK;
use crate::netlink::message::{Attributes, Message, Need, Reader, flag};
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

/// A rule or route that the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<T> {
    /// What it does.
    pub item: T,
    protocol: u8,
    /// A rule's priority; a route has none.
    priority: Option<u32>,
}

const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;

/// Length of `struct fib_rule_hdr` and of `struct rtmsg`.
const FIXED_LENGTH: usize = 12;

/// The value of the header's `table` that makes the attribute count.
const TABLE_IN_ATTRIBUTE: u8 = 0;

/// What a rule does with packets, and which type a route has.
const TO_TABLE: u8 = 1;
const LOCAL: u8 = 2;

mod attribute {
    pub(super) const ROUTE_INTERFACE: u16 = 4;
    pub(super) const ROUTE_GATEWAY: u16 = 5;
    pub(super) const ROUTE_PATHS: u16 = 9;
    pub(super) const TABLE: u16 = 15;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const MARK: u16 = 10;
    pub(super) const SUPPRESS_GROUP: u16 = 13;
    pub(super) const SUPPRESS_LENGTH: u16 = 14;
    pub(super) const MASK: u16 = 16;
    pub(super) const PADDING: u16 = 18;
    pub(super) const RULE_PROTOCOL: u16 = 21;
}

impl<T> Listed<T> {
    /// Whether we made it.
    pub fn is_own(&self) -> bool {
        self.protocol == PROTOCOL
    }
}

impl PolicyRule {
    /// Adds the rule.
    pub fn adding(self) -> Message {
        self.message(NEW_RULE, flag::CREATE | flag::EXCLUSIVE, PROTOCOL, None)
    }

    /// The rule as the kernel has it when we made it, wherever it stands.
    pub fn own(self) -> Listed<Self> {
        Listed {
            item: self,
            protocol: PROTOCOL,
            priority: None,
        }
    }

    /// Asks for all rules of all families.
    pub fn list() -> Message {
        // Without a family, those of all are listed.
        question(GET_RULE, 0, "the policy rules")
    }

    /// Reads one of the rules listed; `None` when it has other conditions than a mark or another action than a table.
    pub fn read(payload: &[u8]) -> Option<Listed<Self>> {
        let fixed = payload.get(..FIXED_LENGTH)?;
        let asks_only_attributes = fixed[1..4] == [0; 3] && fixed[8..12] == [0; 4];
        (asks_only_attributes && fixed[7] == TO_TABLE).then_some(())?;
        let attributes = Reader(payload.get(FIXED_LENGTH..)?);
        let is_plain = attributes.iter().all(|(kind, value)| match kind {
            attribute::PRIORITY
            | attribute::MARK
            | attribute::TABLE
            | attribute::RULE_PROTOCOL
            | attribute::PADDING => true,
            attribute::MASK | attribute::SUPPRESS_LENGTH | attribute::SUPPRESS_GROUP => {
                value.iter().all(|byte| *byte == u8::MAX)
            }
            _ => false,
        });
        is_plain.then_some(())?;
        let protocol = attributes.value(attribute::RULE_PROTOCOL);
        Some(Listed {
            item: Self {
                family: family(payload)?,
                mark: attributes.host_number(attribute::MARK)?,
                table: attributes.host_number(attribute::TABLE)?,
            },
            protocol: protocol.and_then(|bytes| bytes.first().copied())?,
            // The kernel leaves out priority 0.
            priority: Some(attributes.host_number(attribute::PRIORITY).unwrap_or(0)),
        })
    }

    fn message(self, kind: u16, flags: u16, protocol: u8, priority: Option<u32>) -> Message {
        let mut fixed = [0; FIXED_LENGTH];
        fixed[0] = number(self.family);
        fixed[4] = TABLE_IN_ATTRIBUTE;
        fixed[7] = TO_TABLE;
        let mut attributes = Attributes::new()
            .host_number(attribute::MARK, self.mark)
            .host_number(attribute::MASK, u32::MAX)
            .host_number(attribute::TABLE, self.table)
            .bytes(attribute::RULE_PROTOCOL, &[protocol]);
        if let Some(priority) = priority {
            attributes = attributes.host_number(attribute::PRIORITY, priority);
        }
        let label = format!("the policy rule for mark {}", self.mark);
        Message::new(kind, flags | flag::ACK, &fixed, &attributes, label)
            .needing(vec![need(self.family)])
    }
}

impl Listed<PolicyRule> {
    /// Removes the rule, and no other that is like it.
    pub fn removing(&self) -> Message {
        self.item
            .message(DELETE_RULE, 0, self.protocol, self.priority)
    }
}

impl LocalRoute {
    /// Adds the route, and replaces any equal one.
    pub fn adding(self) -> Message {
        self.message(NEW_ROUTE, flag::CREATE | flag::REPLACE, PROTOCOL)
    }

    /// The route as the kernel has it when we made it.
    pub fn own(self) -> Listed<Self> {
        Listed {
            item: self,
            protocol: PROTOCOL,
            priority: None,
        }
    }

    /// Asks for all routes of a family; for all families at once the kernel would keep others waiting.
    pub fn list(family: Family) -> Message {
        question(GET_ROUTE, number(family), "the routes")
    }

    /// Reads one of the routes listed; `None` when it is not for every address or leads elsewhere.
    pub fn read(payload: &[u8]) -> Option<Listed<Self>> {
        let fixed = payload.get(..FIXED_LENGTH)?;
        let attributes = Reader(payload.get(FIXED_LENGTH..)?);
        let is_local = fixed[1..4] == [0; 3]
            && fixed[7] == LOCAL
            && attributes.host_number(attribute::ROUTE_INTERFACE) == Some(LOOPBACK);
        let has_other = [attribute::ROUTE_GATEWAY, attribute::ROUTE_PATHS]
            .iter()
            .any(|kind| attributes.value(*kind).is_some());
        (is_local && !has_other).then_some(())?;
        Some(Listed {
            item: Self {
                family: family(payload)?,
                table: attributes.host_number(attribute::TABLE)?,
            },
            protocol: fixed[5],
            priority: None,
        })
    }

    fn message(self, kind: u16, flags: u16, protocol: u8) -> Message {
        const HOST_SCOPE: u8 = 254;
        let mut fixed = [0; FIXED_LENGTH];
        fixed[0] = number(self.family);
        fixed[4] = TABLE_IN_ATTRIBUTE;
        fixed[5] = protocol;
        fixed[6] = HOST_SCOPE;
        fixed[7] = LOCAL;
        let attributes = Attributes::new()
            .host_number(attribute::ROUTE_INTERFACE, LOOPBACK)
            .host_number(attribute::TABLE, self.table);
        let label = format!("the local route of table {}", self.table);
        Message::new(kind, flags | flag::ACK, &fixed, &attributes, label)
            .needing(vec![need(self.family)])
    }
}

impl Listed<LocalRoute> {
    /// Removes the route.
    pub fn removing(&self) -> Message {
        self.item.message(DELETE_ROUTE, 0, self.protocol)
    }
}

fn question(kind: u16, family: u8, label: &'static str) -> Message {
    let mut fixed = [0; FIXED_LENGTH];
    fixed[0] = family;
    Message::new(kind, flag::DUMP, &fixed, &Attributes::new(), label)
}

/// What a kernel has been built with that looks into other tables than its own.
fn need(family: Family) -> Need {
    Need::Option(match family {
        Family::Ipv4 => "CONFIG_IP_MULTIPLE_TABLES",
        Family::Ipv6 => "CONFIG_IPV6_MULTIPLE_TABLES",
    })
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

#[cfg(test)]
mod tests;
