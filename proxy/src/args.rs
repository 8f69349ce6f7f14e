//! The only reader of the command line and the environment.

mod annotations;
mod application;
mod check;
mod config_source;
mod end;
mod limits;
mod explain;
mod inject;
mod log_level;
mod mode;
mod variables;
mod wait;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use egret_config::labels::Labels;
use egret_config::name::DEFAULT_NAMESPACE;
use egret_config::port::well_known;
use egret_config::snapshot::workload::{Mode, Workload};

use crate::args::check::Check;
use crate::args::config_source::{CONFIG_SOURCE, supported};
use crate::args::explain::Explain;
use crate::args::inject::{Inject, Uninject};
use crate::args::limits::Limits;
use crate::args::mode::TypedMode;
use crate::args::variables::{IGNORE_POLICIES, boolean, duration};
use crate::args::wait::Wait;
use crate::report::metrics::identity::Surroundings;
use crate::settings::{Log, LogFormat, Settings};
use crate::source::files::Options;

/// Workers that are enough for most pods: more cost memory and warm fewer upstream connections each. Istio's default
/// `concurrency` is 2 as well.
const THREADS_DEFAULT_MAX: usize = 2;

/// The variable in which Istio's injector enables DNS capture.
const DNS_CAPTURE: &str = "ISTIO_META_DNS_CAPTURE";

/// The variable that egret-init also reads.
const PROBE_PORT: &str = "IPTABLES_PROBE_PORT";

/// A command with its settings.
#[derive(Debug)]
pub enum Command {
    /// Run as a sidecar or a gateway until a signal, and write this log.
    Run(Box<Settings>, Box<Log>),
    /// Explain calls.
    Explain(Box<crate::commands::explain::Options>),
    /// Check a configuration.
    Check(crate::commands::check::Options),
    /// Add egret's containers to manifests, or take them out.
    Inject(crate::commands::inject::Options),
    /// Wait until a proxy is ready.
    Wait(crate::commands::wait::Options),
    /// Print the version.
    Version,
}

/// Reads `argv` (with the program's name in front) and, for flags that were not given, `environment`.
///
/// # Errors
/// Wrong usage, and `--help` and `--version`, which clap treats alike; [`clap::Error::exit_code`] differs.
pub fn read(
    argv: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, clap::Error> {
    let wrong = |message| Typed::command().error(ErrorKind::ValueValidation, message);
    match Typed::try_parse_from(argv)?.command {
        TypedCommand::Run(run) => {
            let (settings, log) = run.validate(environment).map_err(wrong)?;
            Ok(Command::Run(Box::new(settings), Box::new(log)))
        }
        TypedCommand::Explain(explain) => {
            let options = explain.validate().map_err(wrong)?;
            Ok(Command::Explain(Box::new(options)))
        }
        TypedCommand::Check(check) => {
            let options = check.validate(environment).map_err(wrong)?;
            Ok(Command::Check(options))
        }
        TypedCommand::Inject(inject) => Ok(Command::Inject(inject.options())),
        TypedCommand::Uninject(uninject) => Ok(Command::Inject(uninject.options())),
        TypedCommand::Wait(wait) => Ok(Command::Wait(wait.options())),
        TypedCommand::Version => Ok(Command::Version),
    }
}

/// The command line as clap reads it, with the help of every flag; the documentation is made from it.
#[must_use]
pub fn command() -> clap::Command {
    Typed::command()
}

/// The variables of this process that are text.
#[allow(
    clippy::disallowed_methods,
    reason = "the one reader of the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[derive(Parser)]
#[command(
    name = "egret-proxy",
    version,
    about = "A transparent egress sidecar and gateway for Istio's networking API"
)]
struct Typed {
    #[command(subcommand)]
    command: TypedCommand,
}

#[derive(clap::Subcommand)]
enum TypedCommand {
    /// Run as a sidecar or as a gateway.
    Run(Box<Run>),
    /// Explain offline how a call is decided; for a refused one print what would allow it.
    Explain(Box<Explain>),
    /// Check a configuration. Exit codes: 0 without errors (warnings are fine), 1 with errors, 2 for wrong
    /// usage.
    Check(Check),
    /// Add egret's containers to the pods of manifests. Exit codes: 0 when that is done, 1 with errors, 2 for wrong usage and
    /// files that cannot be read.
    Inject(Box<Inject>),
    /// Take egret's containers out of the pods of manifests. Exit codes as for inject.
    Uninject(Uninject),
    /// Wait until the proxy is ready. Exit codes: 0 once it is, 1 when the time is over, 2 for wrong usage.
    Wait(Wait),
    /// Print the version.
    Version,
}

/// The flags as they were typed.
#[derive(clap::Args)]
struct Run {
    /// Beside an application, or as a gateway.
    #[arg(long, value_enum, default_value_t = TypedMode::Sidecar)]
    mode: TypedMode,
    /// The pod's namespace [env: POD_NAMESPACE] [default: default].
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The pod's labels, as key=value,key=value.
    #[arg(long, value_name = "LABELS", default_value = "", hide_default_value = true, value_parser = Labels::parse)]
    labels: Labels,
    /// An address of the pod; may be repeated [env: INSTANCE_IP].
    #[arg(long = "pod-ip", value_name = "IP", value_delimiter = ',')]
    pod_ips: Vec<IpAddr>,
    /// A file or folder with Istio and Kubernetes objects (.yaml, .yml, .json); may be repeated. Changes are followed.
    #[arg(long = "config", value_name = "PATH")]
    config: Vec<PathBuf>,
    /// A file with MeshConfig; it replaces a MeshConfig under --config.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// Where the configuration comes from: files, the only source so far [env: EGRET_CONFIG_SOURCE].
    #[arg(long, value_name = "SOURCE")]
    config_source: Option<String>,
    /// Start although AuthorizationPolicies apply to this workload: they are not enforced, and calls that they refuse pass
    /// [env: EGRET_IGNORE_AUTHORIZATION_POLICIES].
    #[arg(long)]
    ignore_authorization_policies: bool,
    /// The port that redirected outbound connections arrive on.
    #[arg(long, value_name = "PORT", default_value_t = well_known::OUTBOUND, value_parser = clap::value_parser!(u16).range(1..))]
    outbound_port: u16,
    /// The port that redirected inbound connections arrive on.
    #[arg(long, value_name = "PORT", default_value_t = well_known::INBOUND, value_parser = clap::value_parser!(u16).range(1..))]
    inbound_port: u16,
    /// The port that egret-init's and istio-iptables' validation connects to, if it is not the default one. A connection to it that
    /// its client closes at once is neither served nor logged [env: IPTABLES_PROBE_PORT] [default: 15002].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    iptables_probe_port: Option<u16>,
    /// Answer the pod's DNS queries for the services that it sees, and give ServiceEntries without addresses one each
    /// (sidecar; redirect queries with egret-init --redirect-dns) [env: ISTIO_META_DNS_CAPTURE].
    #[arg(long)]
    dns_capture: bool,
    /// The port that captured DNS queries arrive on, UDP and TCP, on 127.0.0.1 and ::1.
    #[arg(long, value_name = "PORT", default_value_t = well_known::DNS, value_parser = clap::value_parser!(u16).range(1..))]
    dns_port: u16,
    /// Address of the admin pages.
    #[arg(long, value_name = "ADDRESS", default_value_t = (Ipv4Addr::LOCALHOST, well_known::ADMIN).into())]
    admin: SocketAddr,
    /// Address of /healthz/ready.
    #[arg(long, value_name = "ADDRESS", default_value_t = (Ipv4Addr::UNSPECIFIED, well_known::HEALTH).into())]
    health: SocketAddr,
    /// Address of /stats/prometheus alone, for Prometheus.
    #[arg(long, value_name = "ADDRESS", default_value_t = (Ipv4Addr::UNSPECIFIED, well_known::STATS).into())]
    stats: SocketAddr,
    /// Address of what Istio's agent serves: /stats/prometheus with the metrics of the application (sidecar; the injector
    /// names them in ISTIO_PROMETHEUS_ANNOTATIONS), /healthz/ready, /drain and /quitquitquit.
    #[arg(long, value_name = "ADDRESS", default_value_t = (Ipv4Addr::UNSPECIFIED, well_known::AGENT).into())]
    agent: SocketAddr,
    /// Append a field `reasons` to every access-log line: what decided the call (an extension of Istio's format).
    #[arg(long)]
    access_log_reasons: bool,
    /// How much of request bodies is kept at a time for retries and mirrors, all requests together, in MiB. A body that
    /// finds no room is sent once.
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    kept_bodies_max: u16,
    #[command(flatten)]
    limits: Limits,
    /// Worker threads [default: the cores this process may use, at most 2].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Take the listening sockets over from the proxy that runs with the same path, which then drains and ends, and hand
    /// them over to the next one. A Unix socket is made there.
    #[arg(long, value_name = "PATH")]
    hot_restart: Option<PathBuf>,
    /// How long the proxy goes on after SIGTERM; a second one ends it at once
    /// [env: terminationDrainDuration in PROXY_CONFIG, TERMINATION_DRAIN_DURATION_SECONDS] [default: MeshConfig's
    /// defaultConfig.terminationDrainDuration, else 5s].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    drain_time: Option<Duration>,
    /// What is logged: off, error (critical), warn (warning), info, debug or trace (as debug in released programs); or a
    /// list of levels, module=level and component:level [env: RUST_LOG] [default: info].
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Form of the log's lines (not of the access log).
    #[arg(long, value_enum, default_value_t = TypedLogFormat::Text)]
    log_format: TypedLogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum TypedLogFormat {
    Text,
    Json,
}

impl Run {
    fn validate(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<(Settings, Log), String> {
        let set = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let mode = Mode::from(self.mode);
        if mode == Mode::Sidecar && self.outbound_port == self.inbound_port {
            return Err(format!(
                "--outbound-port and --inbound-port are both {}: give each a port of its own\n",
                self.outbound_port
            ));
        }
        let namespace = match self.namespace {
            Some(name) if name.is_empty() => {
                return Err("--namespace is empty: leave it out or name one\n".to_owned());
            }
            Some(name) => name,
            None => set("POD_NAMESPACE").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        };
        let addresses = match (self.pod_ips, set("INSTANCE_IP")) {
            (typed, Some(list)) if typed.is_empty() => addresses(&list)?,
            (typed, _) => typed,
        };
        let level = self
            .log_level
            .or_else(|| set("RUST_LOG"))
            .unwrap_or_else(|| "info".to_owned());
        let filter = log_level::filter(&level)?;
        let variable = set(DNS_CAPTURE).map(|value| boolean(DNS_CAPTURE, &value));
        let dns_capture =
            (self.dns_capture || variable.transpose()?.unwrap_or(false)) && mode == Mode::Sidecar;
        let source = self.config_source.or_else(|| set(CONFIG_SOURCE));
        supported(source.as_deref().unwrap_or_default())?;
        let ignored = set(IGNORE_POLICIES).map(|value| boolean(IGNORE_POLICIES, &value));
        let ignore_authorization_policies =
            self.ignore_authorization_policies || ignored.transpose()?.unwrap_or(false);
        // As for egret-init, a value that is no port counts as absent.
        let variable = set(PROBE_PORT).and_then(|value| value.trim().parse().ok());
        let probe_port = self
            .iptables_probe_port
            .or(variable)
            .unwrap_or(well_known::PROBE);
        let redirect_ports = match mode {
            Mode::Sidecar => vec![self.outbound_port, self.inbound_port],
            Mode::Gateway => Vec::new(),
        };
        let own_ports = [self.admin, self.agent, self.health, self.stats]
            .map(|address| address.port())
            .to_vec();
        let own: Vec<u16> = own_ports.iter().chain(&redirect_ports).copied().collect();
        let settings = Settings {
            workload: Workload {
                mode,
                namespace: Arc::from(namespace),
                labels: self.labels,
                addresses,
                own_ports,
                redirect_ports,
                dns_capture,
            },
            source: Options {
                paths: self.config,
                mesh_config: self.mesh_config,
            },
            ignore_authorization_policies,
            outbound_port: self.outbound_port,
            inbound_port: self.inbound_port,
            probe_port,
            dns_port: self.dns_port,
            admin: self.admin,
            health: self.health,
            stats: self.stats,
            agent: self.agent,
            application: match mode {
                Mode::Sidecar => application::targets(set(application::VARIABLE), &own),
                Mode::Gateway => (Arc::default(), Vec::new()),
            },
            surroundings: Surroundings {
                pod: set("POD_NAME").map(Arc::from),
                workload: set("ISTIO_META_WORKLOAD_NAME").map(Arc::from),
                cluster: set("ISTIO_META_CLUSTER_ID").map(Arc::from),
                mesh: set("ISTIO_META_MESH_ID").map(Arc::from),
            },
            histogram_bounds: annotations::histogram_bounds(
                set(annotations::VARIABLE),
                Path::new(annotations::FILE),
            ),
            access_log_reasons: self.access_log_reasons,
            kept_bodies_max: usize::from(self.kept_bodies_max) << 20,
            client_bounds: self.limits.client_bounds(),
            stalled_max: self.limits.stalled_max(),
            client_times: self.limits.client_times(mode),
            buffers_max: self.limits.buffers_max(),
            threads: self.threads.unwrap_or_else(threads_default),
            hot_restart: self.hot_restart,
            drain_time: end::drain_time(self.drain_time, set)?,
        };
        let format = match self.log_format {
            TypedLogFormat::Text => LogFormat::Text,
            TypedLogFormat::Json => LogFormat::Json,
        };
        Ok((settings, Log { filter, format }))
    }
}

fn threads_default() -> NonZeroUsize {
    // The kernel's answer respects affinity and the CPU quota of a container. No answer: one.
    let allowed = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(allowed.min(THREADS_DEFAULT_MAX)).unwrap_or(NonZeroUsize::MIN)
}

fn addresses(list: &str) -> Result<Vec<IpAddr>, String> {
    list.split(',')
        .map(|item| {
            item.trim()
                .parse()
                .map_err(|_| format!("INSTANCE_IP: {:?} is not an IP address\n", item.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
