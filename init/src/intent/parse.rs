//! The readers of single flags. Each notes its faults and goes on, so that a user sees all of them.

use std::net::IpAddr;

use egret_config::cidr::CidrSet;
use ipnet::Ipv4Net;

use crate::accounts::Accounts;
use crate::args::Flags;
use crate::intent::element::{self, elements, owner, unpadded};
use crate::intent::model::{Dns, Groups, Inbound, Ipv6, Mode, Outbound, Ports, Problem};
use crate::intent::resolver;
use crate::rules::{Interface, Owner};

/// Reads flags and gathers what is wrong with them.
pub(super) struct Parser<'a> {
    accounts: &'a Accounts,
    problems: Vec<Problem>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(accounts: &'a Accounts) -> Self {
        Self {
            accounts,
            problems: Vec::new(),
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(super) fn port(&mut self, setting: &str, text: &str) -> u16 {
        match unpadded(text).parse() {
            Ok(0) | Err(_) => {
                self.problem(setting, format!("`{text}` is no port from 1 to 65535"));
                0
            }
            Ok(port) => port,
        }
    }

    /// Ports and port ranges, `80,8000:8080`; a range may also be written with a dash.
    pub(super) fn ports(&mut self, setting: &str, list: &str) -> Ports {
        let mut ports = Vec::new();
        for element in elements(list) {
            match element::ports(element) {
                Some(range) => ports.push(range),
                None if element == "*" => self.problem(
                    setting,
                    "`*` has a meaning only as the whole value of -b".to_owned(),
                ),
                None => self.problem(
                    setting,
                    format!("`{element}` is no port from 0 to 65535, nor a range such as 80:90"),
                ),
            }
        }
        element::merge(ports)
    }

    pub(super) fn users(&mut self, setting: &str, list: &str) -> Vec<Owner> {
        self.proxy_owners(setting, list, "user", Accounts::uid)
    }

    pub(super) fn groups(&mut self, setting: &str, list: &str) -> Vec<Owner> {
        self.proxy_owners(setting, list, "group", Accounts::gid)
    }

    /// The gids that go with uids when none are given: the same names or numbers. Bad numbers are reported for the uids.
    pub(super) fn groups_like_users(&mut self, list: &str) -> Vec<Owner> {
        let accounts = self.accounts;
        let mut groups = Vec::new();
        for element in elements(list) {
            match owner(element, |name| accounts.gid(name)) {
                Some(group) => groups.push(group),
                None if accounts.uid(element).is_some() => {
                    self.problem(
                        "--proxy-gid",
                        format!("there is no group `{element}`, named like the user: give the gid"),
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
            self.problem("--istio-service-exclude-cidr", reason.to_owned());
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

    pub(super) fn interfaces(&mut self, setting: &str, list: &str) -> Vec<Interface> {
        let mut interfaces = Vec::new();
        for name in elements(list) {
            let (stem, is_prefix) = name
                .strip_suffix('+')
                .map_or((name, false), |stem| (stem, true));
            if stem.len() > INTERFACE_NAME_LENGTH_MAX
                || stem.contains(is_in_no_interface_name)
                || stem.is_empty()
            {
                self.problem(setting, format!("`{name}` is no interface name of 1 to {INTERFACE_NAME_LENGTH_MAX} characters"));
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
                self.problem("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", reason);
                Ipv4Net::default()
            }
        }
    }

    /// Only the exact value switches the mode. In istio-iptables any other value means REDIRECT; here it is a
    /// problem.
    pub(super) fn mode(&mut self, flags: &Flags) -> Mode {
        let mark = self.number("--istio-inbound-tproxy-mark", &flags.tproxy_mark);
        if mark == Some(0) || mark == Some(OUTBOUND_MARK) {
            let reason = format!(
                "`{}` cannot be used: 0 is no mark, and {OUTBOUND_MARK} marks the proxy's calls to its own pod",
                flags.tproxy_mark
            );
            self.problem("--istio-inbound-tproxy-mark", reason);
        }
        let setting = "--istio-inbound-tproxy-route-table";
        let table = self.number(setting, &flags.tproxy_route_table);
        if table.is_some_and(|table| KERNEL_TABLES.contains(&table)) {
            let reason = format!("table `{}` is the kernel's own", flags.tproxy_route_table);
            self.problem(setting, reason);
        }
        let is_tproxy = match flags.interception_mode.as_str() {
            "" | "REDIRECT" => false,
            "TPROXY" => true,
            other => {
                let reason = format!("`{other}` is neither REDIRECT nor TPROXY");
                self.problem("--istio-inbound-interception-mode", reason);
                false
            }
        };
        match (mark, table) {
            (Some(mark), Some(table)) if is_tproxy => Mode::Tproxy { mark, table },
            _ => Mode::Redirect,
        }
    }

    /// Without any server there is nothing to capture, and `Intent::warnings` reports it.
    pub(super) fn dns(&mut self, flags: &Flags, resolv_conf: Option<&str>) -> Dns {
        if !flags.redirect_dns {
            return Dns::Off;
        }
        if flags.capture_all_dns {
            return Dns::Every;
        }
        let Some(resolv_conf) = resolv_conf else {
            let reason = "/etc/resolv.conf cannot be read, so the name servers are unknown; \
                          --capture-all-dns needs none";
            self.problem("--redirect-dns", reason.to_owned());
            return Dns::Off;
        };
        let (ipv4, ipv6) = resolver::servers(resolv_conf);
        if ipv4.is_empty() && ipv6.is_empty() {
            return Dns::NoServers;
        }
        Dns::Servers { ipv4, ipv6 }
    }

    /// Without dual stack the first address decides, as it does in istio-iptables.
    pub(super) fn ipv6(&mut self, desired: &str, addresses: &[IpAddr], dual_stack: bool) -> Ipv6 {
        let any = addresses.iter().any(IpAddr::is_ipv6);
        match (desired, addresses.first()) {
            (_, None) => {
                let reason = "none beside loopback and link-local ones: run this where the pod's network is set up";
                self.problem("addresses of this pod", reason.to_owned());
                Ipv6::Off
            }
            ("on", _) => Ipv6::On,
            ("off", _) => Ipv6::Off,
            ("block", _) => Ipv6::Blocked,
            ("auto", Some(first)) if first.is_ipv6() || (dual_stack && any) => Ipv6::On,
            ("auto", _) if any => Ipv6::Uncaptured,
            ("auto", _) => Ipv6::Off,
            (other, _) => {
                self.problem(
                    "--ipv6",
                    format!("`{other}` is none of auto, on, off, block"),
                );
                Ipv6::Off
            }
        }
    }

    fn number(&mut self, setting: &str, text: &str) -> Option<u32> {
        let number = element::number(text);
        if number.is_none() {
            self.problem(
                setting,
                format!("`{text}` is no number from 1 to 4294967295"),
            );
        }
        number
    }

    fn ranges(&mut self, setting: &str, list: &str) -> CidrSet {
        CidrSet::parse(list).unwrap_or_else(|errors| {
            for error in errors {
                self.problem(setting, error.to_string());
            }
            CidrSet::none()
        })
    }

    fn owner_groups(&mut self, setting: &str, list: &str) -> Vec<Owner> {
        self.owners(setting, list, "group", Accounts::gid)
    }

    /// Without any owner the proxy's own connections would come back to it for ever.
    fn proxy_owners(
        &mut self,
        setting: &str,
        list: &str,
        kind: &str,
        find: fn(&Accounts, &str) -> Option<u32>,
    ) -> Vec<Owner> {
        if elements(list).next().is_none() {
            self.problem(setting, format!("`{list}` names no {kind}"));
        }
        self.owners(setting, list, kind, find)
    }

    fn owners(
        &mut self,
        setting: &str,
        list: &str,
        kind: &str,
        find: fn(&Accounts, &str) -> Option<u32>,
    ) -> Vec<Owner> {
        let accounts = self.accounts;
        let mut owners = Vec::new();
        for element in elements(list) {
            match owner(element, |name| find(accounts, name)) {
                Some(owner) => owners.push(owner),
                None => self.problem(
                    setting,
                    format!("`{element}` is neither a number nor a {kind} of this machine"),
                ),
            }
        }
        owners
    }

    pub(super) fn problem(&mut self, setting: &str, reason: String) {
        self.problems.push(Problem {
            setting: setting.to_owned(),
            reason,
        });
    }
}

/// The kernel's names have no blanks and no slash, and nft's language cannot write a quote.
fn is_in_no_interface_name(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || matches!(letter, '/' | '"')
}

/// What istio-iptables marks the proxy's calls to its own pod with.
const OUTBOUND_MARK: u32 = 1338;

/// Tables that the kernel itself looks into or reserves; a default route in them would cut the pod off.
const KERNEL_TABLES: [u32; 4] = [0, 253, 254, 255];

/// What the kernel allows, without the final NUL.
const INTERFACE_NAME_LENGTH_MAX: usize = 15;
