//! VirtualServices bound to Gateways that do not exist, that have no host in common with them, or whose servers never use
//! such rules.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lint::view::View;
use crate::lint::warning::warning;
use crate::model::gateway::{Gateway, Server};
use crate::model::source::GatewayName;
use crate::model::tls::ServerTlsMode;
use crate::model::virtual_service::VirtualService;
use crate::name::ObjectName;
use crate::problem::Problem;

pub(super) fn check(view: &View<'_>, warnings: &mut Vec<Problem>) {
    let objects = view.objects;
    let gateways: HashMap<&ObjectName, &Arc<Gateway>> = objects
        .gateways
        .iter()
        .map(|gateway| (&gateway.meta.name, gateway))
        .collect();
    for vs in objects
        .virtual_services
        .iter()
        .filter(|vs| !vs.hosts.is_empty())
    {
        for (at, written) in vs.gateways.iter().enumerate() {
            let GatewayName::Gateway { name, bare } = written else {
                continue;
            };
            let field = format!("spec.gateways[{at}]");
            let root = ObjectName::new(objects.mesh.root_namespace.clone(), name.name.clone());
            match gateways.get(name) {
                Some(gateway) => servers(vs, gateway, field, warnings),
                None if *bare && gateways.contains_key(&root) => warnings.push(warning(
                    &vs.meta,
                    field,
                    &name.to_string(),
                    format!(
                        "no Gateway {name} exists; taken as {root} (Istio binds it to nothing)"
                    ),
                    format!("write {root}"),
                )),
                None => warnings.push(warning(
                    &vs.meta,
                    field,
                    &name.to_string(),
                    "no such Gateway exists: the rules for it have no effect",
                    "write the namespace/name of a Gateway, or `mesh` for sidecars",
                )),
            }
        }
    }
}

/// Whether some server of a Gateway uses rules that a VirtualService has.
fn servers(vs: &VirtualService, gateway: &Gateway, field: String, warnings: &mut Vec<Problem>) {
    let shared: Vec<&Server> = gateway
        .servers
        .iter()
        .filter(|server| {
            server.hosts.iter().any(|host| {
                let admitted = host.namespace.as_ref();
                admitted.is_none_or(|namespace| *namespace == vs.meta.name.namespace)
                    && vs.hosts.iter().any(|own| own.overlaps(&host.host))
            })
        })
        .collect();
    let name = gateway.meta.name.to_string();
    if shared.is_empty() {
        let hosts: Vec<_> = vs.hosts.iter().map(ToString::to_string).collect();
        warnings.push(warning(
            &vs.meta,
            field,
            &name,
            "no server of this Gateway is for a host of this object: the rules for it have no effect",
            format!("add {} to `hosts` of a server", hosts.join(", ")),
        ));
        return;
    }
    let passes = |server: &&Server| {
        matches!(
            server.tls,
            ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough
        )
    };
    let http_only = !vs.http.is_empty() && vs.tls.is_empty() && vs.tcp.is_empty();
    let tls_only = !vs.tls.is_empty() && vs.http.is_empty() && vs.tcp.is_empty();
    if http_only && shared.iter().all(passes) {
        warnings.push(warning(
            &vs.meta,
            field,
            &name,
            "its servers for these hosts pass TLS through and never see a request: `http` rules have no effect there",
            "write `tls` rules with sniHosts, or end TLS at the Gateway (tls.mode SIMPLE)",
        ));
    } else if tls_only && !shared.iter().any(passes) {
        warnings.push(warning(
            &vs.meta,
            field,
            &name,
            "none of its servers for these hosts passes TLS through: `tls` rules have no effect there",
            "write `http` rules, or tls.mode PASSTHROUGH at the Gateway",
        ));
    }
}
