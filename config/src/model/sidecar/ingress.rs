//! The ingress listeners of a Sidecar. egret proxies outbound calls, so they are only checked.

use crate::model::policy::connection_pool;
use crate::model::sidecar::port::sidecar_port;
use crate::model::{read, service_entry};
use crate::port::{PortClass, Protocol};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::gateway::ServerTls;
use crate::wire::sidecar as wire;

/// Tells what Istio does not admit of `ingress` and `inboundConnectionPool`.
pub(super) fn check(wire: &wire::Sidecar, diagnostics: &mut Diagnostics<'_>) {
    let mut ports = Vec::new();
    diagnostics.each("ingress", &wire.ingress, |diagnostics, wire| {
        listener(wire, &mut ports, diagnostics);
        Some(())
    });
    if let Some(pool) = &wire.inbound_connection_pool {
        diagnostics.within("inboundConnectionPool", |diagnostics| {
            connection_pool::pool(pool, diagnostics);
        });
    }
}

fn listener(wire: &wire::IngressListener, ports: &mut Vec<u16>, diagnostics: &mut Diagnostics<'_>) {
    let Some(port) = &wire.port else {
        diagnostics.error(
            "port",
            NO_VALUE,
            ("required", "give number, protocol and name"),
        );
        return;
    };
    let protocol = diagnostics.within("port", |diagnostics| {
        if let Some(number) = sidecar_port(port, diagnostics) {
            if ports.contains(&number) {
                let message = ("another ingress listener has this port", "use another");
                diagnostics.error("number", number, message);
            }
            ports.push(number);
        }
        service_entry::protocol(diagnostics, &port.protocol)
    });
    if !wire.bind.is_empty() {
        read::address(diagnostics, "bind", &wire.bind);
    }
    if !is_local(&wire.default_endpoint) {
        let message =
            "expected 127.0.0.1:port, 0.0.0.0:port, [::1]:port, [::]:port or unix:///path";
        diagnostics.error("defaultEndpoint", &wire.default_endpoint, message);
    }
    if let Some(tls) = &wire.tls {
        diagnostics.within("tls", |diagnostics| check_tls(tls, protocol, diagnostics));
    }
    if let Some(pool) = &wire.connection_pool {
        diagnostics.within("connectionPool", |diagnostics| {
            connection_pool::pool(pool, diagnostics)
        });
        let http = protocol.and_then(|protocol| protocol.class()) == Some(PortClass::Http);
        if pool.http.is_some() && protocol.is_some() && !http {
            let message = (
                "has an effect on HTTP ports only",
                "write protocol HTTP, or only tcp",
            );
            diagnostics.warn("connectionPool.http", NO_VALUE, message);
        }
    }
}

/// Whether an endpoint is one that a sidecar can hand calls to: of its own pod. Empty is the pod's address.
fn is_local(endpoint: &str) -> bool {
    if let Some(path) = endpoint.strip_prefix("unix://") {
        return read::is_socket(path);
    }
    let Some((host, port)) = endpoint.rsplit_once(':') else {
        return endpoint.is_empty();
    };
    let known = ["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"].contains(&host);
    known && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn check_tls(wire: &ServerTls, protocol: Option<Protocol>, diagnostics: &mut Diagnostics<'_>) {
    if protocol.is_some_and(|protocol| !protocol.is_tls()) {
        let message = (
            "only for protocols HTTPS and TLS",
            "write one of them, or leave tls out",
        );
        diagnostics.error("", NO_VALUE, message);
    }
    let unknown = [
        ("subjectAltNames", !wire.subject_alt_names.is_empty()),
        ("httpsRedirect", wire.https_redirect),
        ("credentialName", !wire.credential_name.is_empty()),
        ("credentialNames", !wire.credential_names.is_empty()),
        ("tlsCertificates", !wire.tls_certificates.is_empty()),
    ];
    for (part, _) in unknown.iter().filter(|(_, used)| *used) {
        let message = (
            "not for a Sidecar",
            "leave it out, and give files of certificates",
        );
        diagnostics.error(part, NO_VALUE, message);
    }
    let modes = [
        ("PASSTHROUGH", false),
        ("SIMPLE", false),
        ("MUTUAL", true),
        ("OPTIONAL_MUTUAL", true),
    ];
    let Some(mutual) = read::enum_value(diagnostics, "mode", &wire.mode, &modes) else {
        return;
    };
    let files = [
        ("serverCertificate", &wire.server_certificate, true),
        ("privateKey", &wire.private_key, true),
        ("caCertificates", &wire.ca_certificates, mutual),
    ];
    let passes = matches!(wire.mode.as_str(), "" | "PASSTHROUGH");
    for (part, _, _) in files
        .iter()
        .filter(|(_, value, needed)| !passes && *needed && value.is_empty())
    {
        diagnostics.error(part, NO_VALUE, ("required in this mode", "give a file"));
    }
}
