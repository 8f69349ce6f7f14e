//! What the rules need beside them: the address `::6` on the loopback interface, from which the proxy calls IPv6
//! applications, and in TPROXY mode the policy rule and the route that bring marked packets to this host.
//!
//! The IPv4 counterpart of `::6`, 127.0.0.6, needs nothing, since all of 127.0.0.0/8 is local.

use std::net::Ipv6Addr;

use nix::errno::Errno;

use crate::intent::{Intent, Ipv6, Mode};
use crate::netlink::address::{self, Address, LOOPBACK};
use crate::netlink::message::Message;
use crate::netlink::refusal::Refusal;
use crate::netlink::routing::{Listed, LocalRoute, PolicyRule};
use crate::netlink::socket::Socket;
use crate::rules::Family;

/// The addresses of all interfaces, IPv4 first.
///
/// # Errors
/// When the kernel does not list them.
pub fn addresses(kernel: &mut Socket) -> Result<Vec<Address>, Refusal> {
    let mut addresses = Vec::new();
    for family in FAMILIES {
        let listed = kernel.list(&address::list(family))?;
        let read = listed
            .iter()
            .filter_map(|(_, payload)| address::read(payload));
        // For an unknown family the kernel lists all others.
        addresses.extend(read.filter(|read| read.address.is_ipv4() == (family == Family::Ipv4)));
    }
    Ok(addresses)
}

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Gives the loopback interface an address; one that is there already is fine.
///
/// # Errors
/// When the kernel refuses, for instance since IPv6 is disabled on the loopback interface.
pub fn add_to_loopback(kernel: &mut Socket, address: Ipv6Addr) -> Result<(), Refusal> {
    change(kernel, &address::add(address, LOOPBACK), &[Errno::EEXIST])
}

/// Takes an address off the loopback interface; one that is not there is fine.
///
/// # Errors
/// When the kernel refuses.
pub fn remove_from_loopback(kernel: &mut Socket, address: Ipv6Addr) -> Result<(), Refusal> {
    // Without IPv6 in the kernel, there is nothing to take off either.
    let fine = [
        Errno::EADDRNOTAVAIL,
        Errno::ENODEV,
        Errno::ENXIO,
        Errno::EAFNOSUPPORT,
        Errno::EOPNOTSUPP,
    ];
    change(kernel, &address::remove(address, LOOPBACK), &fine)
}

/// What marked packets need, in both families.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    /// Which marks are sent to which tables.
    pub rules: Vec<PolicyRule>,
    /// What delivers them there.
    pub routes: Vec<LocalRoute>,
}

/// The kernel's errors for a rule or route that is not there.
const GONE: [Errno; 2] = [Errno::ENOENT, Errno::ESRCH];

/// A mark and the table it is sent to.
pub type Mark = (u32, u32);

/// The default mark of istio-init, and the table that it is sent to.
pub const ISTIO: Mark = (1337, 133);

impl Routing {
    /// What an intent needs.
    pub fn desired(intent: &Intent) -> Self {
        let mut desired = Self::default();
        // Without a captured port nothing is marked.
        let (Mode::Tproxy { mark, table }, true) = (intent.mode, intent.captures_inbound()) else {
            return desired;
        };
        for family in FAMILIES {
            if family == Family::Ipv4 || intent.ipv6 == Ipv6::On {
                desired.rules.push(PolicyRule {
                    family,
                    mark,
                    table,
                });
                desired.routes.push(LocalRoute { family, table });
            }
        }
        desired
    }

    /// Makes the kernel have these beside what is present.
    ///
    /// # Errors
    /// When it refuses.
    pub fn add(&self, kernel: &mut Socket, present: &Present) -> Result<(), Refusal> {
        // A route comes before the rule, so that no packet is looked up in an empty table.
        for route in &self.routes {
            if !present.has_route(route) {
                change(kernel, &route.adding(), &[])?;
            }
        }
        for rule in &self.rules {
            if !present.has_rule(rule) {
                change(kernel, &rule.adding(), &[Errno::EEXIST])?;
            }
        }
        Ok(())
    }

    /// Undoes [`Self::add`], as far as the kernel lets us.
    pub fn undo(&self, kernel: &mut Socket, present: &Present) {
        for rule in &self.rules {
            if !present.has_rule(rule) {
                let _ = change(kernel, &rule.own().removing(), &GONE);
            }
        }
        for route in &self.routes {
            // Where ours replaced an equal one, it stays.
            if !present.routes.iter().any(|other| other.item == *route) {
                let _ = change(kernel, &route.own().removing(), &GONE);
            }
        }
    }

    /// Removes what is present of ours but for these, and what istio-init left behind. Gives the names of what it had
    /// left.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove_others(
        &self,
        kernel: &mut Socket,
        present: &Present,
    ) -> Result<Vec<String>, Refusal> {
        let mut removed = Vec::new();
        let mut kept = Vec::new();
        for rule in &present.rules {
            if rule.is_own() && self.rules.contains(&rule.item) && !kept.contains(&rule.item) {
                kept.push(rule.item);
                continue;
            }
            change(kernel, &rule.removing(), &GONE)?;
            if !rule.is_own() {
                removed.push(format!("policy rule `{}`", rule_command(&rule.item)));
            }
        }
        for route in &present.routes {
            if route.is_own() && self.routes.contains(&route.item) {
                continue;
            }
            // Ours may have replaced it already.
            change(kernel, &route.removing(), &GONE)?;
            if !route.is_own() {
                removed.push(format!("route `{}`", route_command(&route.item)));
            }
        }
        Ok(removed)
    }

    /// The commands of iproute2 that do the same.
    pub fn commands(&self) -> Vec<String> {
        let rules = self.rules.iter().map(rule_command);
        self.routes.iter().map(route_command).chain(rules).collect()
    }
}

/// What the kernel has of ours and of what istio-init left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Present {
    rules: Vec<Listed<PolicyRule>>,
    routes: Vec<Listed<LocalRoute>>,
}

impl Present {
    /// Reads from the kernel. Rules and routes that istio-init may have made are recognized by the marks and tables of
    /// `marks`, and by having no other condition or effect.
    ///
    /// # Errors
    /// When it does not list.
    pub fn read(kernel: &mut Socket, marks: &[Mark]) -> Result<Self, Refusal> {
        let mut present = Self::rules(kernel, marks)?;
        present.read_routes(kernel, marks)?;
        Ok(present)
    }

    /// As [`Self::read`], where none is needed: a route to which no rule leads has no effect, so without a rule
    /// routes are not read.
    ///
    /// # Errors
    /// When it does not list.
    pub fn conflicting(kernel: &mut Socket, marks: &[Mark]) -> Result<Self, Refusal> {
        let mut present = Self::rules(kernel, marks)?;
        if !present.rules.is_empty() {
            present.read_routes(kernel, marks)?;
        }
        Ok(present)
    }

    fn rules(kernel: &mut Socket, marks: &[Mark]) -> Result<Self, Refusal> {
        let mut present = Self::default();
        for payload in listed(kernel, &PolicyRule::list())? {
            let Some(rule) = PolicyRule::read(&payload) else {
                continue;
            };
            if rule.is_own() || marks.contains(&(rule.item.mark, rule.item.table)) {
                present.rules.push(rule);
            }
        }
        Ok(present)
    }

    fn read_routes(&mut self, kernel: &mut Socket, marks: &[Mark]) -> Result<(), Refusal> {
        for family in FAMILIES {
            for payload in listed(kernel, &LocalRoute::list(family))? {
                let Some(route) = LocalRoute::read(&payload) else {
                    continue;
                };
                let is_meant =
                    route.is_own() || marks.iter().any(|(_, table)| route.item.table == *table);
                if route.item.family == family && is_meant {
                    self.routes.push(route);
                }
            }
        }
        Ok(())
    }

    /// What is there, whoever made it.
    pub fn routing(&self) -> Routing {
        Routing {
            rules: self.rules.iter().map(|rule| rule.item).collect(),
            routes: self.routes.iter().map(|route| route.item).collect(),
        }
    }

    fn has_rule(&self, desired: &PolicyRule) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.is_own() && rule.item == *desired)
    }

    fn has_route(&self, desired: &LocalRoute) -> bool {
        self.routes
            .iter()
            .any(|route| route.is_own() && route.item == *desired)
    }
}

fn rule_command(rule: &PolicyRule) -> String {
    let ip = ip(rule.family);
    format!("{ip} rule add fwmark {} lookup {}", rule.mark, rule.table)
}

fn route_command(route: &LocalRoute) -> String {
    let ip = ip(route.family);
    format!("{ip} route add local default dev lo table {}", route.table)
}

fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip -6",
    }
}

/// A kernel without IPv6, or without policy routing, lists nothing.
fn listed(kernel: &mut Socket, question: &Message) -> Result<Vec<Vec<u8>>, Refusal> {
    match kernel.list(question) {
        Err(refusal) if refusal.is_lack() => Ok(Vec::new()),
        answers => Ok(answers?.into_iter().map(|(_, payload)| payload).collect()),
    }
}

fn change(kernel: &mut Socket, message: &Message, fine: &[Errno]) -> Result<(), Refusal> {
    match kernel.exchange(std::slice::from_ref(message)) {
        Err(Refusal::Message { reason, .. }) if fine.contains(&reason) => Ok(()),
        other => other,
    }
}
