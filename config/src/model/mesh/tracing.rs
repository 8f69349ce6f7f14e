//! `enableTracing` and the tracing settings of `defaultConfig`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::read;
use crate::model::telemetry::{CustomTag, sampling, tags};
use crate::problem::Diagnostics;
use crate::wire::mesh_config::MeshConfig as Wire;

/// The tracing settings of a MeshConfig.
#[derive(Clone, Debug, Default)]
pub struct MeshTracing {
    /// `enableTracing`; unset is true, as in Istio's default MeshConfig.
    pub enabled: bool,
    /// `defaultConfig.tracing.zipkin.address` (or the older `zipkinAddress`): host and port of a collector.
    pub zipkin: Option<(Arc<str>, u16)>,
    /// `defaultConfig.tracing.sampling`, in millionths; `None` is unset, and so is 0.
    pub sampling: Option<u32>,
    /// `defaultConfig.tracing.customTags`.
    pub custom_tags: BTreeMap<Arc<str>, CustomTag>,
    /// `defaultConfig.tracing.maxPathTagLength`.
    pub max_path_tag_length: Option<u32>,
    /// `defaultConfig.tracing.enableIstioTags`.
    pub istio_tags: Option<bool>,
    /// `defaultConfig.tracingServiceName`.
    pub service_name: TracingServiceName,
}

/// `tracingServiceName` of ProxyConfig: what `service.name` of spans is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TracingServiceName {
    /// `APP_LABEL_AND_NAMESPACE`: the label `app` (else `istio-proxy`), a dot, the namespace.
    #[default]
    AppLabelAndNamespace,
    /// `CANONICAL_NAME_ONLY`.
    CanonicalNameOnly,
    /// `CANONICAL_NAME_AND_NAMESPACE`.
    CanonicalNameAndNamespace,
}

/// Reads the tracing settings of a MeshConfig.
pub(super) fn parse(wire: &Wire, diagnostics: &mut Diagnostics<'_>) -> MeshTracing {
    let mut read = MeshTracing {
        enabled: wire.enable_tracing != Some(false),
        ..MeshTracing::default()
    };
    let Some(config) = &wire.default_config else {
        return read;
    };
    diagnostics.within("defaultConfig", |diagnostics| {
        let names = [
            (
                "APP_LABEL_AND_NAMESPACE",
                TracingServiceName::AppLabelAndNamespace,
            ),
            ("CANONICAL_NAME_ONLY", TracingServiceName::CanonicalNameOnly),
            (
                "CANONICAL_NAME_AND_NAMESPACE",
                TracingServiceName::CanonicalNameAndNamespace,
            ),
        ];
        let name = &config.tracing_service_name;
        read.service_name =
            read::enum_value(diagnostics, "tracingServiceName", name, &names).unwrap_or_default();
        read.zipkin = address(diagnostics, "zipkinAddress", &config.zipkin_address);
        let Some(wire) = &config.tracing else {
            return;
        };
        diagnostics.within("tracing", |diagnostics| {
            if let Some(zipkin) = &wire.zipkin {
                read.zipkin = address(diagnostics, "zipkin.address", &zipkin.address);
            }
            // 0 means unset in protobuf.
            let percent = Some(wire.sampling).filter(|percent| *percent != 0.0);
            read.sampling = percent.and_then(|percent| sampling(diagnostics, "sampling", percent));
            read.custom_tags = tags::custom_tags(&wire.custom_tags, diagnostics);
            read.max_path_tag_length = Some(wire.max_path_tag_length).filter(|most| *most > 0);
            read.istio_tags = wire.enable_istio_tags;
        });
    });
    read
}

/// A host and a port; `None` for an empty text, and with a warning for another.
fn address(diagnostics: &mut Diagnostics<'_>, part: &str, text: &str) -> Option<(Arc<str>, u16)> {
    if text.is_empty() {
        return None;
    }
    let parts = text.rsplit_once(':').and_then(|(host, port)| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty()).then(|| (Arc::from(host), port))
    });
    if parts.is_none() {
        let message = (
            "not a host and a port: calls are not traced",
            "write them as zipkin.istio-system:9411",
        );
        diagnostics.warn(part, text, message);
    }
    parts
}
