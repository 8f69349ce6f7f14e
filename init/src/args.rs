//! What the user typed: the command line and the environment under istio-iptables' names, as text.
//!
//! This is the only reader of both. An environment variable replaces a flag's default, and a flag given on the command
//! line wins; that is istio-iptables' order. What the texts mean is decided in `intent`.

use std::ffi::{OsStr, OsString};

use self::flags::go_bool;
pub use self::flags::{FLAGS, Flag, Kind};
pub use self::question::Question;
use self::typed::TypedFlags;

mod command;
pub(crate) mod duration;
mod flags;
mod question;
mod typed;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Replace our rules by those the flags ask for.
    Apply(Box<Flags>),
    /// Remove our rules, whatever flags they were made with; few of the flags matter.
    Cleanup(Box<Flags>),
    /// Check whether the machine has the rules of the flags.
    Verify(Box<Flags>),
    /// Say what becomes of a packet under the rules the flags ask for.
    Explain(Box<Flags>, Question),
    /// Say which version this is.
    Version,
}

/// The value of each flag after the command line and the environment were read. Nothing is validated yet.
///
/// Fields carry the long names of the flags, and of the environment variables that have no flag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Flags {
    pub envoy_port: String,
    pub inbound_capture_port: String,
    pub inbound_tunnel_port: String,
    pub proxy_uid: String,
    pub proxy_gid: String,
    pub interception_mode: String,
    pub inbound_ports: String,
    pub local_exclude_ports: String,
    pub exclude_interfaces: String,
    pub service_cidr: String,
    pub service_exclude_cidr: String,
    pub outbound_ports: String,
    pub local_outbound_ports_exclude: String,
    pub kube_virt_interfaces: String,
    pub network_namespace: String,
    pub force_iptables_binary: String,
    pub tproxy_mark: String,
    pub tproxy_route_table: String,
    pub probe_port: String,
    pub probe_timeout: String,
    pub backend: String,
    pub ipv6: String,
    pub output: String,
    pub dry_run: bool,
    pub skip_rule_apply: bool,
    pub force_apply: bool,
    pub run_validation: bool,
    pub redirect_dns: bool,
    pub capture_all_dns: bool,
    pub native_nftables: bool,
    pub block_quic: bool,
    pub strict_istio: bool,
    pub drop_invalid: bool,
    pub dual_stack: bool,
    pub cni_mode: bool,
    /// `ENVOY_USER`: the user with the proxy's uid when none is given.
    pub envoy_user: String,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS`
    pub owner_groups: String,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE`
    pub owner_groups_exclude: String,
    /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`
    pub ipv4_loopback_cidr: String,
    /// `DRY_RUN_FILE_PATH`: where a dry run also writes its text.
    pub dry_run_file: String,
    /// Variables with a value that their flag cannot have, as `NAME=value`.
    pub ignored_variables: Vec<String>,
}

impl Request {
    /// Reads the process's own command line and environment.
    ///
    /// # Errors
    /// Wrong usage, and the calls for help, as clap's errors.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one reader of the environment"
    )]
    pub fn from_process() -> Result<Self, clap::Error> {
        // A pod's environment may have hundreds of variables, and each flag looks for its own.
        let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        variables.sort();
        Self::parse(std::env::args_os(), &|name| {
            let index = variables.partition_point(|(own, _)| own.as_os_str() < OsStr::new(name));
            let (own, value) = variables.get(index)?;
            let is_found = own == name;
            is_found.then(|| value.to_str().map(str::to_owned))?
        })
    }

    /// Reads a command line, program name first, and the environment through `environment`.
    ///
    /// A first argument `istio-iptables` is skipped, since that is how the sidecar injector's template calls its image.
    ///
    /// # Errors
    /// As for [`Request::from_process`].
    pub fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        if arguments
            .get(1)
            .is_some_and(|argument| argument == "istio-iptables")
        {
            arguments.remove(1);
        }
        let (command, typed, question) = match TypedFlags::read(&arguments) {
            Some(typed) => (String::new(), typed, None),
            None => command::read(arguments)?,
        };
        let sources = FlagSources { typed, environment };
        Ok(match (command.as_str(), question) {
            ("version", _) => Self::Version,
            ("cleanup", _) => Self::Cleanup(Box::new(sources.flags())),
            ("verify", _) => Self::Verify(Box::new(sources.flags())),
            (_, Some(question)) => Self::Explain(Box::new(sources.flags()), question),
            _ if sources.switch("cleanup-only") => Self::Cleanup(Box::new(sources.flags())),
            _ => Self::Apply(Box::new(sources.flags())),
        })
    }
}

/// The two sources of a value.
struct FlagSources<'a> {
    typed: TypedFlags,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl FlagSources<'_> {
    fn flags(&self) -> Flags {
        let variable = |name: &str, default: &str| {
            (self.environment)(name).unwrap_or_else(|| default.to_owned())
        };
        Flags {
            envoy_port: self.text("envoy-port"),
            inbound_capture_port: self.text("inbound-capture-port"),
            inbound_tunnel_port: self.text("inbound-tunnel-port"),
            proxy_uid: self.text("proxy-uid"),
            proxy_gid: self.text("proxy-gid"),
            interception_mode: self.text("istio-inbound-interception-mode"),
            inbound_ports: self.text("istio-inbound-ports"),
            local_exclude_ports: self.text("istio-local-exclude-ports"),
            exclude_interfaces: self.text("istio-exclude-interfaces"),
            service_cidr: self.text("istio-service-cidr"),
            service_exclude_cidr: self.text("istio-service-exclude-cidr"),
            outbound_ports: self.text("istio-outbound-ports"),
            local_outbound_ports_exclude: self.text("istio-local-outbound-ports-exclude"),
            kube_virt_interfaces: self.text("kube-virt-interfaces"),
            network_namespace: self.text("network-namespace"),
            force_iptables_binary: self.text("force-iptables-binary"),
            tproxy_mark: self.text("istio-inbound-tproxy-mark"),
            tproxy_route_table: self.text("istio-inbound-tproxy-route-table"),
            probe_port: self.text("iptables-probe-port"),
            probe_timeout: self.text("probe-timeout"),
            backend: self.text("backend"),
            ipv6: self.text("ipv6"),
            output: self.text("output"),
            dry_run: self.switch("dry-run"),
            skip_rule_apply: self.switch("skip-rule-apply"),
            force_apply: self.switch("force-apply"),
            run_validation: self.switch("run-validation"),
            redirect_dns: self.switch("redirect-dns"),
            capture_all_dns: self.switch("capture-all-dns"),
            native_nftables: self.switch("native-nftables"),
            block_quic: self.switch("block-quic"),
            strict_istio: self.switch_or("strict-istio", true),
            drop_invalid: self.switch("drop-invalid"),
            dual_stack: self.switch("dual-stack"),
            cni_mode: self.switch("cni-mode"),
            envoy_user: variable("ENVOY_USER", "istio-proxy"),
            owner_groups: variable("ISTIO_OUTBOUND_OWNER_GROUPS", "*"),
            owner_groups_exclude: variable("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", ""),
            ipv4_loopback_cidr: variable("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/32"),
            dry_run_file: variable("DRY_RUN_FILE_PATH", ""),
            ignored_variables: self.ignored(),
        }
    }

    fn text(&self, long: &str) -> String {
        let typed = self.typed.value(long).map(str::to_owned);
        typed
            .or_else(|| self.variables(long).last())
            .unwrap_or_else(|| {
                let flag = FLAGS.iter().find(|flag| flag.long == long);
                flag.map_or("", |flag| flag.kind.default_text()).to_owned()
            })
    }

    fn switch(&self, long: &str) -> bool {
        self.switch_or(long, false)
    }

    fn switch_or(&self, long: &str, default: bool) -> bool {
        let typed = self.typed.value(long).map(str::to_owned);
        let text = typed.or_else(|| self.variables(long).last());
        text.and_then(|text| go_bool(&text).ok()).unwrap_or(default)
    }

    /// The values the environment has for a flag; later ones win.
    fn variables(&self, long: &str) -> impl Iterator<Item = String> {
        let flag = FLAGS.iter().find(|flag| flag.long == long);
        flag.into_iter().flat_map(|flag| {
            let values = flag
                .environment
                .iter()
                .filter_map(|name| (self.environment)(name));
            values.filter(|text| flag.kind.takes(text))
        })
    }

    /// The variables that count as absent although they are there.
    fn ignored(&self) -> Vec<String> {
        let mut ignored = Vec::new();
        for flag in FLAGS {
            for name in flag.environment {
                match (self.environment)(name) {
                    Some(text) if !flag.kind.takes(&text) => {
                        ignored.push(format!("{name}={text}"));
                    }
                    _ => {}
                }
            }
        }
        ignored
    }
}

#[cfg(test)]
mod tests;
