//! Our table as the kernel has it, compared with the rules that are wanted.
//!
//! What the kernel adds on its own, such as counts and defaults, makes no difference; comments make none either.

use std::collections::BTreeSet;

use crate::netlink::expression::expressions;
use crate::netlink::message::{Attributes, Message, Reader, flag};
use crate::netlink::nftables::{
    GENERIC, GET_CHAIN, GET_ELEMENTS, GET_RULE, NEW_CHAIN, NEW_ELEMENTS, NEW_RULE, elements, hook,
};
use crate::netlink::socket::{Refusal, Subsystem, list};
use crate::rules::{Chain, Rule, RuleSet, Set, TABLE};

/// What differs, one line each; nothing when the kernel has what is wanted.
///
/// # Errors
/// When the kernel does not list its rules.
pub fn differences(wanted: &RuleSet) -> Result<Vec<String>, Refusal> {
    let mut differences = Vec::new();
    let chains = listing(GET_CHAIN, NEW_CHAIN, "the chains")?;
    let rules = listing(GET_RULE, NEW_RULE, "the rules")?;
    if chains.is_empty() {
        return Ok(vec![format!("there is no table inet {TABLE}")]);
    }
    for chain in &wanted.chains {
        let name = chain.name.to_string();
        match chains
            .iter()
            .find(|found| Reader(found).text(3) == Some(&name))
        {
            None => differences.push(format!("chain {name} is missing")),
            Some(found) if !contains(Reader(found), hook(chain.name).reader()) => {
                differences.push(format!("chain {name} is entered elsewhere"));
            }
            Some(_) => {
                let rules = rules.iter().map(|rule| Reader(rule));
                let rules = rules.filter(|rule| rule.text(2) == Some(&name)).collect();
                compare_rules(chain, &rules, &mut differences);
            }
        }
    }
    for found in &chains {
        let name = Reader(found).text(3).unwrap_or_default();
        if wanted
            .chains
            .iter()
            .all(|chain| chain.name.to_string() != name)
        {
            differences.push(format!("chain {name} is not wanted"));
        }
    }
    for set in &wanted.sets {
        compare_set(set, &mut differences)?;
    }
    Ok(differences)
}

fn compare_rules(chain: &Chain, found: &Vec<Reader<'_>>, differences: &mut Vec<String>) {
    let name = chain.name;
    for (place, (rule, found)) in (1..).zip(chain.rules.iter().zip(found)) {
        if !same_rule(rule, *found) {
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

fn same_rule(rule: &Rule, found: Reader<'_>) -> bool {
    let wanted = expressions(rule);
    let Some(found) = found.nested(4) else {
        return false;
    };
    let (wanted, found): (Vec<_>, Vec<_>) =
        (wanted.reader().iter().collect(), found.iter().collect());
    wanted.len() == found.len()
        && wanted
            .iter()
            .zip(found)
            .all(|((_, wanted), (_, found))| same(wanted, found))
}

/// Whether all that is wanted is there with the same value, whatever else the kernel tells.
fn contains(found: Reader<'_>, wanted: Reader<'_>) -> bool {
    wanted
        .iter()
        .all(|(kind, wanted)| found.value(kind).is_some_and(|found| same(wanted, found)))
}

fn same(wanted: &[u8], found: &[u8]) -> bool {
    let (inner, mut parts) = (Reader(wanted), Reader(wanted).iter().peekable());
    wanted == found
        || wanted.is_empty()
        || (parts.peek().is_some() && contains(Reader(found), inner))
}

fn compare_set(set: &Set, differences: &mut Vec<String>) -> Result<(), Refusal> {
    let name = set.name.to_string();
    let attributes = Attributes::new().text(1, TABLE).text(2, &name);
    let question = Message::new(GET_ELEMENTS, flag::DUMP, &GENERIC, &attributes, "a set");
    let answers = match list(Subsystem::Netfilter, &question) {
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
fn listing(kind: u16, answer: u16, label: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    let attributes = Attributes::new().text(1, TABLE);
    let question = Message::new(kind, flag::DUMP, &GENERIC, &attributes, label);
    let found = list(Subsystem::Netfilter, &question)?;
    let found = found.into_iter().filter_map(|(kind, payload)| {
        let attributes = payload.get(4..)?.to_vec();
        (kind == answer && Reader(&attributes).text(1) == Some(TABLE)).then_some(attributes)
    });
    Ok(found.collect())
}
