//! What a configuration says of spans, compiled: what they say of the proxy, and where they go.

use std::sync::Arc;

use egret_config::log_format::TextFormat;
use egret_config::model::mesh::TracingServiceName;
use egret_config::model::telemetry::CustomTag;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::cluster::Cluster;
use egret_config::snapshot::telemetry::Tracing;
use egret_config::snapshot::workload::{Mode, Workload};

use crate::report::access_log::environment::Environment;
use crate::report::metrics::identity::{Identity, Surroundings, UNKNOWN};
use crate::report::needs::Needs;

/// What `app` is of a workload without that label, in names of services.
const APP_DEFAULT: &str = "istio-proxy";

/// What a configuration says of spans.
#[derive(Debug)]
pub struct SpanPlan {
    /// How calls are traced.
    pub tracing: Tracing,
    /// The collector.
    pub cluster: Arc<Cluster>,
    /// `service.name`.
    pub service_name: Arc<str>,
    /// Whether this is a sidecar or a gateway.
    pub mode: Mode,
    /// The proxy's own name.
    pub node_id: Arc<str>,
    /// Istio's tags, the same in all spans.
    pub istio_tags: Vec<(&'static str, Arc<str>)>,
    /// The user's tags.
    pub custom_tags: Vec<(Arc<str>, TagSource)>,
}

/// Where the value of a user's tag comes from.
#[derive(Debug)]
pub enum TagSource {
    /// It is the same in all spans.
    Fixed(Arc<str>),
    /// A header of the request, else this.
    Header(Option<Arc<str>>),
    /// A format of the access log, and what it knows of the proxy.
    Format(Box<(TextFormat, Environment)>),
}

impl SpanPlan {
    /// The plan of a configuration; `None` where calls are not traced.
    pub fn of(snapshot: &Snapshot, surroundings: &Surroundings) -> Option<Self> {
        let tracing = snapshot.telemetry.tracing.as_ref()?;
        let cluster = snapshot.clusters.get(&tracing.cluster)?;
        let workload = &snapshot.workload;
        let identity = Identity::of(workload, surroundings);
        Some(Self {
            cluster: Arc::clone(cluster),
            service_name: service_name(tracing.service_name, workload, &identity),
            mode: workload.mode,
            node_id: node_id(workload, surroundings),
            istio_tags: match tracing.istio_tags {
                true => istio_tags(&identity, surroundings),
                false => Vec::new(),
            },
            custom_tags: custom_tags(tracing),
            tracing: tracing.clone(),
        })
    }

    /// Adds what the tags ask of the facts.
    pub fn add_needs(&self, needs: &mut Needs) {
        for (_, source) in &self.custom_tags {
            if let TagSource::Format(format) = source {
                needs.add_text(&format.0);
            }
        }
    }
}

fn service_name(how: TracingServiceName, workload: &Workload, identity: &Identity) -> Arc<str> {
    let namespace = &workload.namespace;
    match how {
        TracingServiceName::AppLabelAndNamespace => {
            let app = workload.labels.value("app").unwrap_or(APP_DEFAULT);
            format!("{app}.{namespace}").into()
        }
        TracingServiceName::CanonicalNameOnly => Arc::clone(&identity.canonical_service),
        TracingServiceName::CanonicalNameAndNamespace => {
            format!("{}.{namespace}", identity.canonical_service).into()
        }
    }
}

/// Istio's name of a proxy: `sidecar~IP~POD.NAMESPACE~NAMESPACE.svc.cluster.local`.
fn node_id(workload: &Workload, surroundings: &Surroundings) -> Arc<str> {
    let kind = match workload.mode {
        Mode::Sidecar => "sidecar",
        Mode::Gateway => "router",
    };
    let pod = surroundings.pod.as_deref().unwrap_or(UNKNOWN);
    let address = workload.addresses.first();
    let address = address.map(ToString::to_string).unwrap_or_default();
    let namespace = &workload.namespace;
    format!("{kind}~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local").into()
}

fn istio_tags(identity: &Identity, surroundings: &Surroundings) -> Vec<(&'static str, Arc<str>)> {
    let mesh = surroundings.mesh.clone();
    vec![
        (
            "istio.canonical_service",
            Arc::clone(&identity.canonical_service),
        ),
        (
            "istio.canonical_revision",
            Arc::clone(&identity.canonical_revision),
        ),
        ("istio.mesh_id", mesh.unwrap_or_else(|| UNKNOWN.into())),
        ("istio.namespace", Arc::clone(&identity.namespace)),
        ("istio.cluster_id", Arc::clone(&identity.cluster)),
    ]
}

fn custom_tags(tracing: &Tracing) -> Vec<(Arc<str>, TagSource)> {
    let all = tracing.custom_tags.iter();
    all.filter_map(|(name, tag)| {
        let source = match tag {
            CustomTag::Literal(text) => TagSource::Fixed(Arc::clone(text)),
            CustomTag::Environment { name, default } => {
                let value = Environment::value(name).map(Arc::from);
                TagSource::Fixed(value.or_else(|| default.clone())?)
            }
            CustomTag::Header { default, .. } => TagSource::Header(default.clone()),
            CustomTag::Formatter(text) => {
                let format = TextFormat::parse(text).ok()?;
                let mut environment = Environment::here();
                environment.look_up_text(&format);
                TagSource::Format(Box::new((format, environment)))
            }
        };
        Some((Arc::clone(name), source))
    })
    .collect()
}
