//! Tables, chains and rules of other programs: those that istio-init left behind are found and removed.
//!
//! Whatever jumps to a chain of istio-init, and those chains, are removed; every other rule and chain stays.

use std::collections::BTreeSet;

use crate::netlink::message::{Attributes, Message, Reader, flag};
use crate::netlink::nftables::{
    DELETE_CHAIN, DELETE_RULE, DELETE_TABLE, GET_CHAIN, GET_GENERATION, GET_RULE, GET_TABLE,
    NEW_CHAIN, NEW_GENERATION, NEW_RULE, NEW_TABLE, generic,
};
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::Socket;
use crate::rules::{Family, TABLE, TableFamily};

/// The tables that istio-init has to itself with nftables.
const OWN_TABLES: [&str; 3] = ["istio-proxy-nat", "istio-proxy-mangle", "istio-proxy-raw"];

/// The tables it shares with others through iptables.
const SHARED_TABLES: [&str; 4] = ["nat", "mangle", "raw", "filter"];

/// What the chains of istio-init, and ours where iptables loads them, are called in shared tables.
const CHAIN_PREFIXES: [&str; 2] = ["ISTIO_", "EGRET_"];

/// `NFPROTO_INET`.
const INET: u8 = 1;

/// What others left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StaleRules {
    /// Messages that remove it, to be part of a transaction.
    pub messages: Vec<Message>,
    /// What it is, for people.
    pub names: Vec<String>,
    /// The generation of the rules in which it was found.
    pub generation: u32,
    /// The families in which there is a table of ours.
    pub own_tables: Vec<TableFamily>,
}

/// Looks for what istio-init left behind in nf_tables: in the tables it had to itself, and in those of these families that
/// iptables made, where ours are stale too.
///
/// # Errors
/// When the kernel does not list its rules.
pub fn stale_rules(kernel: &mut Socket, families: &[Family]) -> Result<StaleRules, Refusal> {
    let shared: Vec<u8> = families.iter().copied().map(number).collect();
    let mut stale = StaleRules {
        generation: generation(kernel)?,
        ..StaleRules::default()
    };
    for (family, name) in tables(kernel)? {
        let own = TableFamily::ALL
            .into_iter()
            .find(|own| generic(*own)[0] == family && name == TABLE);
        if let Some(own) = own {
            stale.own_tables.push(own);
        } else if family == INET && OWN_TABLES.contains(&name.as_str()) {
            stale.add(
                DELETE_TABLE,
                family,
                &Attributes::new().text(1, &name),
                "table",
            );
            stale.names.push(format!("table inet {name}"));
        } else if shared.contains(&family) && SHARED_TABLES.contains(&name.as_str()) {
            stale.shared(kernel, family, &name)?;
        }
    }
    Ok(stale)
}

impl StaleRules {
    /// Looks into a table that iptables made.
    fn shared(&mut self, kernel: &mut Socket, family: u8, table: &str) -> Result<(), Refusal> {
        let chains: BTreeSet<String> = chains(kernel, family, table)?
            .into_iter()
            .filter(|chain| is_stale(chain))
            .collect();
        if chains.is_empty() {
            return Ok(());
        }
        for rule in rules(kernel, family, table)? {
            if !is_stale(&rule.chain) && rule.targets.iter().any(|target| is_stale(target)) {
                let attributes = Attributes::new()
                    .text(1, table)
                    .text(2, &rule.chain)
                    .bytes(3, &rule.handle);
                self.add(DELETE_RULE, family, &attributes, "rule");
            }
        }
        // They jump to each other, so all are emptied before the first is removed.
        for chain in &chains {
            let attributes = Attributes::new().text(1, table).text(2, chain);
            self.add(DELETE_RULE, family, &attributes, "rules");
        }
        for chain in chains {
            let attributes = Attributes::new().text(1, table).text(3, &chain);
            self.add(DELETE_CHAIN, family, &attributes, "chain");
            self.names.push(format!("chain {chain} of table {table}"));
        }
        Ok(())
    }

    fn add(&mut self, kind: u16, family: u8, attributes: &Attributes, kind_name: &str) {
        let label = format!("a {kind_name} that istio-init left behind");
        let fixed = [family, 0, 0, 0];
        self.messages
            .push(Message::new(kind, 0, &fixed, attributes, label));
    }
}

/// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
fn number(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

fn is_stale(chain: &str) -> bool {
    CHAIN_PREFIXES
        .iter()
        .any(|prefix| chain.starts_with(prefix))
}

/// The number of changes that there were so far.
fn generation(kernel: &mut Socket) -> Result<u32, Refusal> {
    let label = "the generation of the rules";
    let question = Message::new(GET_GENERATION, 0, &[0; 4], &Attributes::new(), label);
    let answers = kernel.list(&question.acknowledged())?;
    let mut numbers = answers
        .iter()
        .filter_map(|(kind, payload)| read(*kind, NEW_GENERATION, payload)?.1.number(1));
    numbers
        .next()
        .ok_or_else(|| Refusal::Unanswered(label.to_owned()))
}

/// The family and name of every table.
fn tables(kernel: &mut Socket) -> Result<Vec<(u8, String)>, Refusal> {
    let question = question(GET_TABLE, 0, &Attributes::new(), "the tables");
    let tables = kernel.list(&question)?;
    let tables = tables.iter().filter_map(|(kind, payload)| {
        let (family, attributes) = read(*kind, NEW_TABLE, payload)?;
        Some((family, attributes.text(1)?.to_owned()))
    });
    Ok(tables.collect())
}

/// The names of a table's chains.
fn chains(kernel: &mut Socket, family: u8, table: &str) -> Result<Vec<String>, Refusal> {
    // The kernel lists the chains of all tables of the family.
    let question = question(GET_CHAIN, family, &Attributes::new(), "the chains");
    let chains = kernel.list(&question)?;
    let chains = chains.iter().filter_map(|(kind, payload)| {
        let (_, attributes) = read(*kind, NEW_CHAIN, payload)?;
        (attributes.text(1)? == table).then(|| attributes.text(3).map(str::to_owned))?
    });
    Ok(chains.collect())
}

/// The parts of a rule that show whether istio-init left it behind.
struct ForeignRule {
    chain: String,
    handle: Vec<u8>,
    /// The chains it jumps or goes to.
    targets: Vec<String>,
}

fn rules(kernel: &mut Socket, family: u8, table: &str) -> Result<Vec<ForeignRule>, Refusal> {
    let attributes = Attributes::new().text(1, table);
    let question = question(GET_RULE, family, &attributes, "the rules");
    let rules = kernel.list(&question)?;
    let rules = rules.iter().filter_map(|(kind, payload)| {
        let (_, attributes) = read(*kind, NEW_RULE, payload)?;
        (attributes.text(1)? == table).then_some(())?;
        let expressions = attributes.nested(4)?.iter();
        let targets = expressions.filter_map(|(_, expression)| target(Reader(expression)));
        Some(ForeignRule {
            chain: attributes.text(2)?.to_owned(),
            handle: attributes.value(3)?.to_vec(),
            targets: targets.collect(),
        })
    });
    Ok(rules.collect())
}

/// The chain that an expression jumps or goes to: the verdict in the data of an `immediate`.
fn target(expression: Reader<'_>) -> Option<String> {
    (expression.text(1)? == "immediate").then_some(())?;
    let verdict = expression.nested(2)?.nested(2)?.nested(2)?;
    verdict.text(2).map(str::to_owned)
}

fn question(kind: u16, family: u8, attributes: &Attributes, label: &'static str) -> Message {
    Message::new(kind, flag::DUMP, &[family, 0, 0, 0], attributes, label)
}

/// The family and attributes of an answer of the expected type.
fn read(kind: u16, expected: u16, payload: &[u8]) -> Option<(u8, Reader<'_>)> {
    (kind == expected).then_some(())?;
    Some((*payload.first()?, Reader(payload.get(4..)?)))
}
