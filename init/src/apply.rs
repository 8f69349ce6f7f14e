//! From rules to the machine's state: how they are loaded, what they replace, and the addresses and routes that they need.

use nix::errno::Errno;
use thiserror::Error;

use crate::intent::{Backend, Binary, Intent, Ipv6};
use crate::netlink::comparison::differences;
use crate::netlink::foreign::{StaleRules, stale_rules};
use crate::netlink::nftables::{self, Old};
use crate::netlink::refusal::Refusal;
use crate::netlink::socket::{Socket, Subsystem};
use crate::plan::PASS_THROUGH;
use crate::programs::{Failure, Iptables, with_legacy_tables};
use crate::routes::{self, Mark, Present, Routing};
use crate::rules::{Family, RuleSet};

/// Why nothing, or not all, was done.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The kernel refused; the rules are what they were before.
    #[error("{0}")]
    Kernel(Refusal),
    /// iptables could not do it.
    #[error("{0}")]
    Programs(#[from] Failure),
    /// The kernel lacks nf_tables, and iptables is not there instead.
    #[error("{kernel}; {programs} to use instead")]
    Neither {
        /// What the kernel lacks.
        kernel: Refusal,
        /// Which programs were looked for.
        programs: Failure,
    },
}

impl From<Refusal> for ApplyError {
    fn from(refusal: Refusal) -> Self {
        Self::Kernel(refusal)
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The backend that loaded the rules, never [`Backend::Auto`].
    pub backend: Backend,
    /// Whether the kernel had the very rules already, and kept them.
    pub was_there: bool,
    /// What other programs had left behind and is removed now.
    pub removed: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Options of [`apply`], and facts about the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether the loopback interface has `::6` already.
    pub has_pass_through: bool,
    /// Whether rules that are there already are replaced all the same.
    pub force: bool,
    /// What istio-init may have marked with before.
    pub marks: Vec<Mark>,
}

/// Replaces our rules, whatever they were, by these, and removes what istio-init left behind.
///
/// # Errors
/// When the kernel refuses, or iptables. All is then what it was before, unless only something that is left over stays.
pub fn apply(
    route: &mut Socket,
    intent: &Intent,
    rules: &RuleSet,
    options: &ApplyOptions,
) -> Result<Done, ApplyError> {
    let routing = Routing::desired(intent);
    let present = if routing == Routing::default() {
        Present::conflicting(route, &options.marks)?
    } else {
        Present::read(route, &options.marks)?
    };
    let wants_pass_through = intent.ipv6 == Ipv6::On;
    let adds_pass_through = wants_pass_through && !options.has_pass_through;
    // What the rules depend on comes first: it is harmless without them, while they would break inbound IPv6, or lose what
    // they mark, without it. What only earlier rules depend on goes last.
    let mut prepare = || -> Result<(), Refusal> {
        if adds_pass_through {
            routes::add_to_loopback(route, PASS_THROUGH.1)?;
        }
        routing.add(route, &present)
    };
    let loaded = prepare()
        .map_err(ApplyError::from)
        .and_then(|()| load(intent, rules, options.force));
    let mut done = match loaded {
        Ok(done) => done,
        Err(error) => {
            routing.undo(route, &present);
            if adds_pass_through {
                // Why the rules were refused matters more than an address that stays.
                let _ = routes::remove_from_loopback(route, PASS_THROUGH.1);
            }
            return Err(error);
        }
    };
    done.removed.extend(routing.remove_others(route, &present)?);
    if options.has_pass_through && !wants_pass_through {
        routes::remove_from_loopback(route, PASS_THROUGH.1)?;
    }
    if done.backend == Backend::Nftables {
        remove_legacy(&mut done, &FAMILIES)?;
    }
    Ok(done)
}

fn load(intent: &Intent, rules: &RuleSet, force: bool) -> Result<Done, ApplyError> {
    let kernel = match intent.settings.backend {
        Backend::Nftables => return Ok(load_by_netlink(rules, force)?),
        Backend::Iptables => return load_by_programs(intent, rules),
        Backend::Auto => match load_by_netlink(rules, force) {
            Err(refusal) if refusal.is_lack() => refusal,
            done => return Ok(done?),
        },
    };
    load_by_programs(intent, rules).map_err(|error| match error {
        ApplyError::Programs(programs @ Failure::Missing(_)) => {
            ApplyError::Neither { kernel, programs }
        }
        error => error,
    })
}

/// Removes all that [`apply`] ever adds, and what istio-init left behind; it being gone already is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn clean_up(
    route: &mut Socket,
    binary: Option<Binary>,
    marks: &[Mark],
) -> Result<Done, ApplyError> {
    let mut done = Done {
        backend: Backend::Nftables,
        was_there: false,
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    match remove_by_netlink(&FAMILIES) {
        Ok(names) => done.removed = names,
        // Without nf_tables only iptables can have loaded rules.
        Err(refusal) if refusal.is_lack() => {
            for family in FAMILIES {
                if let Ok(iptables) = Iptables::find(family, binary) {
                    done.removed.extend(iptables.remove()?);
                }
            }
        }
        Err(refusal) => return Err(refusal.into()),
    }
    remove_legacy(&mut done, &FAMILIES)?;
    let present = Present::read(route, marks)?;
    done.removed
        .extend(Routing::default().remove_others(route, &present)?);
    routes::remove_from_loopback(route, PASS_THROUGH.1)?;
    Ok(done)
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Removes our table and what is left over in nf_tables, there from iptables for these families, in one transaction.
/// Gives the names of what was left over.
fn remove_by_netlink(families: &[Family]) -> Result<Vec<String>, Refusal> {
    unless_changed(|kernel| {
        let stale = stale_rules(kernel, families)?;
        if !stale.own_tables.is_empty() || !stale.messages.is_empty() {
            let removal = nftables::remove(stale.messages);
            kernel.exchange(&nftables::unless_changed(removal, stale.generation))?;
        }
        Ok(stale.names)
    })
}

/// Reads the rules and changes them, from the start again when another program has changed them in between.
fn unless_changed<T>(
    mut change: impl FnMut(&mut Socket) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut kernel = Socket::open(Subsystem::Netfilter)?;
    for _ in 1..ATTEMPTS {
        match change(&mut kernel) {
            Err(Refusal::Message {
                reason: Errno::ERESTART,
                ..
            }) => {}
            done => return done,
        }
    }
    change(&mut kernel)
}

/// How often rules are read that others keep changing.
const ATTEMPTS: usize = 16;

/// Loads the rules in one transaction, which also removes what is left over in nf_tables.
fn load_by_netlink(rules: &RuleSet, force: bool) -> Result<Done, Refusal> {
    unless_changed(|kernel| {
        let StaleRules {
            messages,
            names,
            generation,
            own_tables,
        } = stale_rules(kernel, &FAMILIES)?;
        let done = |was_there| Done {
            backend: Backend::Nftables,
            was_there,
            removed: names,
            warnings: Vec::new(),
        };
        // Replacing equal rules would reset their counters, and take the kernel many times as long as looking.
        let may_stay = !force && messages.is_empty() && own_tables == [rules.family];
        if may_stay && differences(kernel, rules)?.is_empty() {
            return Ok(done(true));
        }
        let old = if own_tables.is_empty() {
            Old::None
        } else {
            Old::Any
        };
        let transaction = nftables::replace(rules, old, messages);
        kernel.exchange(&nftables::unless_changed(transaction, generation))?;
        Ok(done(false))
    })
}

/// Loads the rules through iptables, and removes what another backend loaded.
///
/// Each family is loaded by a program of its own, and each table in a transaction of its own. So when one fails, what
/// the ones before have done is undone.
fn load_by_programs(intent: &Intent, rules: &RuleSet) -> Result<Done, ApplyError> {
    let binary = intent.settings.binary;
    let needs_ipv6 = matches!(intent.ipv6, Ipv6::On | Ipv6::Blocked);
    let mut programs = vec![(Family::Ipv4, Iptables::find(Family::Ipv4, binary)?)];
    match Iptables::find(Family::Ipv6, binary) {
        Ok(iptables) => programs.push((Family::Ipv6, iptables)),
        Err(error) if needs_ipv6 => return Err(error.into()),
        Err(_) => {}
    }
    let mut done = Done {
        backend: Backend::Iptables,
        was_there: false,
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    for (index, (family, iptables)) in programs.iter().enumerate() {
        match iptables.replace(rules, *family) {
            Ok(names) => done.removed.extend(names),
            Err(failure) => {
                let begun = programs
                    .iter()
                    .take(index + 1)
                    .map(|(_, iptables)| iptables);
                return Err(undo(failure, begun).into());
            }
        }
    }
    // Older rules in the other backend of a family would redirect as well.
    let (nftables, legacy): (Vec<_>, Vec<_>) = programs
        .iter()
        .partition(|(_, iptables)| iptables.is_of_nftables());
    let families = |programs: &[&(Family, Iptables)]| -> Vec<Family> {
        programs.iter().map(|(family, _)| *family).collect()
    };
    remove_legacy(&mut done, &families(&nftables))?;
    match remove_by_netlink(&families(&legacy)) {
        Ok(names) => done.removed.extend(names),
        Err(refusal) if refusal.is_lack() => {}
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(done)
}

/// Puts back the rules of before, since one of the programs failed, and reports how that went.
fn undo<'a>(failure: Failure, begun: impl Iterator<Item = &'a Iptables>) -> Failure {
    let mut troubles = Vec::new();
    for iptables in begun {
        if let Err(trouble) = iptables.restore_saved() {
            troubles.push(trouble.to_string());
        }
    }
    Failure::Undone {
        failure: Box::new(failure),
        troubles,
    }
}

/// Removes what is left over in legacy tables of these families, which only the legacy programs can read.
fn remove_legacy(done: &mut Done, families: &[Family]) -> Result<(), Failure> {
    for family in with_legacy_tables(families) {
        match Iptables::find(family, Some(Binary::Legacy)) {
            Ok(iptables) => done.removed.extend(iptables.remove()?),
            Err(_) => done.warnings.push(
                "there are legacy iptables tables, and no iptables-legacy to look into them: \
                 rules that an earlier istio-init made there would still redirect"
                    .to_owned(),
            ),
        }
    }
    done.warnings.dedup();
    Ok(())
}
