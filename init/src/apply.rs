//! From rules to the machine's state: who loads them, what they replace, and what they need beside them.

use nix::errno::Errno;
use thiserror::Error;

use crate::intent::{Backend, Binary, Intent, Ipv6};
use crate::netlink::foreign::{Leftovers, leftovers};
use crate::netlink::nftables::{self, Old};
use crate::netlink::socket::{Refusal, Subsystem, exchange};
use crate::plan::PASS_THROUGH;
use crate::programs::{Failure, Iptables, has_legacy_tables};
use crate::routes::{self, Routing};
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
    /// Who loaded the rules, never [`Backend::Auto`].
    pub backend: Backend,
    /// What others had left behind and is gone now.
    pub removed: Vec<String>,
    /// What deserves attention.
    pub warnings: Vec<String>,
}

/// Replaces our rules, whatever they were, by these, and removes what istio-init left behind.
///
/// # Errors
/// When the kernel refuses; with nftables, the rules are then what they were before.
pub fn apply(intent: &Intent, rules: &RuleSet) -> Result<Done, ApplyError> {
    // The address comes first: it harms nobody without the rules, while rules without it would break inbound IPv6.
    if intent.ipv6 == Ipv6::On {
        routes::add_to_loopback(PASS_THROUGH.1)?;
    } else {
        routes::remove_from_loopback(PASS_THROUGH.1)?;
    }
    let mut done = match intent.means.backend {
        Backend::Nftables => over_netlink(rules)?,
        Backend::Iptables => over_programs(intent, rules)?,
        Backend::Auto => match over_netlink(rules) {
            Err(kernel) if kernel.is_lack() => {
                over_programs(intent, rules).map_err(|error| match error {
                    ApplyError::Programs(programs @ Failure::Missing(_)) => {
                        ApplyError::Neither { kernel, programs }
                    }
                    error => error,
                })?
            }
            done => done?,
        },
    };
    Routing::wanted(intent).set()?;
    if done.backend == Backend::Nftables {
        remove_legacy(&mut done)?;
    }
    Ok(done)
}

/// Removes all that [`apply`] ever adds, and what istio-init left behind; it being gone already is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn clean_up(binary: Option<Binary>) -> Result<Done, ApplyError> {
    let mut done = Done {
        backend: Backend::Nftables,
        removed: Vec::new(),
        warnings: Vec::new(),
    };
    match leftovers() {
        Ok(Leftovers {
            messages, names, ..
        }) => {
            exchange(Subsystem::Netfilter, &nftables::remove(messages))?;
            done.removed = names;
        }
        // Without nf_tables only iptables can have loaded rules.
        Err(refusal) if refusal.is_lack() => {
            for family in [Family::Ipv4, Family::Ipv6] {
                if let Ok(iptables) = Iptables::find(family, binary) {
                    done.removed.extend(iptables.remove()?);
                }
            }
        }
        Err(refusal) => return Err(refusal.into()),
    }
    remove_legacy(&mut done)?;
    Routing::default().set()?;
    routes::remove_from_loopback(PASS_THROUGH.1)?;
    Ok(done)
}

/// Loads the rules in one transaction, which also removes what is left over in nf_tables.
fn over_netlink(rules: &RuleSet) -> Result<Done, Refusal> {
    let Leftovers {
        messages,
        names,
        has_own_table,
    } = leftovers()?;
    let load = |old| {
        exchange(
            Subsystem::Netfilter,
            &nftables::replace(rules, old, messages.clone()),
        )
    };
    if has_own_table {
        load(Old::Any)?;
    } else {
        match load(Old::None) {
            // Somebody else was faster.
            Err(Refusal::Message {
                reason: Errno::EEXIST,
                ..
            }) => load(Old::Any)?,
            loaded => loaded?,
        }
    }
    Ok(Done {
        backend: Backend::Nftables,
        removed: names,
        warnings: Vec::new(),
    })
}

/// Loads the rules through iptables, and removes what another backend loaded.
fn over_programs(intent: &Intent, rules: &RuleSet) -> Result<Done, ApplyError> {
    let binary = intent.means.binary;
    let ipv4 = Iptables::find(Family::Ipv4, binary)?;
    let ipv6 = Iptables::find(Family::Ipv6, binary);
    ipv4.replace(rules, Family::Ipv4)?;
    match ipv6 {
        Ok(ipv6) => ipv6.replace(rules, Family::Ipv6)?,
        Err(error) if matches!(intent.ipv6, Ipv6::On | Ipv6::Blocked) => return Err(error.into()),
        Err(_) => {}
    }
    match exchange(Subsystem::Netfilter, &nftables::remove(Vec::new())) {
        Err(refusal) if !refusal.is_lack() => return Err(refusal.into()),
        _ => {}
    }
    Ok(Done {
        backend: Backend::Iptables,
        removed: Vec::new(),
        warnings: Vec::new(),
    })
}

/// Removes what is left over in legacy tables, which only the legacy programs can read.
fn remove_legacy(done: &mut Done) -> Result<(), Failure> {
    for family in [Family::Ipv4, Family::Ipv6] {
        if let Some(iptables) = Iptables::legacy(family) {
            done.removed.extend(iptables.remove()?);
        } else if has_legacy_tables(family) {
            done.warnings.push(
                "there are legacy iptables tables, and no iptables-legacy to look into them: \
                 rules that an earlier istio-init made there would still redirect"
                    .to_owned(),
            );
        }
    }
    done.warnings.dedup();
    Ok(())
}
