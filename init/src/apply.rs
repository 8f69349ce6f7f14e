//! The only module that changes the machine's state.

use crate::intent::{Intent, Ipv6};
use crate::netlink::nftables;
use crate::netlink::socket::{Refusal, Subsystem, exchange};
use crate::plan::PASS_THROUGH;
use crate::routes;
use crate::rules::RuleSet;

/// Replaces our rules, whatever they were, by these.
///
/// # Errors
/// When the kernel refuses; the rules are then what they were before.
pub fn apply(intent: &Intent, rules: &RuleSet) -> Result<(), Refusal> {
    // The address comes first: it harms nobody without the rules, while rules without it would break inbound IPv6.
    if intent.ipv6 == Ipv6::On {
        routes::add_to_loopback(PASS_THROUGH.1)?;
    }
    exchange(Subsystem::Netfilter, &nftables::replace(rules))
}

/// Removes all that [`apply`] ever adds; it being gone already is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn clean_up() -> Result<(), Refusal> {
    exchange(Subsystem::Netfilter, &nftables::remove())?;
    routes::remove_from_loopback(PASS_THROUGH.1)
}
