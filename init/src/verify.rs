//! Whether the machine is as the flags want it: the rules read back, and connections made.

use crate::intent::{Backend, Intent, Ipv6};
use crate::netlink::address::{Address, LOOPBACK};
use crate::netlink::comparison;
use crate::netlink::foreign::leftovers;
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::{Socket, Subsystem};
use crate::plan::PASS_THROUGH;
use crate::programs::Iptables;
use crate::routes::{self, Mark, Present, Routing};
use crate::rules::{Family, RuleSet};

/// What of the machine's state differs from what an intent wants, one line each.
///
/// # Errors
/// When it cannot be read.
pub fn drift(
    route: &mut Socket,
    intent: &Intent,
    rules: &RuleSet,
    marks: &[Mark],
) -> Result<Vec<String>, Refusal> {
    let mut differences = match intent.means.backend {
        Backend::Nftables => in_nftables(rules)?,
        Backend::Iptables => in_iptables(intent, rules),
        Backend::Auto => match in_nftables(rules) {
            Err(refusal) if refusal.is_lack() => in_iptables(intent, rules),
            differences => differences?,
        },
    };
    let pass_through = Address {
        interface: LOOPBACK,
        address: PASS_THROUGH.1.into(),
    };
    if intent.ipv6 == Ipv6::On && !routes::addresses(route)?.contains(&pass_through) {
        differences.push(format!(
            "address {} is not on the loopback interface",
            PASS_THROUGH.1
        ));
    }
    let wanted = Routing::wanted(intent);
    let present = Present::read(route, marks)?.routing();
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

fn in_nftables(rules: &RuleSet) -> Result<Vec<String>, Refusal> {
    let mut kernel = Socket::open(Subsystem::Netfilter)?;
    let mut differences = comparison::differences(&mut kernel, rules)?;
    // Whoever comes first to a packet decides it.
    let left = leftovers(&mut kernel, &[Family::Ipv4, Family::Ipv6])?.names;
    differences.extend(left.iter().map(|name| format!("not wanted: {name}")));
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
