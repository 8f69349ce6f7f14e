//! Settings of MeshConfig that mean nothing to egret, or nothing yet. They are checked all the same.

use crate::model::host_name;
use crate::model::read;
use crate::problem::Review;
use crate::wire::mesh_config::MeshConfig;

/// Tells what Istio does not admit.
pub(super) fn check(wire: &MeshConfig, review: &mut Review<'_>) {
    for (part, number) in [
        ("proxyListenPort", wire.proxy_listen_port),
        ("proxyInboundListenPort", wire.proxy_inbound_listen_port),
    ] {
        read::optional_port(review, part, number);
    }
    review.each("serviceSettings", &wire.service_settings, |review, wire| {
        review.each("hosts", &wire.hosts, |review, host| {
            if let Some(fault) = host_name::fault_of_pattern(host) {
                review.error("", host, fault);
            }
            Some(())
        });
        Some(())
    });
    let domain = [("trustDomain", &wire.trust_domain)].into_iter();
    for (part, domain) in domain.filter(|(_, domain)| !domain.is_empty()) {
        trust_domain(review, part, domain);
    }
    review.each(
        "trustDomainAliases",
        &wire.trust_domain_aliases,
        |review, alias| {
            trust_domain(review, "", alias);
            Some(())
        },
    );
    if let Some(tls) = wire
        .mesh_mtls
        .as_ref()
        .filter(|tls| !tls.ecdh_curves.is_empty())
    {
        let what = (
            "curves of calls inside of the mesh cannot be chosen",
            "leave them out",
        );
        review.error("meshMTLS.ecdhCurves", tls.ecdh_curves.join(", "), what);
    }
}

/// Labels joined by dots, maybe with a final dot; unlike in a host name, the last may be a number.
fn trust_domain(review: &mut Review<'_>, part: &str, text: &str) {
    let labels = text.strip_suffix('.').unwrap_or(text);
    if !labels.split('.').all(host_name::is_label) {
        let what = "expected labels of letters, digits and dashes, joined by dots";
        review.error(part, text, what);
    }
}
