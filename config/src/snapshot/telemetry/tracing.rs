//! How calls are traced.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::mesh::{MeshTracing, Tracer, TracerProtocol};
use crate::model::telemetry::{CustomTag, Telemetry};
use crate::snapshot::clusters::Clusters;
use crate::snapshot::telemetry::collectors;
use crate::snapshot::telemetry::providers::{Named, Provider, Providers, Purpose};
use crate::snapshot::telemetry::types::Tracing;

/// The share of calls that are sampled when nothing is written: 1 %.
const SAMPLING: u32 = 10_000;

/// Characters of the path in a span, when nothing is written.
const TAG_LENGTH: u32 = 256;

/// The name in logs of the collector of `defaultConfig.tracing.zipkin`.
const ZIPKIN: &str = "zipkin";

/// The settings of levels, later ones over earlier ones.
#[derive(Default)]
struct Merged<'o> {
    provider: Option<Named<'o>>,
    sampling: Option<u32>,
    disabled: bool,
    custom_tags: Option<&'o BTreeMap<Arc<str>, CustomTag>>,
    istio_tags: Option<bool>,
    use_request_id: Option<bool>,
    disable_context_propagation: Option<bool>,
}

/// Merges `tracing` of all levels; `None` where calls are not traced.
pub(super) fn tracing(
    levels: &[&Telemetry],
    namespace: &str,
    providers: &mut Providers<'_, '_>,
    clusters: &mut Clusters<'_, '_>,
) -> Option<Tracing> {
    let mesh = &providers.mesh.tracing;
    let defaults = Named::defaults("tracing", &providers.mesh.default_providers.tracing);
    let telemetry = levels.iter().any(|level| level.traces);
    if !telemetry && defaults.is_empty() {
        return oldest(mesh, namespace, providers, clusters);
    }
    let mut merged = merged(levels, defaults.into_iter().next());
    let named = merged.provider.take()?;
    if merged.disabled {
        return None;
    }
    let Provider::Tracer(tracer) = providers.find(&named.name) else {
        providers.report_unusable(&named, Purpose::Tracing, "calls are not traced");
        return None;
    };
    match collectors::cluster(tracer, namespace, clusters) {
        Ok(cluster) => Some(made(&merged, mesh, &named.name, tracer, cluster)),
        Err(error) => {
            let reason = format!("calls are not traced: {}", error.reason);
            providers.add(&named, reason, error.hint.to_owned());
            None
        }
    }
}

fn merged<'o>(levels: &[&'o Telemetry], default: Option<Named<'o>>) -> Merged<'o> {
    let mut merged = Merged {
        provider: default,
        ..Merged::default()
    };
    for level in levels {
        for one in &level.tracing {
            if let Some(name) = &one.provider {
                let names = [Arc::clone(name)];
                let named = Named::all(&level.meta, "tracing", one.index, &names);
                merged.provider = named.into_iter().next().or(merged.provider);
            }
            merged.sampling = one.sampling.or(merged.sampling);
            merged.disabled = one.disable_span_reporting.unwrap_or(merged.disabled);
            if !one.custom_tags.is_empty() {
                merged.custom_tags = Some(&one.custom_tags);
            }
            merged.istio_tags = one.istio_tags.or(merged.istio_tags);
            merged.use_request_id = one.use_request_id.or(merged.use_request_id);
            merged.disable_context_propagation = one
                .disable_context_propagation
                .or(merged.disable_context_propagation);
        }
    }
    merged
}

/// `enableTracing` with `defaultConfig.tracing.zipkin`, where neither Telemetry nor a default sets anything.
fn oldest(
    mesh: &MeshTracing,
    namespace: &str,
    providers: &mut Providers<'_, '_>,
    clusters: &mut Clusters<'_, '_>,
) -> Option<Tracing> {
    let (host, port) = mesh.zipkin.as_ref().filter(|_| mesh.enabled)?;
    let tracer = Tracer {
        namespace: None,
        host: Arc::clone(host),
        port: *port,
        max_tag_length: mesh.max_path_tag_length.unwrap_or(TAG_LENGTH),
        protocol: TracerProtocol::Zipkin {
            path: "/api/v2/spans".into(),
            short_trace_id: false,
            w3c: false,
            timeout: None,
            headers: Vec::new(),
        },
    };
    let meta = Arc::clone(providers.mesh.meta.as_ref()?);
    let field = "defaultConfig.tracing.zipkin.address";
    let named = Named::of_mesh(field, format!("{host}:{port}").into());
    match collectors::cluster_of_address(&tracer, namespace, &meta, clusters) {
        Ok(cluster) => {
            let nothing = Merged::default();
            Some(made(&nothing, mesh, &ZIPKIN.into(), &tracer, cluster))
        }
        Err(error) => {
            let reason = format!("calls are not traced: {}", error.reason);
            providers.add(&named, reason, error.hint.to_owned());
            None
        }
    }
}

fn made(
    merged: &Merged<'_>,
    mesh: &MeshTracing,
    provider: &Arc<str>,
    tracer: &Tracer,
    cluster: Arc<str>,
) -> Tracing {
    let custom_tags = merged.custom_tags.unwrap_or(&mesh.custom_tags);
    Tracing {
        provider: Arc::clone(provider),
        cluster,
        authority: Arc::clone(&tracer.host),
        port: tracer.port,
        protocol: tracer.protocol.clone(),
        sampling: merged.sampling.or(mesh.sampling).unwrap_or(SAMPLING),
        custom_tags: custom_tags.clone(),
        istio_tags: merged.istio_tags.or(mesh.istio_tags).unwrap_or(true),
        use_request_id: merged.use_request_id.unwrap_or(true),
        context_propagation: merged.disable_context_propagation != Some(true),
        service_name: mesh.service_name,
        max_tag_length: tracer.max_tag_length,
    }
}
