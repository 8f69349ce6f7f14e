//! The cluster of a collector of spans, among services and ServiceEntries.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::host::{CLUSTER_DOMAIN, HostPattern};
use crate::labels::Labels;
use crate::model::endpoint::{Address, Endpoint};
use crate::model::mesh::Tracer;
use crate::model::meta::{ExportTo, Meta};
use crate::model::service::{Resolution, Service, ServicePort};
use crate::port::Protocol;
use crate::snapshot::cluster::Discovery;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::target::Target;

/// Why a collector cannot be called.
pub(super) struct ExpressionError {
    /// What is wrong.
    pub(super) reason: String,
    /// What to do.
    pub(super) hint: &'static str,
}

/// The name of the cluster of a collector, which is added. The collector is a service, in the namespace that is named with
/// it, else the one that `namespace` sees, else any.
pub(super) fn cluster(
    tracer: &Tracer,
    namespace: &str,
    clusters: &mut Clusters<'_, '_>,
) -> Result<Arc<str>, ExpressionError> {
    let owner = tracer.namespace.as_deref();
    let registry = clusters.registry;
    let Some(service) = registry.named(&HostPattern::parse(&tracer.host), owner, namespace) else {
        return Err(ExpressionError {
            reason: format!(
                "{} is neither a service nor a host of a ServiceEntry",
                tracer.host
            ),
            hint: "write a ServiceEntry for it",
        });
    };
    clusters.add(&service);
    let host = match &service.resolution {
        Resolution::Alias(real) => {
            clusters.import(real, namespace);
            real
        }
        _ => &tracer.host,
    };
    built(tracer, host, clusters)
}

/// The cluster of a collector that `defaultConfig.tracing` gives as an address: of the service, if it is one, else of the
/// name or the address itself, as with Istio.
pub(super) fn cluster_of_address(
    tracer: &Tracer,
    namespace: &str,
    meta: &Arc<Meta>,
    clusters: &mut Clusters<'_, '_>,
) -> Result<Arc<str>, ExpressionError> {
    let registry = clusters.registry;
    // Names of Kubernetes may be short: `zipkin.istio-system`.
    let full = [
        tracer.host.to_string(),
        format!("{}.svc.{CLUSTER_DOMAIN}", tracer.host),
        format!("{}.{CLUSTER_DOMAIN}", tracer.host),
    ];
    for host in full {
        let named = registry.named(&HostPattern::parse(&host), None, namespace);
        if named.is_some() {
            let tracer = Tracer {
                host: host.into(),
                ..tracer.clone()
            };
            return cluster(&tracer, namespace, clusters);
        }
    }
    clusters.add(&Cow::Owned(service(tracer, meta)));
    built(tracer, &tracer.host, clusters)
}

/// The cluster of a host that was added.
fn built(
    tracer: &Tracer,
    host: &str,
    clusters: &Clusters<'_, '_>,
) -> Result<Arc<str>, ExpressionError> {
    match clusters.target(host, None, tracer.port) {
        Target::Cluster(cluster) => match cluster.discovery {
            Discovery::Members(_) | Discovery::Names { .. } => Ok(Arc::clone(&cluster.name)),
            Discovery::Original { .. } | Discovery::PerCall { .. } => Err(ExpressionError {
                reason: format!("{} has no endpoints of its own", tracer.host),
                hint: "set resolution DNS or STATIC in its ServiceEntry",
            }),
        },
        Target::Missing(_) => Err(ExpressionError {
            reason: format!("{} has no port {}", tracer.host, tracer.port),
            hint: "write a port of the service",
        }),
    }
}

/// A service made for an address outside of the registry.
fn service(tracer: &Tracer, meta: &Arc<Meta>) -> Service {
    let address: Option<IpAddr> = tracer.host.parse().ok();
    let endpoint = address.map(|address| Endpoint {
        address: Address::Ip(address),
        ports: BTreeMap::new(),
        labels: Labels::default(),
        weight: None,
        locality: "".into(),
        workload: None,
    });
    Service {
        meta: Arc::clone(meta),
        host: HostPattern::parse(&tracer.host),
        addresses: Vec::new(),
        given: Vec::new(),
        ports: vec![ServicePort {
            number: tracer.port,
            name: "http".into(),
            protocol: Protocol::Http,
            target: None,
            target_name: None,
            addresses: None,
        }],
        resolution: match address {
            Some(_) => Resolution::Static,
            None => Resolution::Dns,
        },
        headless: false,
        near: false,
        external: true,
        endpoints: endpoint.into_iter().collect(),
        selector: None,
        export_to: Some(ExportTo::Nobody),
        subject_alt_names: Vec::new(),
        labels: Labels::default(),
    }
}
