//! Gateways that listen nowhere, and servers whose port is not opened because no rule is for it.

use std::sync::Arc;

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::gateway::{Gateway, Server};
use crate::model::objects::Objects;
use crate::model::source::GatewayName;
use crate::model::tls::ServerTlsMode;
use crate::model::virtual_service::VirtualService;
use crate::name::ObjectName;
use crate::port::PortClass;
use crate::problem::{Location, Problem, Severity};
use crate::snapshot::Snapshot;
use crate::snapshot::workload::Mode;

/// A gateway workload that listens on no port.
pub fn no_listener(objects: &Objects, snapshot: &Snapshot) -> Option<Problem> {
    let workload = &snapshot.workload;
    if workload.mode != Mode::Gateway || !snapshot.bound_ports().is_empty() {
        return None;
    }
    let selecting = |gateway: &&Arc<Gateway>| gateway.selector.select(&workload.labels);
    if let Some(gateway) = objects.gateways.iter().find(selecting) {
        return Some(warning(
            &gateway.meta,
            "spec.servers",
            "",
            "the gateway that this object selects listens on no port",
            "add a server, and for TLS that is passed through a VirtualService with `tls` rules",
        ));
    }
    let reason = match objects.gateways.is_empty() {
        true => "there is no Gateway: the gateway listens on no port",
        false => "no Gateway selects the labels of this workload: the gateway listens on no port",
    };
    let message = (
        reason,
        "write a Gateway whose spec.selector has labels of the workload (--labels)",
    );
    Some(Problem::new(
        Severity::Warning,
        Location::file("--labels", 0),
        message,
    ))
}

/// Servers whose port only a VirtualService opens, and none does: those that pass TLS through, and those of byte streams.
pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    for gateway in &view.objects.gateways {
        for (at, server) in gateway.servers.iter().enumerate() {
            let Some((rules, opens)) = opener(server) else {
                continue;
            };
            let bound = view.objects.virtual_services.iter().any(|vs| {
                opens(vs)
                    && binds(vs, &gateway.meta.name, &view.objects.mesh.root_namespace)
                    && shares_host(vs, server)
            });
            if !bound {
                warnings.push(warning(
                    &gateway.meta,
                    format!("spec.servers[{at}]"),
                    &format!("{} {}", server.port, server.protocol),
                    format!("no VirtualService with `{rules}` rules is bound to this server: its port is not opened for it"),
                    format!("bind a VirtualService with `{rules}` rules for one of its hosts to {}", gateway.meta.name),
                ));
            }
        }
    }
}

/// Whether a VirtualService has the rules that open a server.
type Opens = fn(&VirtualService) -> bool;

/// Which rules a server needs to be opened, and whether a VirtualService has some.
fn opener(server: &Server) -> Option<(&'static str, Opens)> {
    match &server.tls {
        ServerTlsMode::Passthrough => Some(("tls", |vs| !vs.tls.is_empty())),
        ServerTlsMode::None if server.protocol.class() != Some(PortClass::Http) => {
            Some(("tcp", |vs| !vs.tcp.is_empty()))
        }
        ServerTlsMode::None
        | ServerTlsMode::AutoPassthrough
        | ServerTlsMode::RedirectToHttps
        | ServerTlsMode::Terminate(_) => None,
    }
}

fn binds(vs: &VirtualService, gateway: &ObjectName, root: &str) -> bool {
    vs.gateways.iter().any(|written| match written {
        GatewayName::Mesh => false,
        GatewayName::Gateway { name, bare } => {
            name == gateway || (*bare && name.name == gateway.name && *gateway.namespace == *root)
        }
    })
}

fn shares_host(vs: &VirtualService, server: &Server) -> bool {
    server.hosts.iter().any(|host| {
        let admitted = host.namespace.as_ref();
        admitted.is_none_or(|namespace| *namespace == vs.meta.name.namespace)
            && vs.hosts.iter().any(|own| own.overlaps(&host.host))
    })
}
