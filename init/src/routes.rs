//! What the rules need beside them: the address `::6` on the loopback interface, from which the proxy calls IPv6
//! applications, and in TPROXY mode the policy rule and the route that bring marked packets to this host.
//!
//! The IPv4 counterpart of `::6`, 127.0.0.6, needs nothing, since all of 127.0.0.0/8 is local.

use std::net::Ipv6Addr;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;

use crate::intent::{Intent, Ipv6, Mode};
use crate::netlink::address;
use crate::netlink::message::Message;
use crate::netlink::routing::{LocalRoute, PolicyRule};
use crate::netlink::socket::{Refusal, Subsystem, exchange, list};
use crate::rules::Family;

/// Gives the loopback interface an address; one that is there already is fine.
///
/// # Errors
/// When the kernel refuses, for instance since IPv6 is disabled on the loopback interface.
pub fn add_to_loopback(address: Ipv6Addr) -> Result<(), Refusal> {
    let message = address::add(address, loopback_index()?);
    change(&message, &[Errno::EEXIST])
}

/// Takes an address off the loopback interface; one that is not there is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_from_loopback(address: Ipv6Addr) -> Result<(), Refusal> {
    // Without IPv6 in the kernel, there is nothing to take off either.
    let fine = [
        Errno::EADDRNOTAVAIL,
        Errno::ENODEV,
        Errno::ENXIO,
        Errno::EAFNOSUPPORT,
        Errno::EOPNOTSUPP,
    ];
    change(&address::remove(address, loopback_index()?), &fine)
}

/// What marked packets need, in both families.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// Which marks are sent to which tables.
    pub rules: Vec<PolicyRule>,
    /// What delivers them there.
    pub routes: Vec<LocalRoute>,
}

impl Routing {
    /// What an intent needs.
    pub fn wanted(intent: &Intent) -> Self {
        let mut wanted = Self::default();
        // Without a captured port nothing is marked.
        let (Mode::Tproxy { mark, table }, true) = (intent.mode, intent.captures_inbound()) else {
            return wanted;
        };
        for family in FAMILIES {
            if family == Family::Ipv4 || intent.ipv6 == Ipv6::On {
                wanted.rules.push(PolicyRule {
                    family,
                    mark,
                    table,
                });
                wanted.routes.push(LocalRoute { family, table });
            }
        }
        wanted
    }

    /// What the kernel has of ours.
    ///
    /// # Errors
    /// When it does not list.
    pub fn present() -> Result<Self, Refusal> {
        let mut present = Self::default();
        for family in FAMILIES {
            let rules = listed(&PolicyRule::list(family))?;
            let rules = rules.iter().filter_map(|rule| PolicyRule::read(rule));
            present.rules.extend(rules);
            let routes = listed(&LocalRoute::list(family))?;
            let routes = routes.iter().filter_map(|route| LocalRoute::read(route));
            present
                .routes
                .extend(routes.filter(|route| route.family == family));
        }
        Ok(present)
    }

    /// Makes the kernel have these and no others of ours.
    ///
    /// # Errors
    /// When it refuses.
    pub fn set(&self) -> Result<(), Refusal> {
        let present = Self::present()?;
        if present == *self {
            return Ok(());
        }
        let index = loopback_index()?;
        let gone = [Errno::ENOENT, Errno::ESRCH];
        for rule in present
            .rules
            .iter()
            .filter(|rule| !self.rules.contains(rule))
        {
            change(&rule.removing(), &gone)?;
        }
        for route in present
            .routes
            .iter()
            .filter(|route| !self.routes.contains(route))
        {
            change(&route.removing(index), &gone)?;
        }
        // The route comes first, so that no packet is sent to an empty table.
        for route in &self.routes {
            change(&route.adding(index), &[Errno::EEXIST])?;
        }
        for rule in &self.rules {
            change(&rule.adding(), &[Errno::EEXIST])?;
        }
        Ok(())
    }

    /// The commands of iproute2 that do the same.
    pub fn commands(&self) -> Vec<String> {
        let ip = |family| {
            if family == Family::Ipv4 {
                "ip"
            } else {
                "ip -6"
            }
        };
        let rules = self.rules.iter().map(|rule| {
            format!(
                "{} rule add fwmark {} lookup {}",
                ip(rule.family),
                rule.mark,
                rule.table
            )
        });
        let routes = self.routes.iter().map(|route| {
            format!(
                "{} route add local default dev lo table {}",
                ip(route.family),
                route.table
            )
        });
        routes.chain(rules).collect()
    }
}

/// Whether the loopback interface has an address.
pub fn is_on_loopback(address: Ipv6Addr) -> bool {
    getifaddrs().is_ok_and(|mut interfaces| {
        interfaces.any(|interface| {
            interface.interface_name == "lo"
                && interface
                    .address
                    .as_ref()
                    .and_then(|own| own.as_sockaddr_in6())
                    .is_some_and(|own| own.ip() == address)
        })
    })
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// A kernel without IPv6, or without policy routing, lists nothing.
fn listed(question: &Message) -> Result<Vec<Vec<u8>>, Refusal> {
    match list(Subsystem::Route, question) {
        Err(refusal) if refusal.is_lack() => Ok(Vec::new()),
        answers => Ok(answers?.into_iter().map(|(_, payload)| payload).collect()),
    }
}

fn loopback_index() -> Result<u32, Refusal> {
    if_nametoindex("lo").map_err(Refusal::Unusable)
}

fn change(message: &Message, fine: &[Errno]) -> Result<(), Refusal> {
    match exchange(Subsystem::Route, std::slice::from_ref(message)) {
        Err(Refusal::Message { reason, .. }) if fine.contains(&reason) => Ok(()),
        other => other,
    }
}
