//! Gateways: which ports a gateway workload opens, for which hosts, with what TLS.

mod server;

use std::sync::Arc;

use crate::labels::Labels;
use crate::model::meta::Meta;
use crate::model::secret::Secrets;
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::envelope::Metadata;
use crate::wire::gateway as wire;

pub use crate::model::gateway::server::{Server, ServerHost};

/// A Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The object.
    pub meta: Arc<Meta>,
    /// Labels of the workloads that serve it, in any namespace.
    pub selector: Labels,
    /// The hosts of the services whose members serve it instead, in its own namespace (annotation
    /// `internal.istio.io/gateway-service`). Its servers are then open only on ports that these services have.
    pub services: Option<Vec<Arc<str>>>,
    /// Its servers, in order.
    pub servers: Vec<Server>,
}

/// The annotation that names the services of a Gateway, as Istio writes it for the Gateway API.
const SERVICES: &str = "internal.istio.io/gateway-service";

/// Reads a Gateway. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::Gateway,
    metadata: &Metadata,
    meta: &Arc<Meta>,
    secrets: &Secrets,
    diagnostics: &mut Diagnostics<'_>,
) -> Gateway {
    if wire.servers.is_empty() {
        diagnostics.error(
            "servers",
            NO_VALUE,
            ("at least one is required", "list one"),
        );
    }
    let mut names: Vec<&str> = Vec::new();
    for server in &wire.servers {
        let name = server.port.as_ref().map_or("", |port| port.name.as_str());
        if !name.is_empty() && names.contains(&name) {
            diagnostics.error(
                "servers",
                name,
                "two servers have a port of this name; port names are unique within a Gateway",
            );
        }
        names.push(name);
    }
    let namespace = &meta.name.namespace;
    if !host_name::is_label(&meta.name.name) {
        let message = (
            "the name of a Gateway has no dots, as others could not name it",
            "write letters, digits and dashes",
        );
        diagnostics.error_elsewhere("metadata.name", &meta.name.name, message);
    }
    Gateway {
        meta: Arc::clone(meta),
        selector: read::selector(diagnostics, "selector", &wire.selector),
        services: metadata
            .annotations
            .get(SERVICES)
            .map(|hosts| hosts.split(',').map(|host| host.trim().into()).collect()),
        servers: diagnostics.each("servers", &wire.servers, |diagnostics, wire| {
            server::parse(wire, namespace, secrets, diagnostics)
        }),
    }
}
