//! Rules as input for iptables-restore and ip6tables-restore, written as iptables-save writes them.
//!
//! Our chains are named `EGRET_…`, and the kernel's own chains jump to them, so that whatever else is there stays. A
//! range of a set becomes a rule of its own, since plain iptables has no sets.

use std::fmt::Write as _;

use crate::rules::{Action, Chain, ChainName, Family, HookPoint, Match, Rule, RuleSet};

use self::conditions::alternatives;

mod conditions;

/// Writes a text for both programs: iptables-restore skips lines that begin with `-6`, ip6tables-restore those with `-4`.
///
/// It expects tables without our chains and is to be loaded with `--noflush`.
pub fn render(rules: &RuleSet) -> String {
    let mut text = String::new();
    let (ipv4, ipv6) = (tables(rules, Family::Ipv4), tables(rules, Family::Ipv6));
    // Without any rule for IPv6, its text is not loaded.
    let alone = ipv6.iter().all(|table| table.chains.is_empty());
    for (ipv4, ipv6) in ipv4.iter().zip(&ipv6) {
        let names = rules.chains.iter().map(|chain| chain.name);
        let names: Vec<ChainName> = names
            .filter(|name| ipv4.chain(*name).is_some() || ipv6.chain(*name).is_some())
            .collect();
        if names.is_empty() {
            continue;
        }
        let _ = writeln!(text, "*{}", ipv4.name);
        for name in &names {
            let _ = writeln!(text, ":{} - [0:0]", chain_name(*name));
        }
        for name in &names {
            let (ipv4, ipv6) = (ipv4.chain(*name), ipv6.chain(*name));
            for lines in pair(ipv4, ipv6) {
                match lines {
                    (Some(ipv4), Some(ipv6)) if ipv4 == ipv6 => push(&mut text, "", ipv4),
                    (ipv4, ipv6) => {
                        push(
                            &mut text,
                            if alone { "" } else { "-4 " },
                            ipv4.into_iter().flatten(),
                        );
                        push(&mut text, "-6 ", ipv6.into_iter().flatten());
                    }
                }
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

/// The lines of one family, table by table, as iptables-save lists them.
pub fn tables(rules: &RuleSet, family: Family) -> Vec<Table> {
    let mut tables: Vec<Table> = TABLES
        .iter()
        .map(|name| Table {
            name,
            chains: Vec::new(),
        })
        .collect();
    let kept = if rules.family.sees(family) {
        kept(rules, family)
    } else {
        Vec::new()
    };
    for (chain, lines) in kept {
        let table = tables
            .iter_mut()
            .find(|table| table.name == table_of(chain.name));
        if let Some(table) = table {
            table.chains.push((chain.name, lines));
        }
    }
    tables
}

/// A table's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What iptables calls it.
    pub name: &'static str,
    /// Our chains, each with the lines of each of its rules.
    chains: Vec<(ChainName, Vec<Lines>)>,
}

/// The lines of one rule.
type Lines = Vec<String>;

impl Table {
    /// The names of our chains.
    pub fn chain_names(&self) -> impl Iterator<Item = String> {
        self.chains.iter().map(|(name, _)| chain_name(*name))
    }

    /// All lines that add a rule, in order.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let rules = self.chains.iter().flat_map(|(_, rules)| rules);
        rules.flatten().map(String::as_str)
    }

    fn chain(&self, name: ChainName) -> Option<&[Lines]> {
        let chain = self.chains.iter().find(|(own, _)| *own == name);
        chain.map(|(_, rules)| rules.as_slice())
    }
}

/// The tables that a plan may write to, in the order in which packets pass them.
const TABLES: [&str; 4] = ["raw", "mangle", "nat", "filter"];

fn table_of(name: ChainName) -> &'static str {
    match name {
        ChainName::ZonesOutput | ChainName::ZonesPrerouting => "raw",
        ChainName::Arriving | ChainName::Marking => "mangle",
        ChainName::Output | ChainName::Outbound | ChainName::Prerouting => "nat",
        ChainName::Leaving | ChainName::Quic | ChainName::Entering | ChainName::Passing => "filter",
    }
}

fn chain_name(name: ChainName) -> String {
    format!("EGRET_{}", name.to_string().to_uppercase())
}

/// Puts the rules of two families side by side. A chain that one family lacks has no lines there.
fn pair<'a>(
    ipv4: Option<&'a [Lines]>,
    ipv6: Option<&'a [Lines]>,
) -> Vec<(Option<&'a Lines>, Option<&'a Lines>)> {
    let (ipv4, ipv6) = (ipv4.unwrap_or_default(), ipv6.unwrap_or_default());
    let longest = ipv4.len().max(ipv6.len());
    (0..longest)
        .map(|index| (ipv4.get(index), ipv6.get(index)))
        .collect()
}

fn push<'a>(text: &mut String, prefix: &str, lines: impl IntoIterator<Item = &'a String>) {
    for line in lines {
        let _ = writeln!(text, "{prefix}{line}");
    }
}

/// The chains that matter for a family, with their lines; the line that enters a chain comes first. Each rule of a kept
/// chain has an entry, so that both families can be put side by side.
fn kept(rules: &RuleSet, family: Family) -> Vec<(&Chain, Vec<Lines>)> {
    let live: Vec<&Chain> = rules
        .chains
        .iter()
        .filter(|chain| chain.name.hook().is_some() && !is_idle(chain, family))
        .collect();
    let is_reached = |name| {
        let rules = live.iter().flat_map(|chain| &chain.rules);
        rules
            .filter(|rule| is_of(rule, family))
            .any(|rule| rule.action == Action::Goto(name))
    };
    let is_live =
        |chain: &&Chain| live.iter().any(|live| live.name == chain.name) || is_reached(chain.name);
    let kept = rules.chains.iter().filter(is_live);
    kept.map(|chain| (chain, lines(rules, chain, family)))
        .collect()
}

/// Whether a chain does nothing for a family: all its packets are left alone at once.
fn is_idle(chain: &Chain, family: Family) -> bool {
    match chain.rules.iter().find(|rule| is_of(rule, family)) {
        None => true,
        Some(first) => first.action == Action::Leave && first.matches == [Match::Family(family)],
    }
}

fn is_of(rule: &Rule, family: Family) -> bool {
    rule.family().is_none_or(|own| own == family)
}

fn lines(rules: &RuleSet, chain: &Chain, family: Family) -> Vec<Lines> {
    let name = chain_name(chain.name);
    let entry = chain.name.hook().map(|hook| {
        let point = match hook.point {
            HookPoint::Prerouting => "PREROUTING",
            HookPoint::Input => "INPUT",
            HookPoint::Forward => "FORWARD",
            HookPoint::Output => "OUTPUT",
        };
        vec![format!("-A {point} -j {name}")]
    });
    let rules = chain.rules.iter().map(|rule| {
        if is_of(rule, family) {
            rule_lines(rules, &name, rule, family)
        } else {
            Vec::new()
        }
    });
    entry.into_iter().chain(rules).collect()
}

fn rule_lines(rules: &RuleSet, chain: &str, rule: &Rule, family: Family) -> Lines {
    let mut lines = Vec::new();
    let targets = targets(rule.action, family);
    for alternative in alternatives(rules, &rule.matches) {
        for target in &targets {
            let comment = escaped(&rule.reason.to_string());
            lines.push(format!(
                "-A {chain} {}-m comment --comment \"{comment}\" {target}",
                alternative.text()
            ));
        }
    }
    lines
}

/// iptables-save escapes quotes of both kinds.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\'', "\\'")
}

/// What a rule's action is to iptables; more than one target where a target does not end the walk.
fn targets(action: Action, family: Family) -> Vec<String> {
    let (nowhere, unreachable) = match family {
        Family::Ipv4 => ("0.0.0.0", "icmp-port-unreachable"),
        Family::Ipv6 => ("::", "icmp6-port-unreachable"),
    };
    let leave = "-j RETURN".to_owned();
    let set_mark = |mark: u32| format!("-j MARK --set-xmark {mark:#x}/0xffffffff");
    match action {
        Action::Leave => vec![leave],
        Action::Redirect(port) => vec![format!("-j REDIRECT --to-ports {port}")],
        Action::Deliver { port, mark } => vec![format!(
            "-j TPROXY --on-port {port} --on-ip {nowhere} --tproxy-mark {mark:#x}/0xffffffff"
        )],
        Action::Divert(mark) => vec![set_mark(mark), leave],
        Action::Mark(mark) => vec![set_mark(mark)],
        Action::SaveMark => vec![
            "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff".to_owned(),
            leave,
        ],
        Action::RestoreMark => {
            vec!["-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff".to_owned()]
        }
        Action::Zone(zone) => vec![format!("-j CT --zone {zone}")],
        Action::Goto(chain) => vec![format!("-g {}", chain_name(chain))],
        Action::Drop => vec!["-j DROP".to_owned()],
        Action::Reject => vec![format!("-j REJECT --reject-with {unreachable}")],
    }
}
