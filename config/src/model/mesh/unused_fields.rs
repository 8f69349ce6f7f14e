//! Settings of MeshConfig that mean nothing to egret, or nothing yet. They are checked all the same.

use crate::model::{host_name, read};
use crate::problem::Diagnostics;
use crate::wire::mesh_config::MeshConfig;

/// Tells what Istio does not admit.
pub(super) fn check(wire: &MeshConfig, diagnostics: &mut Diagnostics<'_>) {
    for (part, number) in [
        ("proxyListenPort", wire.proxy_listen_port),
        ("proxyInboundListenPort", wire.proxy_inbound_listen_port),
    ] {
        read::optional_port(diagnostics, part, number);
    }
    diagnostics.each(
        "serviceSettings",
        &wire.service_settings,
        |diagnostics, wire| {
            diagnostics.each("hosts", &wire.hosts, |diagnostics, host| {
                if let Some(reason) = host_name::problem_of_pattern(host) {
                    diagnostics.error("", host, reason);
                }
                Some(())
            });
            Some(())
        },
    );
    let domain = [("trustDomain", &wire.trust_domain)].into_iter();
    for (part, domain) in domain.filter(|(_, domain)| !domain.is_empty()) {
        trust_domain(diagnostics, part, domain);
    }
    diagnostics.each(
        "trustDomainAliases",
        &wire.trust_domain_aliases,
        |diagnostics, alias| {
            trust_domain(diagnostics, "", alias);
            Some(())
        },
    );
    if let Some(tls) = wire
        .mesh_mtls
        .as_ref()
        .filter(|tls| !tls.ecdh_curves.is_empty())
    {
        let message = (
            "curves of calls inside of the mesh cannot be chosen",
            "leave them out",
        );
        diagnostics.error("meshMTLS.ecdhCurves", tls.ecdh_curves.join(", "), message);
    }
}

/// Labels joined by dots, maybe with a final dot; unlike in a host name, the last may be a number.
fn trust_domain(diagnostics: &mut Diagnostics<'_>, part: &str, text: &str) {
    let labels = text.strip_suffix('.').unwrap_or(text);
    if !labels.split('.').all(host_name::is_label) {
        let message = "expected labels of letters, digits and dashes, joined by dots";
        diagnostics.error(part, text, message);
    }
}
