//! Validated settings of the process, from the command line and the environment. No other module reads either.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use egret_config::snapshot::workload::Workload;
use tracing_subscriber::filter::Targets;

use crate::admin::application::ApplicationMetrics;
use crate::life::admission::ClientBounds;
use crate::life::client_times::ClientTimes;
use crate::life::end::DrainTime;
use crate::report::metrics::bounds::HistogramBounds;
use crate::report::metrics::identity::Surroundings;
use crate::source::files::Options;

/// All settings of `egret-proxy run`.
#[derive(Debug)]
pub struct Settings {
    /// The workload of this proxy, and whether it is a sidecar or a gateway.
    pub workload: Workload,
    /// Where the configuration is.
    pub source: Options,
    /// Whether AuthorizationPolicies that apply to the workload, which are not enforced, are accepted.
    pub ignore_authorization_policies: bool,
    /// The port that redirected outbound calls arrive on (sidecar).
    pub outbound_port: u16,
    /// The port that redirected inbound calls arrive on (sidecar).
    pub inbound_port: u16,
    /// The port that egret-init's validation connects to.
    pub probe_port: u16,
    /// The port that captured DNS queries arrive on (sidecar with DNS capture).
    pub dns_port: u16,
    /// Address of the admin pages.
    pub admin: SocketAddr,
    /// Where `/healthz/ready` is served.
    pub health: SocketAddr,
    /// Where `/stats/prometheus` alone is served.
    pub stats: SocketAddr,
    /// Where the pages of Istio's agent are served.
    pub agent: SocketAddr,
    /// The application's metrics endpoints, which the agent's page includes; and the problems of their settings.
    pub application: (Arc<[ApplicationMetrics]>, Vec<String>),
    /// The environment's facts about the workload, for labels of metrics.
    pub surroundings: Surroundings,
    /// The bounds of histograms, and what is wrong with those that the pod's annotations give.
    pub histogram_bounds: (HistogramBounds, Option<String>),
    /// Whether the access log has the reasons of each decision.
    pub access_log_reasons: bool,
    /// The limit in bytes of request bodies that are kept to be sent again.
    pub kept_bodies_max: usize,
    /// How many clients are served at a time.
    pub client_bounds: ClientBounds,
    /// Clients that may keep the proxy waiting at a time; `None` is no limit.
    pub stalled_max: Option<usize>,
    /// How long clients may take.
    pub client_times: ClientTimes,
    /// Bytes that buffers hold before each is as small as it can be.
    pub buffers_max: usize,
    /// Worker threads.
    pub threads: NonZeroUsize,
    /// Where another proxy takes over the listening sockets, and where this one took them over.
    pub hot_restart: Option<PathBuf>,
    /// The drain time after SIGTERM.
    pub drain_time: DrainTime,
}

/// The settings of the process log. MeshConfig has those of the access log.
#[derive(Debug)]
pub struct Log {
    /// What is written.
    pub filter: Targets,
    /// How it is written.
    pub format: LogFormat,
}

/// Form of the log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}
