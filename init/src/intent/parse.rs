//! The readers of single flags. Each notes its faults and goes on, so that a user sees all of them.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use egret_config::cidr::CidrSet;
use ipnet::Ipv4Net;

use crate::accounts::Accounts;
use crate::args::Flags;
use crate::intent::{Fault, Groups, Inbound, Ipv6, Outbound, Ports};
use crate::rules::{Interface, Owner};

/// Reads flags and gathers what is wrong with them.
pub(super) struct Parser<'a> {
    accounts: &'a Accounts,
    faults: Vec<Fault>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(accounts: &'a Accounts) -> Self {
        Self {
            accounts,
            faults: Vec::new(),
        }
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Faults for what is asked and cannot be done; doing less silently would leave traffic uncaptured.
    pub(super) fn refuse_unsupported(&mut self, flags: &Flags) {
        let asked = [
            // Only the exact word switches the mode.
            (
                "--istio-inbound-interception-mode",
                flags.interception_mode == "TPROXY",
                "TPROXY is not supported yet",
            ),
            (
                "--redirect-dns",
                flags.redirect_dns,
                "capturing DNS is not supported yet (also ISTIO_META_DNS_CAPTURE)",
            ),
            (
                "--run-validation",
                flags.run_validation,
                "validating the rules is not supported yet",
            ),
            (
                "--cni-mode",
                flags.cni_mode,
                "running as a CNI plugin is not supported yet",
            ),
            (
                "--network-namespace",
                !flags.network_namespace.is_empty(),
                "entering a namespace is not supported yet",
            ),
            (
                "--force-iptables-binary",
                !flags.force_iptables_binary.is_empty(),
                "no iptables binary is used",
            ),
        ];
        for (place, is_asked, reason) in asked {
            if is_asked {
                self.fault(place, format!("{reason}: leave it out"));
            }
        }
    }

    pub(super) fn port(&mut self, place: &str, text: &str) -> u16 {
        match text.parse() {
            Ok(0) | Err(_) => {
                self.fault(place, format!("`{text}` is no port from 1 to 65535"));
                0
            }
            Ok(port) => port,
        }
    }

    /// Ports and port ranges, `80,8000:8080`; a range may also be written with a dash.
    pub(super) fn ports(&mut self, place: &str, list: &str) -> Ports {
        let mut ports = Vec::new();
        for element in elements(list) {
            match parse_ports(element) {
                Some(range) => ports.push(range),
                None if element == "*" => self.fault(
                    place,
                    "`*` has a meaning only as the whole value of -b".to_owned(),
                ),
                None => self.fault(
                    place,
                    format!("`{element}` is no port from 0 to 65535, nor a range such as 80:90"),
                ),
            }
        }
        merge(ports)
    }

    pub(super) fn users(&mut self, place: &str, list: &str) -> Vec<Owner> {
        self.proxy_owners(place, list, "user", Accounts::uid)
    }

    pub(super) fn groups(&mut self, place: &str, list: &str) -> Vec<Owner> {
        self.proxy_owners(place, list, "group", Accounts::gid)
    }

    /// The gids that go with uids when none are given: the same words. Faults in numbers are told for the uids already.
    pub(super) fn groups_like_users(&mut self, list: &str) -> Vec<Owner> {
        let accounts = self.accounts;
        let mut groups = Vec::new();
        for word in elements(list) {
            match owner(word, |name| accounts.gid(name)) {
                Some(group) => groups.push(group),
                None if accounts.uid(word).is_some() => {
                    self.fault(
                        "--proxy-gid",
                        format!("there is no group `{word}`, named like the user: give the gid"),
                    );
                }
                None => {}
            }
        }
        groups
    }

    pub(super) fn outbound(&mut self, flags: &Flags) -> Outbound {
        let exclude_ports = self.ports(
            "--istio-local-outbound-ports-exclude",
            &flags.local_outbound_ports_exclude,
        );
        let include_ports = self.ports("--istio-outbound-ports", &flags.outbound_ports);
        let exclude = self.ranges("--istio-service-exclude-cidr", &flags.service_exclude_cidr);
        if exclude.is_every() {
            let reason =
                "`*` would capture nothing at all; for that leave --istio-service-cidr empty";
            self.fault("--istio-service-exclude-cidr", reason.to_owned());
        }
        let include = self.ranges("--istio-service-cidr", &flags.service_cidr);
        let groups = if flags.owner_groups == "*" {
            Groups::Except(self.owner_groups(
                "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
                &flags.owner_groups_exclude,
            ))
        } else {
            Groups::Only(self.owner_groups("ISTIO_OUTBOUND_OWNER_GROUPS", &flags.owner_groups))
        };
        Outbound {
            exclude_ports,
            include_ports,
            exclude,
            include,
            groups,
        }
    }

    pub(super) fn inbound(&mut self, flags: &Flags) -> Inbound {
        let except = self.ports("--istio-local-exclude-ports", &flags.local_exclude_ports);
        match flags.inbound_ports.as_str() {
            "" => Inbound::Nothing,
            "*" => Inbound::Except(except),
            list => Inbound::Only(self.ports("--istio-inbound-ports", list)),
        }
    }

    pub(super) fn interfaces(&mut self, place: &str, list: &str) -> Vec<Interface> {
        let mut interfaces = Vec::new();
        for name in elements(list) {
            let (stem, is_prefix) = name
                .strip_suffix('+')
                .map_or((name, false), |stem| (stem, true));
            if stem.len() > INTERFACE_NAME_LENGTH_MAX
                || stem.contains(['/', ' ', '\0'])
                || stem.is_empty()
            {
                self.fault(place, format!("`{name}` is no interface name of 1 to {INTERFACE_NAME_LENGTH_MAX} characters"));
            } else if is_prefix {
                interfaces.push(Interface::Prefixed(stem.to_owned()));
            } else if name == "lo" {
                interfaces.push(Interface::Loopback);
            } else {
                interfaces.push(Interface::Named(name.to_owned()));
            }
        }
        interfaces
    }

    pub(super) fn loopback(&mut self, text: &str) -> Ipv4Net {
        match text.parse::<Ipv4Net>() {
            Ok(range) if range.addr().is_loopback() && range.prefix_len() >= 8 => range.trunc(),
            _ => {
                let reason =
                    format!("`{text}` is no range inside 127.0.0.0/8 with its prefix length");
                self.fault("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", reason);
                Ipv4Net::default()
            }
        }
    }

    /// Without dual stack the first address decides, as it does in istio-iptables.
    pub(super) fn ipv6(&mut self, addresses: &[IpAddr], dual_stack: bool) -> Ipv6 {
        let any = addresses.iter().any(IpAddr::is_ipv6);
        match addresses.first() {
            None => {
                let reason = "none beside loopback and link-local ones: run this where the pod's network is set up";
                self.fault("addresses of this pod", reason.to_owned());
                Ipv6::Off
            }
            Some(first) if first.is_ipv6() || (dual_stack && any) => Ipv6::On,
            Some(_) if any => Ipv6::Uncaptured,
            Some(_) => Ipv6::Off,
        }
    }

    fn ranges(&mut self, place: &str, list: &str) -> CidrSet {
        CidrSet::parse(list).unwrap_or_else(|errors| {
            for error in errors {
                self.fault(place, error.to_string());
            }
            CidrSet::none()
        })
    }

    fn owner_groups(&mut self, place: &str, list: &str) -> Vec<Owner> {
        self.owners(place, list, "group", Accounts::gid)
    }

    /// Without any owner the proxy's own connections would come back to it for ever.
    fn proxy_owners(
        &mut self,
        place: &str,
        list: &str,
        kind: &str,
        find: fn(&Accounts, &str) -> Option<u32>,
    ) -> Vec<Owner> {
        if elements(list).next().is_none() {
            self.fault(place, format!("`{list}` names no {kind}"));
        }
        self.owners(place, list, kind, find)
    }

    fn owners(
        &mut self,
        place: &str,
        list: &str,
        kind: &str,
        find: fn(&Accounts, &str) -> Option<u32>,
    ) -> Vec<Owner> {
        let accounts = self.accounts;
        let mut owners = Vec::new();
        for word in elements(list) {
            match owner(word, |name| find(accounts, name)) {
                Some(owner) => owners.push(owner),
                None => self.fault(
                    place,
                    format!("`{word}` is neither a number nor a {kind} of this machine"),
                ),
            }
        }
        owners
    }

    fn fault(&mut self, place: &str, reason: String) {
        self.faults.push(Fault {
            place: place.to_owned(),
            reason,
        });
    }
}

/// What the kernel allows, without the final NUL.
const INTERFACE_NAME_LENGTH_MAX: usize = 15;

/// Empty elements are skipped and blanks belong to the element, as in istio-iptables.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|element| !element.is_empty())
}

/// A number, a range of numbers as iptables writes it, or a name.
fn owner(word: &str, find: impl Fn(&str) -> Option<u32>) -> Option<Owner> {
    if let Ok(id) = word.parse() {
        return Some(id..=id);
    }
    if let Some((first, last)) = word.split_once('-')
        && let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
    {
        return (first <= last).then_some(first..=last);
    }
    find(word).map(|id| id..=id)
}

fn parse_ports(element: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = element.split_once([':', '-']).unwrap_or((element, element));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

/// Sorts, and joins ranges that overlap or touch.
fn merge(mut ports: Ports) -> Ports {
    ports.sort_by_key(|range| *range.start());
    let mut merged: Ports = Vec::new();
    for range in ports {
        match merged.last_mut() {
            Some(last) if *range.start() <= last.end().saturating_add(1) => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}
