//! The content of one document, in the types that the rest of the crate works with.

use std::sync::Arc;

use crate::load::wire_document::WireDocument;
use crate::model;
use crate::model::authorization::AuthorizationPolicy;
use crate::model::gateway::Gateway;
use crate::model::instance::Instance;
use crate::model::mesh::Mesh;
use crate::model::meta::Meta;
use crate::model::policy::DestinationRule;
use crate::model::secret::{Secret, Secrets};
use crate::model::service::Service;
use crate::model::sidecar::Sidecar;
use crate::model::telemetry::Telemetry;
use crate::model::virtual_service::VirtualService;
use crate::name::{DEFAULT_NAMESPACE, Kind, ObjectName};
use crate::problem::Diagnostics;
use crate::value::moment::Moment;
use crate::wire::envelope::Body;

/// What a document means.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A Kubernetes Service, or a ServiceEntry with one host.
    Service(Arc<Service>),
    /// The hosts of a ServiceEntry.
    Services(Arc<[Arc<Service>]>),
    /// The addresses of a Pod or a WorkloadEntry.
    Instances(Arc<[Instance]>),
    VirtualService(Arc<VirtualService>),
    DestinationRule(Arc<DestinationRule>),
    Gateway(Arc<Gateway>),
    Sidecar(Arc<Sidecar>),
    AuthorizationPolicy(Arc<AuthorizationPolicy>),
    /// `None` where it is for other proxies than sidecars and gateways.
    Telemetry(Option<Arc<Telemetry>>),
    Secret(Arc<Secret>),
    Mesh(Arc<Mesh>),
    /// It refers to Secrets or Pods, so that it is understood when all documents are there.
    Dependent(Arc<WireDocument>),
    /// It has errors and is left out, or means nothing to egret.
    Nothing,
}

/// Understands a document. One that refers to others is [`Content::Dependent`], whatever was reported.
pub(super) fn content(
    wire: WireDocument,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> Content {
    let secrets = Secrets::default();
    let metadata = &wire.metadata;
    let content = match &wire.body {
        Body::ServiceEntry(spec) => services(model::service_entry::parse(
            spec,
            metadata,
            meta,
            diagnostics,
        )),
        Body::Service(spec) => {
            let service = model::kubernetes::service(spec, metadata, meta, diagnostics);
            Content::Service(Arc::new(service))
        }
        Body::EndpointSlice(_) => return Content::Dependent(Arc::new(wire)),
        Body::Pod(pod) => {
            Content::Instances(model::instance::pod(pod, metadata, meta, diagnostics).into())
        }
        Body::WorkloadEntry(spec) => {
            let read = model::instance::workload_entry(spec, metadata, meta, diagnostics);
            Content::Instances(read.into())
        }
        Body::VirtualService(spec) => {
            let mut rules = model::virtual_service::parse(spec, meta, diagnostics);
            model::route::generated::interpret(&mut rules.http, metadata);
            Content::VirtualService(Arc::new(rules))
        }
        Body::DestinationRule(spec) => {
            let rule = model::policy::destination_rule::parse(spec, meta, &secrets, diagnostics);
            Content::DestinationRule(Arc::new(rule))
        }
        Body::Gateway(spec) => {
            let gateway = model::gateway::parse(spec, metadata, meta, &secrets, diagnostics);
            Content::Gateway(Arc::new(gateway))
        }
        Body::Sidecar(spec) => {
            Content::Sidecar(Arc::new(model::sidecar::parse(spec, meta, diagnostics)))
        }
        Body::AuthorizationPolicy(spec) => Content::AuthorizationPolicy(Arc::new(
            model::authorization::parse(spec, metadata, meta),
        )),
        Body::Telemetry(spec) => {
            Content::Telemetry(model::telemetry::parse(spec, meta, diagnostics).map(Arc::new))
        }
        Body::Secret(secret) => {
            Content::Secret(Arc::new(model::secret::parse(secret, diagnostics)))
        }
        Body::MeshConfig(mesh) => {
            // What it says counts, errors aside: it is never left out.
            let mesh = model::mesh::parse::parse(mesh, meta, diagnostics);
            return Content::Mesh(Arc::new(mesh));
        }
        // Only the one that holds the mesh configuration means something, and that became a MeshConfig.
        Body::ConfigMap(_) => return Content::Nothing,
    };
    if secrets.were_looked_up() {
        return Content::Dependent(Arc::new(wire));
    }
    match diagnostics.passed() {
        true => content,
        false => Content::Nothing,
    }
}

fn services(services: Vec<Service>) -> Content {
    let mut services: Vec<Arc<Service>> = services.into_iter().map(Arc::new).collect();
    match (services.pop(), services.is_empty()) {
        (Some(only), true) => Content::Service(only),
        (last, _) => Content::Services(services.into_iter().chain(last).collect()),
    }
}

/// The identity of a document.
pub(super) fn meta_of(wire: &WireDocument) -> Meta {
    let metadata = &wire.metadata;
    let namespace = match metadata.namespace.as_str() {
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    };
    Meta {
        kind: kind(&wire.body),
        name: ObjectName::new(namespace, metadata.name.as_str()),
        created: metadata
            .creation_timestamp
            .as_deref()
            .and_then(Moment::parse),
        location: wire.location.clone(),
    }
}

fn kind(body: &Body) -> Kind {
    match body {
        Body::ServiceEntry(_) => Kind::ServiceEntry,
        Body::WorkloadEntry(_) => Kind::WorkloadEntry,
        Body::VirtualService(_) => Kind::VirtualService,
        Body::DestinationRule(_) => Kind::DestinationRule,
        Body::Gateway(_) => Kind::Gateway,
        Body::Sidecar(_) => Kind::Sidecar,
        Body::AuthorizationPolicy(_) => Kind::AuthorizationPolicy,
        Body::Telemetry(_) => Kind::Telemetry,
        Body::Service(_) => Kind::Service,
        Body::EndpointSlice(_) => Kind::EndpointSlice,
        Body::Pod(_) => Kind::Pod,
        Body::Secret(_) => Kind::Secret,
        Body::ConfigMap(_) => Kind::ConfigMap,
        Body::MeshConfig(_) => Kind::MeshConfig,
    }
}
