//! `extensionProviders`, `defaultProviders` and `defaultConfig.tracing` of a MeshConfig.

use std::collections::BTreeMap;

use super::reading::{Json, Loose};
use super::telemetry::CustomTag;

object! {
    /// `MeshConfig.ExtensionProvider`.
    pub struct ExtensionProvider {
        pub name: String,
        pub envoy_file_access_log: Option<EnvoyFileAccessLog>,
        pub opentelemetry: Option<OpenTelemetry>,
        pub zipkin: Option<Zipkin>,
        pub prometheus: Option<Loose>,
        pub envoy_http_als: Option<Loose>,
        pub envoy_tcp_als: Option<Loose>,
        pub envoy_otel_als: Option<Loose>,
        pub stackdriver: Option<Loose>,
        pub datadog: Option<Loose>,
        pub skywalking: Option<Loose>,
        pub lightstep: Option<Loose>,
        pub opencensus: Option<Loose>,
        pub envoy_ext_authz_http: Option<Loose>,
        pub envoy_ext_authz_grpc: Option<Loose>,
        pub sds: Option<Loose>,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider`.
    pub struct EnvoyFileAccessLog {
        pub path: String,
        pub log_format: Option<LogFormat>,
        pub omit_empty_values: bool,
    }
}

object! {
    /// `EnvoyFileAccessLogProvider.LogFormat`.
    pub struct LogFormat {
        pub text: String,
        pub labels: Option<Json>,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider`.
    pub struct OpenTelemetry {
        pub service: String,
        pub port: u32,
        pub max_tag_length: u32,
        pub http: Option<HttpService>,
        pub grpc: Option<GrpcService>,
        pub resource_detectors: Option<Loose>,
        pub dynatrace_sampler: Option<Loose>,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.HttpService`.
    pub struct HttpService {
        pub path: String,
        pub timeout: Option<String>,
        pub headers: Vec<HttpHeader>,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.GrpcService`.
    pub struct GrpcService {
        pub timeout: Option<String>,
        pub initial_metadata: Vec<HttpHeader>,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.HttpHeader`.
    pub struct HttpHeader {
        pub name: String,
        pub value: String,
        pub env_name: String,
    }
}

object! {
    /// `MeshConfig.ExtensionProvider.ZipkinTracingProvider`.
    pub struct Zipkin {
        pub service: String,
        pub port: u32,
        pub max_tag_length: u32,
        pub enable_64bit_trace_id: bool,
        pub path: String,
        pub trace_context_option: String,
        pub timeout: Option<String>,
        pub headers: Vec<HttpHeader>,
    }
}

object! {
    /// `MeshConfig.DefaultProviders`.
    pub struct DefaultProviders {
        pub tracing: Vec<String>,
        pub metrics: Vec<String>,
        pub access_logging: Vec<String>,
    }
}

object! {
    /// `Tracing` of ProxyConfig.
    pub struct ProxyTracing {
        pub zipkin: Option<ZipkinAddress>,
        pub lightstep: Option<Loose>,
        pub datadog: Option<Loose>,
        pub stackdriver: Option<Loose>,
        pub open_census_agent: Option<Loose>,
        pub custom_tags: BTreeMap<String, CustomTag>,
        pub max_path_tag_length: u32,
        pub sampling: f64,
        pub tls_settings: Option<Loose>,
        pub enable_istio_tags: Option<bool>,
    }
}

object! {
    /// `Tracing.Zipkin` of ProxyConfig.
    pub struct ZipkinAddress {
        pub address: String,
    }
}
