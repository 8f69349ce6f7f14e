//! Types of traffic policies.

use std::sync::Arc;
use std::time::Duration;

use crate::host::HostPattern;
use crate::labels::Labels;
use crate::model::meta::{ExportTo, Meta};
use crate::model::tls::ClientTls;

/// A DestinationRule.
#[derive(Clone, Debug)]
pub struct DestinationRule {
    /// The object.
    pub meta: Arc<Meta>,
    /// The host it is for, completed if it was short.
    pub host: HostPattern,
    /// Policy of the host and of its ports; `None` when the rule has no `trafficPolicy`.
    pub policy: Option<PortPolicies>,
    /// Subsets, in order, unique by name.
    pub subsets: Vec<Subset>,
    /// Who sees it; `None` means MeshConfig `defaultDestinationRuleExportTo`.
    pub export_to: Option<ExportTo>,
    /// `workloadSelector`: only these callers (then the rule is private to its namespace).
    pub selector: Option<Labels>,
}

/// One subset.
#[derive(Clone, Debug)]
pub struct Subset {
    /// The name that destinations use.
    pub name: Arc<str>,
    /// Labels that its endpoints have.
    pub labels: Labels,
    /// Its own policy.
    pub policy: Option<PortPolicies>,
}

/// A policy with settings of its own for some ports.
#[derive(Clone, Debug, Default)]
pub struct PortPolicies {
    /// For ports without an entry.
    pub all: TrafficPolicy,
    /// `portLevelSettings`, by service port number.
    pub ports: Vec<(u16, TrafficPolicy)>,
}

/// The blocks of one traffic policy; each is `None` when not written, so that merging can tell.
#[derive(Clone, Debug, Default)]
pub struct TrafficPolicy {
    /// `loadBalancer`.
    pub load_balancer: Option<LoadBalancer>,
    /// `loadBalancer.localityLbSetting`; belongs to the block above.
    pub locality: Option<Locality>,
    /// `loadBalancer.warmup`; belongs to the same block.
    pub warmup: Option<Warmup>,
    /// `connectionPool`.
    pub connection_pool: Option<ConnectionPool>,
    /// `outlierDetection`.
    pub outlier_detection: Option<OutlierDetection>,
    /// `tls`; `Some(None)` is mode DISABLE.
    pub tls: Option<Option<ClientTls>>,
    /// `tunnel`.
    pub tunnel: Option<Tunnel>,
    /// `proxyProtocol` version, 1 or 2.
    pub proxy_protocol: Option<u8>,
    /// `retryBudget`.
    pub retry_budget: Option<RetryBudget>,
}

/// `localityLbSetting`: which endpoints are near. `failover` and `priority_labels` count only beside outlier detection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// `enabled`; `None` is the mesh's.
    pub enabled: Option<bool>,
    /// `distribute`: from a locality, shares of localities in percent. Localities may end in `/*` or be `*`.
    pub distribute: Vec<(Arc<str>, Shares)>,
    /// `failover`: from a region to a region.
    pub failover: Vec<(Arc<str>, Arc<str>)>,
    /// `failoverPriority`: labels, or `label=value`, that make an endpoint near the more of them match from the first on.
    pub priority_labels: Vec<Arc<str>>,
}

/// Localities, each with its share in percent.
pub type Shares = Vec<(Arc<str>, u32)>;

/// `retryBudget`: retries at once, as a share of the requests under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// `percent`, 0 to 100; default 20.
    pub percent: f64,
    /// `minRetryConcurrency`: so many are always allowed; default 3.
    pub retries_min: u32,
}

/// `warmup`: how the share of an endpoint grows after it came. For ROUND_ROBIN and LEAST_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// `duration` until it has its full share.
    pub duration: Duration,
    /// `minimumPercent` of its share, which it has from the beginning; default 10.
    pub percent_min: f64,
    /// `aggression`: 1 grows evenly, more grows faster in the beginning; default 1.
    pub aggression: f64,
}

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancer {
    /// `LEAST_REQUEST`, Istio's default: the less busy of two random ones.
    #[default]
    LeastRequest,
    /// `ROUND_ROBIN`.
    RoundRobin,
    /// `RANDOM`.
    Random,
    /// `PASSTHROUGH`: dial where the caller wanted to go.
    Passthrough,
    /// `consistentHash`.
    ConsistentHash(ConsistentHash),
}

/// `consistentHash`: equal calls go to equal endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistentHash {
    /// What is hashed.
    pub on: HashOn,
    /// Where hashes lead.
    pub table: HashTable,
}

/// Where hashes lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTable {
    /// `ringHash`, the default.
    Ring {
        /// `minimumRingSize`, default 1024.
        size_min: u64,
    },
    /// `maglev`.
    Maglev {
        /// `tableSize`, a prime; default 65537.
        size: u64,
    },
}

/// What `consistentHash` hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOn {
    /// `httpHeaderName`, lower case.
    Header(Arc<str>),
    /// `httpCookie`.
    Cookie {
        /// Its name.
        name: Arc<str>,
        /// Its path.
        path: Option<Arc<str>>,
        /// Its life; a cookie is made when the client has none. Zero: a session cookie.
        ttl: Option<Duration>,
        /// `attributes` of a cookie that is made, such as `SameSite`; a value may be empty.
        attributes: Vec<(Arc<str>, Arc<str>)>,
    },
    /// `useSourceIp`.
    SourceIp,
    /// `httpQueryParameterName`.
    Query(Arc<str>),
}

/// Limits and times of connections. `None` is Istio's default, which is no limit unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionPool {
    /// `tcp.maxConnections`.
    pub connections_max: Option<u32>,
    /// `tcp.connectTimeout`; default MeshConfig `connectTimeout`, 10 s.
    pub connect_timeout: Option<Duration>,
    /// `tcp.idleTimeout`; default 1 h.
    pub tcp_idle_timeout: Option<Duration>,
    /// `tcp.maxConnectionDuration`.
    pub connection_duration_max: Option<Duration>,
    /// `tcp.tcpKeepalive`.
    pub keepalive: Option<Keepalive>,
    /// `http.http1MaxPendingRequests`.
    pub pending_max: Option<u32>,
    /// `http.http2MaxRequests`.
    pub requests_max: Option<u32>,
    /// `http.maxRequestsPerConnection`; 0 is no limit.
    pub requests_per_connection_max: Option<u32>,
    /// `http.maxConcurrentStreams`: requests on one HTTP/2 connection at a time.
    pub streams_max: Option<u32>,
    /// `http.maxRetries`.
    pub retries_max: Option<u32>,
    /// `http.idleTimeout`; default 1 h.
    pub http_idle_timeout: Option<Duration>,
    /// `http.h2UpgradePolicy` UPGRADE; of a cluster, whether it is called with HTTP/2 though its port does not say so.
    pub h2_upgrade: Option<bool>,
    /// `http.useClientProtocol`, which beats the port; of a cluster, whether it is called as clients call.
    pub use_client_protocol: bool,
}

/// TCP keepalive settings; `None` is the operating system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Probes without an answer before the connection is dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// When an endpoint is left out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// `consecutive5xxErrors`; 0 is off.
    pub consecutive_5xx: u32,
    /// `consecutiveGatewayErrors`; 0 is off.
    pub consecutive_gateway_errors: u32,
    /// `consecutiveLocalOriginFailures`, where `splitExternalLocalOriginErrors` counts connections that fail apart from
    /// answers; `None` counts them as 5xx. 0 is off.
    pub consecutive_local_failures: Option<u32>,
    /// `outlierDetectionHttpErrorCodes`: statuses below 500 that count as server errors too, as 500 does.
    pub error_statuses: Vec<u16>,
    /// `interval` between sweeps.
    pub interval: Duration,
    /// `baseEjectionTime`, multiplied by how often it happened.
    pub base_ejection_time: Duration,
    /// `maxEjectionPercent`.
    pub ejection_percent_max: u32,
    /// `minHealthPercent`.
    pub health_percent_min: u32,
}

/// `tunnel`: reach the upstream through an HTTP CONNECT proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// POST instead of CONNECT.
    pub post: bool,
    /// Host named in the CONNECT request.
    pub target_host: Arc<str>,
    /// Port named in the CONNECT request.
    pub target_port: u16,
}
