//! Our table in the kernel, compared with the expected rules.
//!
//! Counters and defaults that the kernel adds are ignored, and so are comments.

use std::collections::BTreeSet;

use crate::netlink::expression::expressions;
use crate::netlink::message::{Attributes, Message, Reader, flag};
use crate::netlink::nftables::{
    GET_CHAIN, GET_ELEMENTS, GET_RULE, GET_TABLE, NEW_CHAIN, NEW_ELEMENTS, NEW_RULE, NEW_TABLE,
    elements, generic, hook,
};
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::Socket;
use crate::rules::{Chain, Rule, RuleSet, Set, TABLE, TableFamily};

/// What differs, one line each; nothing when the kernel has what is expected.
///
/// # Errors
/// When the kernel does not list its rules.
pub fn differences(kernel: &mut Socket, expected: &RuleSet) -> Result<Vec<String>, Refusal> {
    let mut differences = Vec::new();
    let family = expected.family;
    let mut listing = |kind, answer, label| listing(kernel, family, kind, answer, label);
    let Some(table) = listing(GET_TABLE, NEW_TABLE, "the tables")?.pop() else {
        return Ok(vec![format!("there is no table {family} {TABLE}")]);
    };
    if Reader(&table).number(2) != Some(0) {
        differences.push(format!("table {family} {TABLE} is switched off"));
    }
    let chains = listing(GET_CHAIN, NEW_CHAIN, "the chains")?;
    let rules = listing(GET_RULE, NEW_RULE, "the rules")?;
    for chain in &expected.chains {
        let name = chain.name.to_string();
        let installed = chains
            .iter()
            .find(|installed| Reader(installed).text(3) == Some(&name));
        let Some(installed) = installed else {
            differences.push(format!("chain {name} is missing"));
            continue;
        };
        compare_chain(chain, Reader(installed), &mut differences);
        let rules = rules.iter().map(|rule| Reader(rule));
        let rules = rules.filter(|rule| rule.text(2) == Some(&name)).collect();
        compare_rules(chain, family, &rules, &mut differences);
    }
    for installed in &chains {
        let name = Reader(installed).text(3).unwrap_or_default();
        if expected
            .chains
            .iter()
            .all(|chain| chain.name.to_string() != name)
        {
            differences.push(format!("chain {name} is not expected"));
        }
    }
    for set in &expected.sets {
        compare_set(kernel, family, set, &mut differences)?;
    }
    Ok(differences)
}

fn compare_chain(chain: &Chain, installed: Reader<'_>, differences: &mut Vec<String>) {
    let name = chain.name;
    let hook = hook(name);
    if !contains(installed, hook.reader())
        || installed.value(HOOK).is_some() != name.hook().is_some()
    {
        differences.push(format!("chain {name} is entered elsewhere"));
    }
    if installed
        .number(POLICY)
        .is_some_and(|policy| policy != ACCEPT)
    {
        differences.push(format!("chain {name} drops what no rule matches"));
    }
}

/// Attributes of a chain, and the policy that lets through what no rule decides.
const HOOK: u16 = 4;
const POLICY: u16 = 5;
const ACCEPT: u32 = 1;

fn compare_rules(
    chain: &Chain,
    family: TableFamily,
    installed: &Vec<Reader<'_>>,
    differences: &mut Vec<String>,
) {
    let name = chain.name;
    for (number, (rule, installed)) in (1..).zip(chain.rules.iter().zip(installed)) {
        if !same_rule(rule, family, *installed) {
            let reason = rule.reason;
            differences.push(format!(
                "rule {number} of chain {name} differs from the one for: {reason}"
            ));
        }
    }
    let (expected, installed) = (chain.rules.len(), installed.len());
    if expected != installed {
        differences.push(format!(
            "chain {name} has {installed} rules instead of {expected}"
        ));
    }
}

fn same_rule(rule: &Rule, family: TableFamily, installed: Reader<'_>) -> bool {
    let expected = expressions(rule, family);
    let Some(installed) = installed.nested(4) else {
        return false;
    };
    let (expected, installed): (Vec<_>, Vec<_>) = (
        expected.reader().iter().collect(),
        installed.iter().collect(),
    );
    expected.len() == installed.len()
        && expected
            .iter()
            .zip(installed)
            .all(|((_, expected), (_, installed))| {
                same_expression(Reader(expected), Reader(installed))
            })
}

/// Whether two expressions do the same. A value that the kernel adds is a default when it is zero.
fn same_expression(expected: Reader<'_>, installed: Reader<'_>) -> bool {
    let name = expected.text(1);
    let (Some(expected), Some(data), true) = (
        expected.nested(2),
        installed.nested(2),
        name == installed.text(1),
    ) else {
        return false;
    };
    let is_default = |kind: u16, value: &[u8]| match name {
        Some("counter") => true,
        // A redirect to one port is listed as one to a range of it.
        Some("redir") if kind == LAST_PORT => expected.value(FIRST_PORT) == Some(value),
        _ => value.iter().all(|byte| *byte == 0),
    };
    let has_no_more = data
        .iter()
        .all(|(kind, value)| expected.value(kind).is_some() || is_default(kind, value));
    contains(data, expected) && has_no_more
}

/// The registers of a redirect's ports.
const FIRST_PORT: u16 = 1;
const LAST_PORT: u16 = 2;

/// Whether all that is expected is there with the same value, whatever else the kernel lists.
fn contains(installed: Reader<'_>, expected: Reader<'_>) -> bool {
    expected.marked().all(|(kind, is_nested, expected)| {
        installed.value(kind).is_some_and(|installed| {
            if is_nested {
                same(Reader(expected), Reader(installed))
            } else {
                expected == installed
            }
        })
    })
}

/// Whether both have the same attributes.
fn same(expected: Reader<'_>, installed: Reader<'_>) -> bool {
    contains(installed, expected)
        && installed
            .iter()
            .all(|(kind, _)| expected.value(kind).is_some())
}

fn compare_set(
    kernel: &mut Socket,
    family: TableFamily,
    set: &Set,
    differences: &mut Vec<String>,
) -> Result<(), Refusal> {
    let name = set.name.to_string();
    let attributes = Attributes::new().text(1, TABLE).text(2, &name);
    let question = Message::new(
        GET_ELEMENTS,
        flag::DUMP,
        &generic(family),
        &attributes,
        "a set",
    );
    let answers = match kernel.list(&question) {
        Err(refusal) if refusal.is_lack() => {
            differences.push(format!("set {name} is missing"));
            return Ok(());
        }
        answers => answers?,
    };
    let mut installed = BTreeSet::new();
    for (kind, payload) in &answers {
        let list = payload
            .get(4..)
            .and_then(|attributes| Reader(attributes).nested(3));
        if *kind == NEW_ELEMENTS
            && let Some(list) = list
        {
            installed.extend(list.iter().filter_map(|(_, element)| edge(Reader(element))));
        }
    }
    let expected = elements(&set.elements);
    let expected: BTreeSet<_> = expected
        .iter()
        .filter_map(|element| edge(element.reader()))
        .collect();
    if expected != installed {
        differences.push(format!("set {name} has other elements"));
    }
    Ok(())
}

/// Where a range begins or has ended. The end before the first range, which nft adds, is ignored.
fn edge(element: Reader<'_>) -> Option<(Vec<u8>, bool)> {
    let key = element.nested(1)?.value(1)?.to_vec();
    let is_end = element.number(3).is_some_and(|flags| flags & 1 != 0);
    (!is_end || key.iter().any(|byte| *byte != 0)).then_some((key, is_end))
}

/// The attributes of each object of our table.
fn listing(
    kernel: &mut Socket,
    family: TableFamily,
    kind: u16,
    answer: u16,
    label: &'static str,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let attributes = Attributes::new().text(1, TABLE);
    let question = Message::new(kind, flag::DUMP, &generic(family), &attributes, label);
    let objects = kernel.list(&question)?;
    let objects = objects.into_iter().filter_map(|(kind, payload)| {
        let attributes = payload.get(4..)?.to_vec();
        (kind == answer && Reader(&attributes).text(1) == Some(TABLE)).then_some(attributes)
    });
    Ok(objects.collect())
}
