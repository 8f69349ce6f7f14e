//! Our table as the kernel has it, compared with the rules that are wanted.
//!
//! What the kernel adds on its own, which is counts and defaults, makes no difference; comments make none either.

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

/// What differs, one line each; nothing when the kernel has what is wanted.
///
/// # Errors
/// When the kernel does not list its rules.
pub fn differences(kernel: &mut Socket, wanted: &RuleSet) -> Result<Vec<String>, Refusal> {
    let mut differences = Vec::new();
    let family = wanted.family;
    let mut listing = |kind, answer, label| listing(kernel, family, kind, answer, label);
    let Some(table) = listing(GET_TABLE, NEW_TABLE, "the tables")?.pop() else {
        return Ok(vec![format!("there is no table {family} {TABLE}")]);
    };
    if Reader(&table).number(2) != Some(0) {
        differences.push(format!("table {family} {TABLE} is switched off"));
    }
    let chains = listing(GET_CHAIN, NEW_CHAIN, "the chains")?;
    let rules = listing(GET_RULE, NEW_RULE, "the rules")?;
    for chain in &wanted.chains {
        let name = chain.name.to_string();
        let found = chains
            .iter()
            .find(|found| Reader(found).text(3) == Some(&name));
        let Some(found) = found else {
            differences.push(format!("chain {name} is missing"));
            continue;
        };
        compare_chain(chain, Reader(found), &mut differences);
        let rules = rules.iter().map(|rule| Reader(rule));
        let rules = rules.filter(|rule| rule.text(2) == Some(&name)).collect();
        compare_rules(chain, family, &rules, &mut differences);
    }
    for found in &chains {
        let name = Reader(found).text(3).unwrap_or_default();
        if wanted
            .chains
            .iter()
            .all(|chain| chain.name.to_string() != name)
        {
            differences.push(format!("chain {name} is not expected"));
        }
    }
    for set in &wanted.sets {
        compare_set(kernel, family, set, &mut differences)?;
    }
    Ok(differences)
}

fn compare_chain(chain: &Chain, found: Reader<'_>, differences: &mut Vec<String>) {
    let name = chain.name;
    let hook = hook(name);
    if !contains(found, hook.reader()) || found.value(HOOK).is_some() != name.hook().is_some() {
        differences.push(format!("chain {name} is entered elsewhere"));
    }
    if found.number(POLICY).is_some_and(|policy| policy != ACCEPT) {
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
    found: &Vec<Reader<'_>>,
    differences: &mut Vec<String>,
) {
    let name = chain.name;
    for (place, (rule, found)) in (1..).zip(chain.rules.iter().zip(found)) {
        if !same_rule(rule, family, *found) {
            let reason = rule.reason;
            differences.push(format!(
                "rule {place} of chain {name} differs from the one for: {reason}"
            ));
        }
    }
    let (wanted, found) = (chain.rules.len(), found.len());
    if wanted != found {
        differences.push(format!(
            "chain {name} has {found} rules instead of {wanted}"
        ));
    }
}

fn same_rule(rule: &Rule, family: TableFamily, found: Reader<'_>) -> bool {
    let wanted = expressions(rule, family);
    let Some(found) = found.nested(4) else {
        return false;
    };
    let (wanted, found): (Vec<_>, Vec<_>) =
        (wanted.reader().iter().collect(), found.iter().collect());
    wanted.len() == found.len()
        && wanted
            .iter()
            .zip(found)
            .all(|((_, wanted), (_, found))| same_expression(Reader(wanted), Reader(found)))
}

/// Whether two expressions do the same. What the kernel tells beyond what was asked for is a default when it is zero.
fn same_expression(wanted: Reader<'_>, found: Reader<'_>) -> bool {
    let name = wanted.text(1);
    let (Some(wanted), Some(data), true) =
        (wanted.nested(2), found.nested(2), name == found.text(1))
    else {
        return false;
    };
    let is_default = |kind: u16, value: &[u8]| match name {
        Some("counter") => true,
        // A redirect to one port is told as one to a range of it.
        Some("redir") if kind == LAST_PORT => wanted.value(FIRST_PORT) == Some(value),
        _ => value.iter().all(|byte| *byte == 0),
    };
    let has_no_more = data
        .iter()
        .all(|(kind, value)| wanted.value(kind).is_some() || is_default(kind, value));
    contains(data, wanted) && has_no_more
}

/// The registers of a redirect's ports.
const FIRST_PORT: u16 = 1;
const LAST_PORT: u16 = 2;

/// Whether all that is wanted is there with the same value, whatever else the kernel tells.
fn contains(found: Reader<'_>, wanted: Reader<'_>) -> bool {
    wanted.marked().all(|(kind, is_nested, wanted)| {
        found.value(kind).is_some_and(|found| {
            if is_nested {
                same(Reader(wanted), Reader(found))
            } else {
                wanted == found
            }
        })
    })
}

/// Whether both hold the same.
fn same(wanted: Reader<'_>, found: Reader<'_>) -> bool {
    contains(found, wanted) && found.iter().all(|(kind, _)| wanted.value(kind).is_some())
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
    let mut found = BTreeSet::new();
    for (kind, payload) in &answers {
        let list = payload
            .get(4..)
            .and_then(|attributes| Reader(attributes).nested(3));
        if *kind == NEW_ELEMENTS
            && let Some(list) = list
        {
            found.extend(list.iter().filter_map(|(_, element)| edge(Reader(element))));
        }
    }
    let wanted = elements(&set.elements);
    let wanted: BTreeSet<_> = wanted
        .iter()
        .filter_map(|element| edge(element.reader()))
        .collect();
    if wanted != found {
        differences.push(format!("set {name} has other elements"));
    }
    Ok(())
}

/// Where a range begins or has ended. The end before the first range, which nft adds, says nothing.
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
    let found = kernel.list(&question)?;
    let found = found.into_iter().filter_map(|(kind, payload)| {
        let attributes = payload.get(4..)?.to_vec();
        (kind == answer && Reader(&attributes).text(1) == Some(TABLE)).then_some(attributes)
    });
    Ok(found.collect())
}
