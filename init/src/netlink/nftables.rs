//! A [`RuleSet`] as the messages of one nf_tables transaction.

use crate::netlink::expression::{expressions, modules};
use crate::netlink::message::{Attributes, Label, Message, Need, flag};
use crate::rules::{
    Chain, ChainKind, ChainName, Elements, HookPoint, Rule, RuleSet, Set, TABLE, TableFamily,
};

/// Messages that make our table with these rules. An old one is gone in the same instant, and so is what the messages
/// `removals` remove.
pub fn replace(rules: &RuleSet, old: Old, removals: Vec<Message>) -> Vec<Message> {
    let mut transaction = Transaction::begin(removals);
    match old {
        // A process that deletes anything waits, on closing the socket, until no processor uses it any more.
        Old::None => transaction.table(NEW_TABLE, flag::CREATE | flag::EXCLUSIVE, rules.family),
        Old::Any => {
            transaction.delete();
            transaction.table(NEW_TABLE, flag::CREATE, rules.family);
        }
    }
    for (id, set) in (1..).zip(&rules.sets) {
        transaction.set(id, set);
    }
    for chain in &rules.chains {
        transaction.chain(chain.name);
        for (number, rule) in (1..).zip(&chain.rules) {
            transaction.rule(chain, number, rule);
        }
    }
    transaction.end()
}

/// The same transaction, which the kernel refuses with `ERESTART` when its rules are of another generation by then: when
/// any has changed since they were read.
pub fn unless_changed(mut transaction: Vec<Message>, generation: u32) -> Vec<Message> {
    if let Some(begin) = transaction.first_mut() {
        let attributes = Attributes::new().number(1, generation);
        *begin = batch_edge(BATCH_BEGIN, &attributes);
    }
    transaction
}

/// What is known of an earlier table of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// There is none; the kernel refuses if there is one after all.
    None,
    /// There may be one.
    Any,
}

/// Messages that remove our table, if there is one, and what the messages `removals` remove.
pub fn remove(removals: Vec<Message>) -> Vec<Message> {
    let mut transaction = Transaction::begin(removals);
    transaction.delete();
    transaction.end()
}

const SUBSYSTEM: u16 = 10;
pub(super) const NEW_TABLE: u16 = SUBSYSTEM << 8;
pub(super) const GET_TABLE: u16 = SUBSYSTEM << 8 | 1;
pub(super) const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
pub(super) const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
pub(super) const GET_CHAIN: u16 = SUBSYSTEM << 8 | 4;
pub(super) const DELETE_CHAIN: u16 = SUBSYSTEM << 8 | 5;
pub(super) const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
pub(super) const GET_RULE: u16 = SUBSYSTEM << 8 | 7;
pub(super) const DELETE_RULE: u16 = SUBSYSTEM << 8 | 8;
pub(super) const NEW_SET: u16 = SUBSYSTEM << 8 | 9;
pub(super) const NEW_ELEMENTS: u16 = SUBSYSTEM << 8 | 12;
pub(super) const GET_ELEMENTS: u16 = SUBSYSTEM << 8 | 13;
pub(super) const NEW_GENERATION: u16 = SUBSYSTEM << 8 | 15;
pub(super) const GET_GENERATION: u16 = SUBSYSTEM << 8 | 16;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

/// `struct nfgenmsg` of a table's family, version 0.
pub(super) fn generic(family: TableFamily) -> [u8; 4] {
    let number = match family {
        TableFamily::Inet => 1,
        TableFamily::Ip => 2,
    };
    [number, 0, 0, 0]
}

/// An attribute's length is a 16-bit number, so large sets travel in several messages.
const ELEMENTS_MAX: usize = 1000;

struct Transaction {
    messages: Vec<Message>,
    /// The family of the table that sets, chains and rules go to.
    family: TableFamily,
}

impl Transaction {
    fn begin(removals: Vec<Message>) -> Self {
        let mut messages = vec![batch_edge(BATCH_BEGIN, &Attributes::new())];
        messages.extend(removals);
        Self {
            messages,
            family: TableFamily::default(),
        }
    }

    /// Deletes our tables. Creating them first makes that succeed on a machine without them.
    fn delete(&mut self) {
        for family in TableFamily::ALL {
            self.table(NEW_TABLE, flag::CREATE, family);
            self.table(DELETE_TABLE, 0, family);
        }
    }

    /// The kernel answers in order, and acknowledges no message before it has read all. So its answer to
    /// the last one is enough, unless it has reported an error before.
    fn end(mut self) -> Vec<Message> {
        let last = self.messages.pop();
        self.messages.extend(last.map(Message::acknowledged));
        self.messages
            .push(batch_edge(BATCH_END, &Attributes::new()));
        self.messages
    }

    fn add(&mut self, kind: u16, flags: u16, attributes: &Attributes, label: impl Into<Label>) {
        self.messages.push(Message::new(
            kind,
            flags,
            &generic(self.family),
            attributes,
            label,
        ));
    }

    /// Notes the kernel modules that the latest message needs.
    fn needing(&mut self, modules: Vec<&'static str>) {
        if let Some(message) = self.messages.pop() {
            let needs = modules.into_iter().map(Need::Module);
            self.messages.push(message.needing(needs.collect()));
        }
    }

    fn table(&mut self, kind: u16, flags: u16, family: TableFamily) {
        self.family = family;
        let attributes = Attributes::new().text(1, TABLE);
        self.add(kind, flags, &attributes, format!("table {TABLE}"));
    }

    fn set(&mut self, id: u32, set: &Set) {
        // nft's numbers for the data types; the kernel only keeps them for listings.
        let (kind, length) = match &set.elements {
            Elements::Ipv4(_) => (7, 4),
            Elements::Ipv6(_) => (8, 16),
            Elements::Ports(_) => (13, 2),
        };
        let name = set.name.to_string();
        let attributes = Attributes::new()
            .text(1, TABLE)
            .text(2, &name)
            .number(3, INTERVAL)
            .number(4, kind)
            .number(5, length)
            .number(10, id);
        self.add(NEW_SET, flag::CREATE, &attributes, format!("set {name}"));
        for elements in elements(&set.elements).chunks(ELEMENTS_MAX) {
            let list = elements
                .iter()
                .fold(Attributes::new(), |list, element| list.nested(1, element));
            let attributes = Attributes::new()
                .text(1, TABLE)
                .text(2, &name)
                .nested(3, &list);
            self.add(
                NEW_ELEMENTS,
                flag::CREATE,
                &attributes,
                format!("elements of set {name}"),
            );
        }
    }

    fn chain(&mut self, name: ChainName) {
        let attributes = Attributes::new().text(1, TABLE).text(3, name.name());
        let attributes = attributes.and(&hook(name));
        let label = Label::Chain(name);
        self.add(NEW_CHAIN, flag::CREATE, &attributes, label);
        if name.hook().is_some_and(|hook| hook.kind == ChainKind::Nat) {
            self.needing(vec!["nft_chain_nat"]);
        }
    }

    fn rule(&mut self, chain: &Chain, number: usize, rule: &Rule) {
        let expressions = expressions(rule, self.family);
        let attributes = Attributes::with_room(expressions.reader().0.len() + RULE_LENGTH)
            .text(1, TABLE)
            .text(2, chain.name.name())
            .nested(4, &expressions)
            .bytes(7, &comment(rule.reason.text()));
        let label = Label::Rule {
            chain: chain.name,
            number,
            reason: rule.reason,
        };
        self.add(NEW_RULE, flag::CREATE | flag::APPEND, &attributes, label);
        self.needing(modules(rule, self.family));
    }
}

/// Room for what a rule has beside its expressions.
const RULE_LENGTH: usize = 160;

/// The attributes of the hook at which the kernel enters a chain.
pub(super) fn hook(name: ChainName) -> Attributes {
    let Some(hook) = name.hook() else {
        return Attributes::new();
    };
    let point = match hook.point {
        HookPoint::Prerouting => 0,
        HookPoint::Input => 1,
        HookPoint::Forward => 2,
        HookPoint::Output => 3,
    };
    let kind = match hook.kind {
        ChainKind::Nat => "nat",
        ChainKind::Filter => "filter",
        ChainKind::Route => "route",
    };
    let point = Attributes::new()
        .number(1, point)
        .bytes(2, &hook.priority.to_be_bytes());
    Attributes::new().nested(4, &point).text(7, kind)
}

/// A set of ranges.
const INTERVAL: u32 = 4;

fn batch_edge(kind: u16, attributes: &Attributes) -> Message {
    // Here the family is unspecified, and the last two bytes name the subsystem in network order.
    let [high, low] = SUBSYSTEM.to_be_bytes();
    let fixed = [0, 0, high, low];
    Message::new(kind, 0, &fixed, attributes, "the transaction")
}

/// The user data in which nft keeps a rule's comment: type 0, length, text with its final NUL.
pub(super) fn comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).expect("comments are short");
    let mut bytes = Vec::with_capacity(text.len() + 3);
    bytes.extend([0, length]);
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

/// Each range as two elements: where it begins, and where it has ended. A range up to the last value never ends.
pub(super) fn elements(elements: &Elements) -> Vec<Attributes> {
    let mut list = Vec::new();
    let mut add = |first: &[u8], after: Option<&[u8]>| {
        list.push(element(first));
        list.extend(after.map(|after| element(after).number(3, INTERVAL_END)));
    };
    match elements {
        Elements::Ipv4(ranges) => ranges.iter().for_each(|range| {
            let after = range
                .broadcast()
                .to_bits()
                .checked_add(1)
                .map(u32::to_be_bytes);
            add(
                &range.network().octets(),
                after.as_ref().map(|after| &after[..]),
            );
        }),
        Elements::Ipv6(ranges) => ranges.iter().for_each(|range| {
            let after = range
                .broadcast()
                .to_bits()
                .checked_add(1)
                .map(u128::to_be_bytes);
            add(
                &range.network().octets(),
                after.as_ref().map(|after| &after[..]),
            );
        }),
        Elements::Ports(ports) => ports.iter().for_each(|ports| {
            let after = ports.end().checked_add(1).map(u16::to_be_bytes);
            add(
                &ports.start().to_be_bytes(),
                after.as_ref().map(|after| &after[..]),
            );
        }),
    }
    list
}

const INTERVAL_END: u32 = 1;

fn element(key: &[u8]) -> Attributes {
    Attributes::new().nested(1, &Attributes::new().bytes(1, key))
}

#[cfg(test)]
mod tests;
