//! `DestinationRule`, networking.istio.io.

use std::collections::BTreeMap;

use super::reading::Loose;
use super::shared::{LocalityLbSetting, PortSelector, TcpKeepalive};

object! {
    /// `spec` of a DestinationRule.
    pub struct DestinationRule {
        pub host: String,
        pub traffic_policy: Option<TrafficPolicy>,
        pub subsets: Vec<Subset>,
        pub export_to: Vec<String>,
        pub workload_selector: Option<MatchLabels>,
    }
}

object! {
    /// `istio.type.v1beta1.WorkloadSelector`.
    pub struct MatchLabels {
        pub match_labels: BTreeMap<String, String>,
    }
}

object! {
    /// `Subset`.
    pub struct Subset {
        pub name: String,
        pub labels: BTreeMap<String, String>,
        pub traffic_policy: Option<TrafficPolicy>,
    }
}

object! {
    /// `TrafficPolicy`.
    pub struct TrafficPolicy {
        pub load_balancer: Option<LoadBalancer>,
        pub connection_pool: Option<ConnectionPool>,
        pub outlier_detection: Option<OutlierDetection>,
        pub tls: Option<ClientTls>,
        pub port_level_settings: Vec<PortTrafficPolicy>,
        pub tunnel: Option<Tunnel>,
        pub proxy_protocol: Option<ProxyProtocol>,
        pub retry_budget: Option<RetryBudget>,
    }
}

object! {
    /// `TrafficPolicy.PortTrafficPolicy`.
    pub struct PortTrafficPolicy {
        pub port: Option<PortSelector>,
        pub load_balancer: Option<LoadBalancer>,
        pub connection_pool: Option<ConnectionPool>,
        pub outlier_detection: Option<OutlierDetection>,
        pub tls: Option<ClientTls>,
    }
}

object! {
    /// `TrafficPolicy.TunnelSettings`.
    pub struct Tunnel {
        pub protocol: String,
        pub target_host: String,
        pub target_port: u32,
    }
}

object! {
    /// `TrafficPolicy.ProxyProtocol`.
    pub struct ProxyProtocol {
        pub version: String,
    }
}

object! {
    /// `TrafficPolicy.RetryBudget`.
    pub struct RetryBudget {
        pub percent: Option<f64>,
        pub min_retry_concurrency: u32,
        pub budget_interval: Option<String>,
    }
}

object! {
    /// `LoadBalancerSettings`.
    pub struct LoadBalancer {
        pub simple: Option<String>,
        pub consistent_hash: Option<ConsistentHash>,
        pub locality_lb_setting: Option<LocalityLbSetting>,
        pub warmup_duration_secs: Option<String>,
        pub warmup: Option<Warmup>,
        pub zone_aware_lb_setting: Option<Loose>,
    }
}

object! {
    /// `LoadBalancerSettings.ConsistentHashLB`.
    pub struct ConsistentHash {
        pub http_header_name: Option<String>,
        pub http_cookie: Option<HttpCookie>,
        pub use_source_ip: Option<bool>,
        pub http_query_parameter_name: Option<String>,
        pub ring_hash: Option<RingHash>,
        pub maglev: Option<Maglev>,
        pub minimum_ring_size: u64,
    }
}

object! {
    /// `LoadBalancerSettings.ConsistentHashLB.HTTPCookie`.
    pub struct HttpCookie {
        pub name: String,
        pub path: String,
        pub ttl: Option<String>,
        pub attributes: Vec<CookieAttribute>,
    }
}

object! {
    /// `LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute`.
    pub struct CookieAttribute {
        pub name: String,
        pub value: String,
    }
}

object! {
    /// `LoadBalancerSettings.ConsistentHashLB.RingHash`.
    pub struct RingHash {
        pub minimum_ring_size: u64,
    }
}

object! {
    /// `LoadBalancerSettings.ConsistentHashLB.MagLev`.
    pub struct Maglev {
        pub table_size: u64,
    }
}

object! {
    /// `WarmupConfiguration`.
    pub struct Warmup {
        pub duration: Option<String>,
        pub minimum_percent: Option<f64>,
        pub aggression: Option<f64>,
    }
}

object! {
    /// `ConnectionPoolSettings`.
    pub struct ConnectionPool {
        pub tcp: Option<TcpPool>,
        pub http: Option<HttpPool>,
    }
}

object! {
    /// `ConnectionPoolSettings.TCPSettings`.
    pub struct TcpPool {
        pub max_connections: i32,
        pub connect_timeout: Option<String>,
        pub tcp_keepalive: Option<TcpKeepalive>,
        pub max_connection_duration: Option<String>,
        pub idle_timeout: Option<String>,
    }
}

object! {
    /// `ConnectionPoolSettings.HTTPSettings`.
    pub struct HttpPool {
        pub http1_max_pending_requests: i32,
        pub http2_max_requests: i32,
        pub max_requests_per_connection: i32,
        pub max_retries: i32,
        pub idle_timeout: Option<String>,
        pub h2_upgrade_policy: String,
        pub use_client_protocol: bool,
        pub max_concurrent_streams: i32,
        pub http2_keep_alive: Option<Loose>,
    }
}

object! {
    /// `OutlierDetection`.
    pub struct OutlierDetection {
        pub consecutive_errors: i32,
        pub split_external_local_origin_errors: bool,
        pub consecutive_local_origin_failures: Option<u32>,
        pub consecutive_gateway_errors: Option<u32>,
        pub consecutive_5xx_errors: Option<u32>,
        pub interval: Option<String>,
        pub base_ejection_time: Option<String>,
        pub max_ejection_percent: i32,
        pub min_health_percent: i32,
        pub outlier_detection_http_error_codes: Vec<u32>,
    }
}

object! {
    /// `ClientTLSSettings`.
    pub struct ClientTls {
        pub mode: String,
        pub client_certificate: String,
        pub private_key: String,
        pub ca_certificates: String,
        pub ca_crl: String,
        pub credential_name: String,
        pub subject_alt_names: Vec<String>,
        pub sni: String,
        pub insecure_skip_verify: Option<bool>,
    }
}
