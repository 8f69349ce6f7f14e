//! MeshConfig, as far as it means something to egret.

use std::sync::Arc;
use std::time::Duration;

use crate::model::mesh::providers::{DefaultProviders, ExtensionProvider, FormatSource};
use crate::model::mesh::proxy_headers::{ProxyHeaders, Topology};
use crate::model::mesh::tracing::MeshTracing;
use crate::model::meta::{ExportTo, Meta};
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::policy::{Keepalive, Locality, TrafficPolicy};
use crate::model::route::Retries;
use crate::model::sidecar::EgressPort;
use crate::model::tls::defaults::TlsDefaults;
use crate::name::ROOT_NAMESPACE;
use crate::value::path::PathNormalization;

/// Encoding of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogEncoding {
    /// Istio's default text line.
    Text,
    /// One JSON object a line.
    Json,
}

/// MeshConfig, as far as it means something to egret.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// The object, if one was given.
    pub meta: Option<Arc<Meta>>,
    /// `outboundTrafficPolicy.mode`.
    pub outbound_policy: OutboundPolicy,
    /// `protocolDetectionTimeout`; `None` is unset.
    pub detection_timeout: Option<Duration>,
    /// `connectTimeout`.
    pub connect_timeout: Duration,
    /// `rootNamespace`.
    pub root_namespace: Arc<str>,
    /// `defaultServiceExportTo`.
    pub service_export_to: ExportTo,
    /// `defaultVirtualServiceExportTo`.
    pub virtual_service_export_to: ExportTo,
    /// `defaultDestinationRuleExportTo`.
    pub destination_rule_export_to: ExportTo,
    /// `defaultHttpRetryPolicy`.
    pub retries: Option<Retries>,
    /// `defaultTrafficPolicy`: each block applies to services whose DestinationRule does not set it.
    pub traffic_policy: Option<TrafficPolicy>,
    /// `accessLogFile`; empty is off.
    pub access_log_file: Arc<str>,
    /// `accessLogEncoding`.
    pub access_log_encoding: AccessLogEncoding,
    /// `accessLogFormat`; empty is the default line or keys.
    pub access_log_format: Arc<str>,
    /// The format of a line of `accessLogFile`, from both.
    pub log_format: FormatSource,
    /// `extensionProviders`, in order.
    pub extension_providers: Vec<Arc<ExtensionProvider>>,
    /// `defaultProviders`.
    pub default_providers: DefaultProviders,
    /// `enableTracing` and `defaultConfig.tracing`.
    pub tracing: MeshTracing,
    /// `dnsRefreshRate`: the longest time until a name that failed is resolved again.
    pub dns_refresh_rate: Duration,
    /// `h2UpgradePolicy` UPGRADE.
    pub h2_upgrade: bool,
    /// `localityLbSetting`.
    pub locality: Locality,
    /// `pathNormalization`.
    pub path_normalization: PathNormalization,
    /// `tcpKeepalive`: what DestinationRules leave unsaid.
    pub keepalive: Option<Keepalive>,
    /// `proxyHttpPort`: where a sidecar is an HTTP proxy for applications that are configured to use it.
    pub http_proxy: Option<EgressPort>,
    /// `tlsDefaults`.
    pub tls_defaults: TlsDefaults,
    /// `defaultConfig.proxyHeaders`.
    pub proxy_headers: ProxyHeaders,
    /// `defaultConfig.gatewayTopology`.
    pub topology: Topology,
    /// `defaultConfig.terminationDrainDuration`: how long a proxy goes on after the signal to end.
    pub termination_drain: Option<Duration>,
}

impl Default for Mesh {
    /// Istio's defaults: what a mesh without MeshConfig does.
    fn default() -> Self {
        Self {
            meta: None,
            outbound_policy: OutboundPolicy::AllowAny,
            detection_timeout: None,
            connect_timeout: Duration::from_secs(10),
            root_namespace: ROOT_NAMESPACE.into(),
            service_export_to: ExportTo::All,
            virtual_service_export_to: ExportTo::All,
            destination_rule_export_to: ExportTo::All,
            retries: None,
            traffic_policy: None,
            access_log_file: "".into(),
            access_log_encoding: AccessLogEncoding::Text,
            access_log_format: "".into(),
            log_format: FormatSource::DefaultText,
            extension_providers: Vec::new(),
            default_providers: DefaultProviders::default(),
            tracing: MeshTracing::default(),
            dns_refresh_rate: Duration::from_secs(60),
            h2_upgrade: false,
            locality: Locality::default(),
            path_normalization: PathNormalization::default(),
            keepalive: None,
            http_proxy: None,
            tls_defaults: TlsDefaults::default(),
            proxy_headers: ProxyHeaders::default(),
            topology: Topology::default(),
            termination_drain: None,
        }
    }
}
