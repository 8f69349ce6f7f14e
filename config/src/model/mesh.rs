//! Mesh-wide settings, with Istio's defaults filled in.

pub(crate) mod parse;
mod formats;
mod provider_parse;
mod providers;
mod proxy_headers;
mod settings;
mod tracing;
mod unused_fields;

pub use crate::model::mesh::providers::{
    AccessLogFile, DefaultProviders, ExtensionProvider, FormatSource, ProviderKind, SecretValue,
    Tracer, TracerProtocol,
};
pub use crate::model::mesh::proxy_headers::{ClientCert, ProxyHeaders, Topology};
pub use crate::model::mesh::settings::{AccessLogEncoding, Mesh};
pub use crate::model::mesh::tracing::{MeshTracing, TracingServiceName};
