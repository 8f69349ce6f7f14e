//! Whether the machine has the rules of the flags: the rules are read back, and connections are made.

use crate::intent::{Backend, Binary, Intent, Ipv6};
use crate::netlink::address::{Address, LOOPBACK};
use crate::netlink::comparison;
use crate::netlink::foreign::stale_rules;
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::{Socket, Subsystem};
use crate::plan::PASS_THROUGH;
use crate::programs::{Iptables, with_legacy_tables};
use crate::routes::{self, Mark, Present, Routing};
use crate::rules::{Family, RuleSet, TABLE, TableFamily};

/// How the machine's state differs from an intent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// What differs, one line each.
    pub differences: Vec<String>,
    /// What could not be compared.
    pub warnings: Vec<String>,
}

/// Compares the machine's state with an intent.
///
/// # Errors
/// When it cannot be read.
pub fn drift(
    route: &mut Socket,
    intent: &Intent,
    rules: &RuleSet,
    marks: &[Mark],
) -> Result<Drift, Refusal> {
    let mut drift = match intent.settings.backend {
        Backend::Nftables => in_nftables(rules)?,
        Backend::Iptables => in_iptables(intent, rules)?,
        Backend::Auto => match in_nftables(rules) {
            Err(refusal) if refusal.is_lack() => in_iptables(intent, rules)?,
            drift => drift?,
        },
    };
    let differences = &mut drift.differences;
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
    let desired = Routing::desired(intent);
    let present = Present::read(route, marks)?.routing();
    if desired != present {
        let (desired, present) = (desired.commands(), present.commands());
        for missing in desired.iter().filter(|command| !present.contains(command)) {
            differences.push(format!("missing: {missing}"));
        }
        for extra in present.iter().filter(|command| !desired.contains(command)) {
            differences.push(format!("not expected: {extra}"));
        }
    }
    Ok(drift)
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

fn in_nftables(rules: &RuleSet) -> Result<Drift, Refusal> {
    let mut drift = Drift::default();
    let mut kernel = Socket::open(Subsystem::Netfilter)?;
    drift.differences = comparison::differences(&mut kernel, rules)?;
    // Whoever comes first to a packet decides it.
    drift.stale_in_nftables(&mut kernel, &FAMILIES, Some(rules.family))?;
    drift.stale_in_legacy(&FAMILIES);
    Ok(drift)
}

fn in_iptables(intent: &Intent, rules: &RuleSet) -> Result<Drift, Refusal> {
    let mut drift = Drift::default();
    let mut legacy = Vec::new();
    for family in FAMILIES {
        let iptables = match Iptables::find(family, intent.settings.binary) {
            Ok(iptables) => iptables,
            Err(error) if family == Family::Ipv4 => {
                drift.differences.push(error.to_string());
                continue;
            }
            Err(_) => continue,
        };
        drift
            .differences
            .extend(iptables.differences(rules, family));
        drift.unexpected(iptables.istio_chains());
        if iptables.is_of_nftables() {
            drift.stale_in_legacy(&[family]);
        } else {
            legacy.push(family);
        }
    }
    let left = Socket::open(Subsystem::Netfilter)
        .and_then(|mut kernel| drift.stale_in_nftables(&mut kernel, &legacy, None));
    match left {
        Err(refusal) if refusal.is_lack() => Ok(drift),
        left => left.map(|()| drift),
    }
}

impl Drift {
    fn unexpected(&mut self, names: impl IntoIterator<Item = String>) {
        let lines = names
            .into_iter()
            .map(|name| format!("not expected: {name}"));
        self.differences.extend(lines);
    }

    /// Notes what is left over in nf_tables: tables of ours but for the one of the expected family, and what iptables made
    /// there for these families.
    fn stale_in_nftables(
        &mut self,
        kernel: &mut Socket,
        families: &[Family],
        expected: Option<TableFamily>,
    ) -> Result<(), Refusal> {
        let stale = stale_rules(kernel, families)?;
        let tables = stale.own_tables.iter();
        let tables = tables.filter(|family| Some(**family) != expected);
        self.unexpected(tables.map(|family| format!("table {family} {TABLE}")));
        self.unexpected(stale.names);
        Ok(())
    }

    /// Notes what is left over in legacy tables of these families. A program starts only where there are such tables.
    fn stale_in_legacy(&mut self, families: &[Family]) {
        for family in with_legacy_tables(families) {
            match Iptables::find(family, Some(Binary::Legacy)) {
                Ok(iptables) => self.unexpected(iptables.stale_chains()),
                Err(failure) => self.warnings.push(format!(
                    "there are legacy iptables tables that are not compared: {failure}"
                )),
            }
        }
    }
}
