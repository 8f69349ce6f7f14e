//! VirtualServices: which rules apply to which hosts, for which clients.

mod streams;

use std::sync::Arc;

use crate::host::HostPattern;
use crate::model::meta::{ExportTo, Meta};
use crate::model::route::{HttpRoute, rule};
use crate::model::source::{self, GatewayName};
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::virtual_service as wire;

pub use crate::model::virtual_service::streams::{
    TcpMatch, TcpRoute, TlsMatch, TlsRoute, WeightedDestination,
};

/// A VirtualService. One without hosts is a delegate.
#[derive(Clone, Debug)]
pub struct VirtualService {
    /// The object.
    pub meta: Arc<Meta>,
    /// Hosts, completed if they were short.
    pub hosts: Vec<HostPattern>,
    /// Where it applies; never empty (`mesh` when nothing was written).
    pub gateways: Vec<GatewayName>,
    /// `http` rules, in order.
    pub http: Vec<Arc<HttpRoute>>,
    /// `tls` rules, in order.
    pub tls: Vec<Arc<TlsRoute>>,
    /// `tcp` rules, in order.
    pub tcp: Vec<Arc<TcpRoute>>,
    /// Who sees it; `None` means MeshConfig `defaultVirtualServiceExportTo`.
    pub export_to: Option<ExportTo>,
}

/// Reads a VirtualService. What comes back counts only if the review passed.
pub(crate) fn parse(
    wire: &wire::VirtualService,
    meta: &Arc<Meta>,
    diagnostics: &mut Diagnostics<'_>,
) -> VirtualService {
    let namespace = &meta.name.namespace;
    let delegate = wire.hosts.is_empty();
    if delegate {
        let parts = [
            ("gateways", wire.gateways.is_empty()),
            ("tls", wire.tls.is_empty()),
            ("tcp", wire.tcp.is_empty()),
        ];
        for (part, unset) in parts {
            if !unset {
                diagnostics.error(
                    part,
                    NO_VALUE,
                    "a VirtualService without hosts is a delegate, which has only http rules",
                );
            }
        }
    }
    if wire.http.is_empty() && wire.tls.is_empty() && wire.tcp.is_empty() {
        diagnostics.error(
            "",
            NO_VALUE,
            "at least one http, tls or tcp rule is required",
        );
    }
    let mut gateways = source::gateways(diagnostics, &wire.gateways, namespace);
    if gateways.is_empty() {
        gateways.push(GatewayName::Mesh);
    }
    let gateways_only = gateways.iter().all(|name| *name != GatewayName::Mesh);
    hosts(wire, &gateways, diagnostics);
    if gateways.iter().all(|name| *name == GatewayName::Mesh) && !delegate {
        claims(wire, diagnostics);
    }
    VirtualService {
        meta: Arc::clone(meta),
        hosts: wire
            .hosts
            .iter()
            .map(|host| read::completed(host, namespace))
            .collect(),
        gateways,
        http: diagnostics.each("http", &wire.http, |diagnostics, rule| {
            rule::parse(rule, namespace, delegate, diagnostics).map(Arc::new)
        }),
        tls: diagnostics.each("tls", &wire.tls, |diagnostics, rule| {
            streams::tls(rule, &wire.hosts, gateways_only, namespace, diagnostics).map(Arc::new)
        }),
        tcp: diagnostics.each("tcp", &wire.tcp, |diagnostics, rule| {
            streams::tcp(rule, namespace, diagnostics).map(Arc::new)
        }),
        export_to: read::export_to(diagnostics, &wire.export_to, namespace, false),
    }
}

/// Rules for sidecars cannot match the claims of a token.
fn claims(wire: &wire::VirtualService, diagnostics: &mut Diagnostics<'_>) {
    diagnostics.each("http", &wire.http, |diagnostics, rule| {
        diagnostics.each("match", &rule.matches, |diagnostics, http_match| {
            let claims = http_match
                .headers
                .keys()
                .chain(http_match.without_headers.keys())
                .filter(|name| name.starts_with("@request.auth."));
            for name in claims {
                diagnostics.error("headers", name, "claims can only be matched on gateways");
            }
            Some(())
        });
        Some(())
    });
}

fn hosts(wire: &wire::VirtualService, gateways: &[GatewayName], diagnostics: &mut Diagnostics<'_>) {
    let only_mesh = gateways.iter().all(|name| *name == GatewayName::Mesh);
    let of_clusters = wire.tls.iter().flat_map(|rule| &rule.matches).count() > 0
        && gateways.iter().all(|name| *name != GatewayName::Mesh);
    let mut earlier: Vec<HostPattern> = Vec::new();
    diagnostics.each("hosts", &wire.hosts, |diagnostics, host| {
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        if host == "*" && only_mesh {
            diagnostics.error(
                "",
                host,
                (
                    "`*` is only for gateways",
                    "name the hosts that sidecars shall route",
                ),
            );
        } else if let Some(reason) = host_name::problem_of_pattern(host)
            .filter(|_| !(is_address || of_clusters && streams::names_cluster(host)))
        {
            diagnostics.error("", host, reason);
        }
        host_name::warn_of_partial_wildcard(diagnostics, host);
        let pattern = HostPattern::parse(host);
        if let Some(other) = earlier.iter().find(|other| other.overlaps(&pattern)) {
            diagnostics.error(
                "",
                host,
                format!("overlaps with {other} of the same VirtualService"),
            );
        }
        earlier.push(pattern);
        Some(())
    });
}
