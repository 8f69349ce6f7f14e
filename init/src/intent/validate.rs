//! From flags to an [`Intent`].

use std::net::IpAddr;

use crate::accounts::Accounts;
use crate::args::Flags;
use crate::intent::model::{Intent, Problem};
use crate::intent::parse;

/// What the machine contributes to an intent.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    /// User and group names.
    pub accounts: Accounts,
    /// The pod's usable addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The resolver's configuration, `None` when it cannot be read.
    pub resolv_conf: Option<String>,
}

impl Intent {
    /// Validates the flags.
    ///
    /// # Errors
    /// All faults, in the order of the flags; nothing is to be applied then.
    pub fn new(flags: &Flags, host: &HostFacts) -> Result<Self, Vec<Problem>> {
        let mut parser = parse::Parser::new(&host.accounts);
        let default_user = host.accounts.uid(&flags.envoy_user).unwrap_or(PROXY_UID);
        let proxy_users = if flags.proxy_uid.is_empty() {
            vec![default_user..=default_user]
        } else {
            parser.users("--proxy-uid", &flags.proxy_uid)
        };
        let proxy_groups = if flags.proxy_gid.is_empty() {
            if flags.proxy_uid.is_empty() {
                proxy_users.clone()
            } else {
                parser.groups_like_users(&flags.proxy_uid)
            }
        } else {
            parser.groups("--proxy-gid", &flags.proxy_gid)
        };
        let intent = Self {
            outbound_port: parser.port("--envoy-port", &flags.envoy_port),
            inbound_port: parser.port("--inbound-capture-port", &flags.inbound_capture_port),
            tunnel_port: parser.port("--inbound-tunnel-port", &flags.inbound_tunnel_port),
            proxy_users,
            proxy_groups,
            equal_owners: !flags.strict_istio,
            outbound: parser.outbound(flags),
            inbound: parser.inbound(flags),
            mode: parser.mode(flags),
            dns: parser.dns(flags, host.resolv_conf.as_deref()),
            block_quic: flags.block_quic,
            drop_invalid: flags.drop_invalid,
            excluded_interfaces: parser
                .interfaces("--istio-exclude-interfaces", &flags.exclude_interfaces),
            virtual_interfaces: parser
                .interfaces("--kube-virt-interfaces", &flags.kube_virt_interfaces),
            loopback: parser.loopback(&flags.ipv4_loopback_cidr),
            ipv6: parser.ipv6(&flags.ipv6, &host.addresses, flags.dual_stack),
            settings: parser.settings(flags),
            ignored_variables: flags.ignored_variables.clone(),
        };
        let problems = parser.into_problems();
        if problems.is_empty() {
            Ok(intent)
        } else {
            Err(problems)
        }
    }
}

/// The uid and gid of Istio's proxy images.
const PROXY_UID: u32 = 1337;
