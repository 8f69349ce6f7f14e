//! `MeshConfig`: a bare document, or text under the key `mesh` of the ConfigMap `istio`.

use super::destination_rule::TrafficPolicy;
use super::providers::{DefaultProviders, ExtensionProvider, ProxyTracing};
use super::reading::Loose;
use super::shared::{LocalityLbSetting, TcpKeepalive};
use super::virtual_service::HttpRetry;

object! {
    /// `MeshConfig`.
    pub struct MeshConfig {
        pub proxy_listen_port: u32,
        pub proxy_inbound_listen_port: u32,
        pub proxy_http_port: u32,
        pub connect_timeout: Option<String>,
        pub protocol_detection_timeout: Option<String>,
        pub tcp_keepalive: Option<TcpKeepalive>,
        pub dns_refresh_rate: Option<String>,
        pub access_log_file: String,
        pub access_log_format: String,
        pub access_log_encoding: String,
        pub disable_envoy_listener_log: bool,
        pub default_config: Option<ProxyConfig>,
        pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
        pub inbound_traffic_policy: Option<Loose>,
        pub enable_auto_mtls: Option<bool>,
        pub mesh_mtls as "mesh_mTLS": Option<TlsConfig>,
        pub tls_defaults: Option<TlsConfig>,
        pub trust_domain: String,
        pub trust_domain_aliases: Vec<String>,
        pub ca_certificates: Vec<Loose>,
        pub default_service_export_to: Vec<String>,
        pub default_virtual_service_export_to: Vec<String>,
        pub default_destination_rule_export_to: Vec<String>,
        pub root_namespace: String,
        pub locality_lb_setting: Option<LocalityLbSetting>,
        pub h2_upgrade_policy: String,
        pub path_normalization: Option<PathNormalization>,
        pub default_http_retry_policy: Option<HttpRetry>,
        pub default_traffic_policy: Option<TrafficPolicy>,
        pub zone_aware_lb_setting: Option<Loose>,
        pub service_settings: Vec<ServiceSettings>,
        pub discovery_selectors: Vec<Loose>,
        pub extension_providers: Vec<ExtensionProvider>,
        pub default_providers: Option<DefaultProviders>,
        pub enable_tracing: Option<bool>,
    }
    silent [
        "ingress_class",
        "ingress_service",
        "ingress_selector",
        "ingress_controller_mode",
        "enable_envoy_access_log_service",
        "enable_prometheus_merge",
        "config_sources",
        "certificates",
        "ca",
        "verify_certificate_at_client",
        "inbound_cluster_stat_name",
        "outbound_cluster_stat_name",
        "thrift_config",
        "sds_uds_path",
        "enable_sds_token_mount",
        "sds_use_k8s_sa_jwt",
        "auth_policy",
        "disable_mixer_http_reports",
        "mixer_check_server",
        "mixer_report_server",
        "enable_client_side_policy_check",
        "disable_policy_checks",
        "policy_check_fail_open",
        "disable_report_batch",
        "report_batch_max_entries",
        "report_batch_max_time",
        "service_scope_configs",
    ]
}

object! {
    /// `MeshConfig.OutboundTrafficPolicy`.
    pub struct OutboundTrafficPolicy {
        pub mode: String,
    }
}

object! {
    /// `MeshConfig.TLSConfig`.
    pub struct TlsConfig {
        pub min_protocol_version: String,
        pub cipher_suites: Vec<String>,
        pub ecdh_curves: Vec<String>,
    }
}

object! {
    /// `MeshConfig.ProxyPathNormalization`.
    pub struct PathNormalization {
        pub normalization: String,
    }
}

object! {
    /// `MeshConfig.ServiceSettings`.
    pub struct ServiceSettings {
        pub settings: Option<ServiceScope>,
        pub hosts: Vec<String>,
    }
}

object! {
    /// `MeshConfig.ServiceSettings.Settings`.
    pub struct ServiceScope {
        pub cluster_local: bool,
    }
}

object! {
    /// `ProxyConfig`, as far as it concerns egret. The rest configures Envoy or its agent.
    pub struct ProxyConfig {
        pub concurrency: Option<i32>,
        pub gateway_topology: Option<Topology>,
        pub proxy_headers: Option<ProxyHeaders>,
        pub drain_duration: Option<String>,
        pub termination_drain_duration: Option<String>,
        pub tracing: Option<ProxyTracing>,
        pub tracing_service_name: String,
        pub zipkin_address: String,
    }
    silent [
        "config_path",
        "binary_path",
        "service_cluster",
        "parent_shutdown_duration",
        "discovery_address",
        "discovery_refresh_delay",
        "statsd_udp_address",
        "proxy_admin_port",
        "availability_zone",
        "control_plane_auth_policy",
        "custom_config_file",
        "stat_name_length",
        "proxy_bootstrap_template_path",
        "interception_mode",
        "sds",
        "envoy_access_log_service",
        "envoy_metrics_service",
        "proxy_metadata",
        "runtime_values",
        "status_port",
        "extra_stat_tags",
        "mesh_id",
        "readiness_probe",
        "proxy_stats_matcher",
        "hold_application_until_proxy_starts",
        "ca_certificates_pem",
        "image",
        "private_key_provider",
        "file_flush_interval",
        "file_flush_min_size_kb",
        "stats_compression",
        "stats_eviction_interval",
        "connect_timeout",
    ]
}

object! {
    /// `ProxyConfig.ProxyHeaders`.
    pub struct ProxyHeaders {
        pub forwarded_client_cert: String,
        pub set_current_client_cert_details: Option<Loose>,
        pub request_id: Option<HeaderSwitch>,
        pub server: Option<ServerHeader>,
        pub attempt_count: Option<HeaderSwitch>,
        pub envoy_debug_headers: Option<HeaderSwitch>,
        pub metadata_exchange_headers: Option<Loose>,
        pub preserve_http1_header_case: Option<bool>,
        pub x_forwarded_host: Option<HeaderSetting>,
        pub x_forwarded_port: Option<HeaderSetting>,
    }
}

object! {
    /// `ProxyConfig.ProxyHeaders.RequestId` and its like.
    pub struct HeaderSwitch {
        pub disabled: Option<bool>,
    }
}

object! {
    /// `ProxyConfig.ProxyHeaders.XForwardedHost` and its like.
    pub struct HeaderSetting {
        pub enabled: Option<bool>,
    }
}

object! {
    /// `Topology` of `ProxyConfig.gatewayTopology`.
    pub struct Topology {
        pub num_trusted_proxies: u32,
        pub forward_client_cert_details: String,
        pub proxy_protocol: Option<Loose>,
    }
}

object! {
    /// `ProxyConfig.ProxyHeaders.Server`.
    pub struct ServerHeader {
        pub disabled: Option<bool>,
        pub value: String,
    }
}
