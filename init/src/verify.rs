//! Whether the machine is as the flags want it: the rules read back, and connections made.

use crate::intent::{Backend, Intent, Ipv6};
use crate::netlink::comparison;
use crate::netlink::socket::Refusal;
use crate::plan::PASS_THROUGH;
use crate::programs::Iptables;
use crate::routes::{Routing, is_on_loopback};
use crate::rules::{Family, RuleSet};

/// What of the machine's state differs from what an intent wants, one line each.
///
/// # Errors
/// When it cannot be read.
pub fn drift(intent: &Intent, rules: &RuleSet) -> Result<Vec<String>, Refusal> {
    let mut differences = match intent.means.backend {
        Backend::Nftables => comparison::differences(rules)?,
        Backend::Iptables => in_iptables(intent, rules),
        Backend::Auto => match comparison::differences(rules) {
            Err(refusal) if refusal.is_lack() => in_iptables(intent, rules),
            differences => differences?,
        },
    };
    if intent.ipv6 == Ipv6::On && !is_on_loopback(PASS_THROUGH.1) {
        differences.push(format!(
            "address {} is not on the loopback interface",
            PASS_THROUGH.1
        ));
    }
    let (wanted, present) = (Routing::wanted(intent), Routing::present()?);
    if wanted != present {
        let (wanted, present) = (wanted.commands(), present.commands());
        for missing in wanted.iter().filter(|command| !present.contains(command)) {
            differences.push(format!("missing: {missing}"));
        }
        for extra in present.iter().filter(|command| !wanted.contains(command)) {
            differences.push(format!("not wanted: {extra}"));
        }
    }
    Ok(differences)
}

fn in_iptables(intent: &Intent, rules: &RuleSet) -> Vec<String> {
    let mut differences = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        match Iptables::find(family, intent.means.binary) {
            Ok(iptables) => differences.extend(iptables.differences(rules, family)),
            Err(error) if family == Family::Ipv4 => differences.push(error.to_string()),
            Err(_) => {}
        }
    }
    differences
}
