//! What a gateway listens on, and what each of its ports does.

mod listener;
mod names;
mod serving;
mod build;
mod servers;
mod shared;
mod streams;
mod tables;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::model::objects::Objects;
use crate::snapshot::bound_port::BoundPort;
use crate::snapshot::chains::FilterChains;
use crate::snapshot::clusters::Clusters;
use crate::snapshot::delegates::Delegates;
use crate::snapshot::gateways::build::{Bound, Build};
use crate::snapshot::gateways::names::Names;
use crate::snapshot::gateways::serving::{ServerKind, Serving, kind_of, origin};
use crate::snapshot::problems::ProblemSet;
use crate::snapshot::services::TieBreak;
use crate::snapshot::visible::virtual_services;
use crate::snapshot::workload::Workload;

pub(crate) use crate::snapshot::gateways::listener::{GatewayListener, Gateways, TlsAction};

/// Builds the listeners of a gateway.
pub(crate) fn gateways<'o>(
    objects: &'o Objects,
    workload: &Workload,
    clusters: &mut Clusters<'o, '_>,
    problems: &mut ProblemSet,
) -> Gateways {
    for service in clusters
        .registry
        .visible(&workload.namespace, TieBreak::First, |_| true)
    {
        clusters.add(&service);
    }
    let delegates = Delegates::new(objects);
    let bound = virtual_services(objects, &workload.namespace)
        .into_iter()
        .map(|vs| Bound {
            vs,
            http: delegates.joined(vs, problems),
        })
        .collect();
    let names = Names {
        by_name: objects
            .gateways
            .iter()
            .map(|gateway| (&gateway.meta.name, gateway))
            .collect(),
        root: objects.mesh.root_namespace.clone(),
    };
    let mut build = Build {
        objects,
        workload,
        clusters,
        problems,
        names: &names,
        bound,
    };
    build.report_names();
    let mut listeners = Gateways::new();
    for (port, servers) in build.ports() {
        let listener = build.listener(port, &servers);
        if !listener.is_idle() {
            listeners.insert(port, listener);
        }
    }
    listeners
}

impl<'o> Build<'_, 'o, '_> {
    fn listener(&mut self, port: BoundPort, servers: &[Serving<'o>]) -> GatewayListener {
        let address = port.bind.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut listener = GatewayListener {
            key: SocketAddr::new(address, port.port).to_string().into(),
            http: None,
            http_origins: Vec::new(),
            tls: FilterChains::default(),
            tcp: None,
        };
        let of = |kind: ServerKind| {
            servers
                .iter()
                .filter(move |serving| kind_of(&serving.server) == kind)
        };
        let plain: Vec<_> = of(ServerKind::Http).collect();
        if !plain.is_empty() {
            let bind = port.bind.map(|bind| format!(".{bind}")).unwrap_or_default();
            let table = self.table(format!("http.{}{bind}", port.port), &plain);
            listener.http = Some(Arc::new(table));
            listener.http_origins = plain.iter().map(|serving| origin(serving)).collect();
        }
        // Servers that end TLS get their names before rules that only match the SNI.
        for serving in of(ServerKind::TlsEnding) {
            self.add_terminating(serving, &mut listener);
        }
        for serving in of(ServerKind::TlsPassing) {
            self.add_passthrough(serving, &mut listener);
        }
        for serving in of(ServerKind::Tcp) {
            if listener.tcp.is_none() {
                listener.tcp = self.tcp(serving);
            }
        }
        listener
    }
}
