//! What a sidecar's workload may see: exportTo, and the Sidecar that scopes it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::model::service::Service;
use crate::model::sidecar::{EgressListener, EgressPort, EgressProxy, Import, ImportFrom, Sidecar};
use crate::model::source::GatewayName;
use crate::model::virtual_service::VirtualService;
use crate::snapshot::bound_port::BoundPort;
use crate::snapshot::services::{Registry, TieBreak, includes, is_public};
use crate::snapshot::workload::Workload;

/// What a sidecar's workload sees.
pub(crate) struct Scope<'o> {
    /// One an egress listener, in order.
    pub(crate) imports: Vec<Imports<'o>>,
    /// What happens to unknown calls.
    pub(crate) policy: OutboundPolicy,
    /// The object that sets it: `MeshConfig`, `Sidecar ns/name`, or `Istio's default`.
    pub(crate) policy_source: Arc<str>,
    /// Egress listeners that egret itself listens on.
    pub(crate) bound: Vec<BoundPort>,
    /// Where unknown calls go instead.
    pub(crate) egress_proxy: Option<&'o EgressProxy>,
}

/// What one egress listener imports.
pub(crate) struct Imports<'o> {
    /// Only this port.
    pub(crate) port: Option<&'o EgressPort>,
    /// An address to listen on instead of the services' own; never the unspecified one, which is no address of its own.
    pub(crate) bind: Option<IpAddr>,
    /// The services, in order.
    pub(crate) services: Vec<Cow<'o, Service>>,
    /// The VirtualServices for sidecars, in order.
    pub(crate) virtual_services: Vec<&'o Arc<VirtualService>>,
}

/// Where the HTTP proxy of `proxyHttpPort` listens: for the applications of the pod alone, as with Istio.
const PROXY_BIND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl<'o> Imports<'o> {
    /// What the HTTP proxy of `proxyHttpPort` imports: whatever the egress listener without a port does.
    fn for_proxy(all: &[Self], port: &'o EgressPort) -> Option<Self> {
        let every = all.iter().find(|imports| imports.port.is_none())?;
        Some(Self {
            port: Some(port),
            bind: Some(PROXY_BIND),
            services: every.services.clone(),
            virtual_services: every.virtual_services.clone(),
        })
    }
}

/// The scope of a sidecar's workload.
pub(crate) fn scope<'o>(
    objects: &'o Objects,
    registry: &Registry<'o>,
    workload: &Workload,
) -> Scope<'o> {
    let sidecar = sidecar_of(objects, workload);
    let virtual_services: Vec<_> = virtual_services(objects, &workload.namespace)
        .into_iter()
        .filter(|vs| vs.gateways.contains(&GatewayName::Mesh))
        .collect();
    let listeners = sidecar.map_or(&[][..], |sidecar| &sidecar.egress);
    let mut imports = if listeners.is_empty() {
        vec![Imports {
            port: None,
            bind: None,
            services: registry.visible(&workload.namespace, TieBreak::Own, |_| true),
            virtual_services,
        }]
    } else {
        listeners
            .iter()
            .map(|listener| imports(listener, registry, workload, &virtual_services))
            .collect()
    };
    let bound = listeners.iter().filter(|listener| listener.dialled);
    let mut bound: Vec<_> = bound
        .filter_map(|listener| {
            Some(BoundPort {
                bind: listener.bind.filter(|bind| !bind.is_unspecified()),
                port: listener.port.as_ref()?.number,
            })
        })
        .collect();
    if let Some(port) = &objects.mesh.http_proxy {
        let proxy = BoundPort {
            bind: Some(PROXY_BIND),
            port: port.number,
        };
        // A Sidecar's own listener there goes first.
        if !bound.contains(&proxy)
            && let Some(of_proxy) = Imports::for_proxy(&imports, port)
        {
            imports.push(of_proxy);
            bound.push(proxy);
        }
    }
    let mesh_source = match &objects.mesh.meta {
        Some(meta) => format!("MeshConfig ({})", meta.location.at_line(0)),
        None => "Istio's default".to_owned(),
    };
    let own = sidecar.and_then(|sidecar| Some((sidecar, sidecar.outbound_policy?)));
    Scope {
        imports,
        policy: own.map_or(objects.mesh.outbound_policy, |(_, policy)| policy),
        policy_source: own
            .map_or(mesh_source, |(sidecar, _)| sidecar.meta.title())
            .into(),
        bound,
        egress_proxy: sidecar.and_then(|sidecar| sidecar.egress_proxy.as_ref()),
    }
}

/// The VirtualServices that a namespace sees: its private ones, those exported to it, then public ones, each by age.
/// Delegates (without hosts) are left out.
pub(crate) fn virtual_services<'o>(
    objects: &'o Objects,
    namespace: &str,
) -> Vec<&'o Arc<VirtualService>> {
    let default = &objects.mesh.virtual_service_export_to;
    let mut visible: Vec<_> = objects
        .virtual_services
        .iter()
        .filter(|vs| !vs.hosts.is_empty() && sees(objects, namespace, vs))
        .collect();
    visible.sort_by_key(|vs| {
        if is_public(vs.export_to.as_ref(), default) {
            2
        } else {
            u8::from(*vs.meta.name.namespace != *namespace)
        }
    });
    visible
}

/// Whether `namespace` sees a VirtualService.
pub(crate) fn sees(objects: &Objects, namespace: &str, vs: &VirtualService) -> bool {
    includes(
        vs.export_to.as_ref(),
        &objects.mesh.virtual_service_export_to,
        &vs.meta.name.namespace,
        namespace,
    )
}

/// The Sidecar of a workload: of its namespace, first those whose selector has its labels, then the one without
/// selector; else the root namespace's without selector.
fn sidecar_of<'o>(objects: &'o Objects, workload: &Workload) -> Option<&'o Sidecar> {
    let of = |namespace: &str| {
        let namespace = namespace.to_owned();
        objects
            .sidecars
            .iter()
            .filter(move |sidecar| *sidecar.meta.name.namespace == *namespace)
    };
    let unselective = |sidecar: &&Arc<Sidecar>| sidecar.selector.is_none();
    of(&workload.namespace)
        .find(|sidecar| {
            sidecar
                .selector
                .as_ref()
                .is_some_and(|selector| selector.select(&workload.labels))
        })
        .or_else(|| of(&workload.namespace).find(unselective))
        .or_else(|| of(&objects.mesh.root_namespace).find(unselective))
        .map(|sidecar| &**sidecar)
}

fn imports<'o>(
    listener: &'o EgressListener,
    registry: &Registry<'o>,
    workload: &Workload,
    virtual_services: &[&'o Arc<VirtualService>],
) -> Imports<'o> {
    let namespace = &*workload.namespace;
    let nothing = listener
        .hosts
        .iter()
        .any(|import| import.namespace == ImportFrom::Nothing && !import.exclude);
    let imported = |own: &str, matches: &dyn Fn(&HostPattern) -> bool| {
        let any = |exclude: bool| {
            listener.hosts.iter().any(|import| {
                import.exclude == exclude
                    && is_from(import, own, namespace)
                    && matches(&import.host)
            })
        };
        any(false) && !any(true)
    };
    let services = if nothing {
        Vec::new()
    } else {
        registry.visible(namespace, TieBreak::Own, |service| {
            has_port(listener, service)
                && imported(&service.meta.name.namespace, &|pattern| {
                    pattern.covers(&service.host)
                })
        })
    };
    let is_imported = |vs: &VirtualService| {
        !nothing
            && vs.hosts.iter().any(|host| {
                listener.hosts.iter().any(|import| {
                    !import.exclude
                        && is_from(import, &vs.meta.name.namespace, namespace)
                        && import.host.overlaps(host)
                })
            })
    };
    Imports {
        port: listener.port.as_ref(),
        bind: listener.bind.filter(|bind| !bind.is_unspecified()),
        services,
        virtual_services: virtual_services
            .iter()
            .copied()
            .filter(|vs| is_imported(vs))
            .collect(),
    }
}

/// Whether a service can be called on the port of a listener. One that cannot does not hide another of its
/// host.
fn has_port(listener: &EgressListener, service: &Service) -> bool {
    listener.port.as_ref().is_none_or(|only| {
        only.proxies || service.ports.iter().any(|port| port.number == only.number)
    })
}

fn is_from(import: &Import, namespace: &str, own: &str) -> bool {
    match &import.namespace {
        ImportFrom::Any => true,
        ImportFrom::Nothing => import.exclude,
        ImportFrom::Namespace(one) => **one == *namespace,
        ImportFrom::Own => namespace == own,
    }
}
