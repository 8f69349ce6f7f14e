//! What the user typed: the command line and the environment under istio-iptables' names, as text.
//!
//! This is the only reader of both. An environment variable replaces a flag's default, and a flag given on the command
//! line wins; that is istio-iptables' order. What the texts mean is decided in `intent`.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap, value_parser};

use self::flags::go_bool;
pub use self::flags::{FLAGS, Flag, Kind};

pub(crate) mod duration;
mod flags;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Replace our rules by those the flags ask for.
    Apply(Box<Flags>),
    /// Remove our rules, whatever flags they were made with; few of the flags matter.
    Cleanup(Box<Flags>),
    /// Say whether the machine is as the flags want it.
    Verify(Box<Flags>),
    /// Say what becomes of a packet under the rules the flags ask for.
    Explain(Box<Flags>, Question),
    /// Say which version this is.
    Version,
}

/// A packet to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user of the process that sends it.
    pub uid: Option<u32>,
    /// The group of the process that sends it.
    pub gid: Option<u32>,
    /// Where it goes.
    pub to: SocketAddr,
    /// Whether it is UDP rather than TCP.
    pub udp: bool,
    /// Its source address.
    pub from: Option<IpAddr>,
    /// The interface it arrives from; without one, a process of this host sends it.
    pub from_interface: Option<String>,
    /// The interface it leaves through.
    pub through: Option<String>,
}

/// The value of each flag after the command line and the environment were asked. Nothing is validated yet.
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
    /// `ENVOY_USER`: whose uid the proxy has when none is given.
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
    /// Wrong usage, and the calls for help, in clap's words.
    pub fn from_process() -> Result<Self, clap::Error> {
        Self::parse(std::env::args_os(), &|name| std::env::var(name).ok())
    }

    /// Reads a command line, program name first, and the environment through `environment`.
    ///
    /// A first word `istio-iptables` is skipped, since that is how the sidecar injector's template calls its image.
    ///
    /// # Errors
    /// As for [`Request::from_process`].
    pub fn parse(
        words: impl IntoIterator<Item = impl Into<OsString>>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, clap::Error> {
        let mut words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        if words.get(1).is_some_and(|word| word == "istio-iptables") {
            words.remove(1);
        }
        // Giving every command every flag with its help takes longer than all the rest of a start, and init containers
        // name none and ask for none.
        let names_command = words
            .iter()
            .any(|word| COMMANDS.iter().any(|name| word == name));
        let plain = (!names_command).then(|| plain_command().try_get_matches_from(&words));
        let matches = match plain {
            Some(Ok(matches)) => matches,
            _ => command().try_get_matches_from(words)?,
        };
        let (word, matches) = match matches.subcommand() {
            Some((word, matches)) => (word, matches),
            None => ("", &matches),
        };
        let given = Given {
            matches,
            environment,
        };
        Ok(match word {
            "version" => Self::Version,
            "cleanup" => Self::Cleanup(Box::new(given.flags())),
            "verify" => Self::Verify(Box::new(given.flags())),
            "explain" => Self::Explain(Box::new(given.flags()), question(matches)),
            _ if given.switch("cleanup-only") => Self::Cleanup(Box::new(given.flags())),
            _ => Self::Apply(Box::new(given.flags())),
        })
    }
}

const COMMANDS: [&str; 5] = ["cleanup", "verify", "explain", "version", "help"];

fn command() -> Clap {
    flags_command()
        .subcommand(
            Clap::new("cleanup").about("Remove the rules, whatever flags they were made with"),
        )
        .subcommand(Clap::new("verify").about(
            "Compare the kernel's rules with what the flags want, and connect through the redirect",
        ))
        .subcommand(explain_command())
        .subcommand(Clap::new("version").about("Print the version"))
}

/// Knows what the flags are called and nothing to tell about them.
fn plain_command() -> Clap {
    Clap::new("egret-init")
        .disable_help_flag(true)
        .args_override_self(true)
        .args(FLAGS.iter().map(syntax))
}

fn flags_command() -> Clap {
    Clap::new("egret-init")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Redirects a pod's connections to the sidecar proxy.")
        .after_help(
            "Without a command the rules are applied; applying again replaces them.\n\
             Each flag's default comes from the environment variable named beside it, where that is set.\n\
             Also read: ENVOY_USER, ISTIO_OUTBOUND_OWNER_GROUPS, ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE, \
             ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR, DRY_RUN_FILE_PATH.\n\n\
             Exit codes: 0 done; 1 a flag has a bad value, or the kernel refused; 2 wrong usage; 3 the kernel lacks a \
             feature, which is named; 4 verify found other rules than wanted; 126 a connection did not go where the \
             rules send it. After 1, 2 and 3 everything is as it was.",
        )
        .args_override_self(true)
        .args(FLAGS.iter().map(argument))
}

fn explain_command() -> Clap {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Clap::new("explain")
        .about("Say what becomes of a connection under the rules the flags ask for, and which rule decides")
        .arg(
            value("uid", "UID", "The user of the process that connects")
                .value_parser(value_parser!(u32))
                .required_unless_present("from-interface"),
        )
        .arg(
            value("gid", "GID", "The group of the process that connects [default: as --uid]")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            value("to", "IP:PORT", "Where it connects to; IPv6 addresses in brackets")
                .value_parser(value_parser!(SocketAddr))
                .required(true),
        )
        .arg(
            Arg::new("udp")
                .long("udp")
                .action(ArgAction::SetTrue)
                .help("A UDP datagram instead of a TCP connection"),
        )
        .arg(
            value("from", "IP", "The address it comes from")
                .value_parser(value_parser!(IpAddr)),
        )
        .arg(
            value("from-interface", "NIC", "It arrives from this interface, rather than from a process here")
                .conflicts_with_all(["uid", "gid", "through"]),
        )
        .arg(value(
            "through",
            "NIC",
            "The interface it leaves through [default: lo to addresses of this host]",
        ))
}

fn question(matches: &ArgMatches) -> Question {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Question {
        uid: matches.get_one("uid").copied(),
        gid: matches.get_one("gid").copied(),
        to: *matches.get_one("to").expect("clap requires it"),
        udp: matches.get_flag("udp"),
        from: matches.get_one("from").copied(),
        from_interface: text("from-interface"),
        through: text("through"),
    }
}

fn argument(flag: &Flag) -> Arg {
    let mut help = flag.help.to_owned();
    if !flag.environment.is_empty() {
        help = format!("{help} [env: {}]", flag.environment.join(", "));
    }
    let argument = syntax(flag)
        .global(true)
        .hide(flag.help.is_empty())
        .help(help);
    match flag.kind {
        Kind::Switch => argument.value_name("true|false").hide_possible_values(true),
        kind => argument
            .value_name("VALUE")
            .default_value(kind.default_text())
            .hide_default_value(kind.default_text().is_empty()),
    }
}

/// What decides how a flag is read.
fn syntax(flag: &Flag) -> Arg {
    let mut argument = Arg::new(flag.long).long(flag.long).action(ArgAction::Set);
    if let Some(short) = flag.short {
        argument = argument.short(short);
    }
    match flag.kind {
        Kind::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(ValueParser::from(go_bool)),
        _ => argument.allow_hyphen_values(true),
    }
}

/// The two places a value can come from.
struct Given<'a> {
    matches: &'a ArgMatches,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Given<'_> {
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
        match self.matches.value_source(long) {
            Some(ValueSource::CommandLine) => self.matches.get_one::<String>(long).cloned(),
            _ => self.variables(long).last(),
        }
        .unwrap_or_else(|| {
            let flag = FLAGS.iter().find(|flag| flag.long == long);
            flag.map_or("", |flag| flag.kind.default_text()).to_owned()
        })
    }

    fn switch(&self, long: &str) -> bool {
        self.switch_or(long, false)
    }

    fn switch_or(&self, long: &str, default: bool) -> bool {
        let typed = self.matches.get_one::<bool>(long).copied();
        typed
            .or_else(|| {
                let text = self.variables(long).last()?;
                go_bool(&text).ok()
            })
            .unwrap_or(default)
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
