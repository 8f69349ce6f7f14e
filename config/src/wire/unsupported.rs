//! What is read but not acted on yet: the one list of it. A document that uses such a field gets a warning.

/// Shapes, and their fields that egret does not act on, in snake case.
///
/// Left out on purpose are fields that never change where a call goes: those of `ProxyConfig` and of telemetry. Nor does
/// `setCurrentClientCertDetails`: it is for sidecars whose callers show certificates, which egret's never do.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("WorkloadEntry", &["network"]),
    ("HttpMatch", &["stat_prefix"]),
    (
        "HttpRetry",
        &["retry_remote_localities", "retry_ignore_previous_hosts"],
    ),
    ("TlsMatch", &["source_subnet"]),
    ("Server", &["default_endpoint"]),
    ("LoadBalancer", &["warmup_duration_secs", "warmup"]),
    ("HttpCookie", &["attributes"]),
    ("HttpPool", &["max_concurrent_streams"]),
    ("Sidecar", &["ingress", "inbound_connection_pool"]),
    ("EgressListener", &["capture_mode"]),
    (
        "MeshConfig",
        &[
            "proxy_listen_port",
            "proxy_inbound_listen_port",
            "proxy_http_port",
            "tcp_keepalive",
            "inbound_traffic_policy",
            "mesh_mTLS",
            "tls_defaults",
            "ca_certificates",
            "path_normalization",
            "service_settings",
            "discovery_selectors",
        ],
    ),
    ("Topology", &["proxy_protocol"]),
    ("ProxyHeaders", &["preserve_http1_header_case"]),
];

/// Whether the field `name` of the shape `shape` is not acted on yet.
pub(crate) fn is_unsupported(shape: &str, name: &str) -> bool {
    UNSUPPORTED
        .iter()
        .any(|(of, names)| *of == shape && names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::destination_rule as rule;
    use crate::wire::gateway;
    use crate::wire::mesh_config as mesh;
    use crate::wire::object::Fields;
    use crate::wire::service_entry as entry;
    use crate::wire::shared;
    use crate::wire::sidecar;
    use crate::wire::virtual_service as route;

    fn shape<'de, T: Fields<'de>>() -> (&'static str, &'static [&'static str]) {
        (T::SHAPE, T::NAMES)
    }

    #[test]
    fn every_listed_field_exists() {
        let shapes = [
            shape::<entry::ServiceEntry>(),
            shape::<entry::WorkloadEntry>(),
            shape::<route::HttpRoute>(),
            shape::<route::HttpMatch>(),
            shape::<route::HttpRetry>(),
            shape::<route::TlsMatch>(),
            shape::<gateway::Server>(),
            shape::<gateway::ServerTls>(),
            shape::<rule::TrafficPolicy>(),
            shape::<rule::PortTrafficPolicy>(),
            shape::<rule::LoadBalancer>(),
            shape::<rule::TcpPool>(),
            shape::<rule::ConsistentHash>(),
            shape::<rule::HttpCookie>(),
            shape::<rule::HttpPool>(),
            shape::<rule::OutlierDetection>(),
            shape::<rule::ClientTls>(),
            shape::<sidecar::Sidecar>(),
            shape::<sidecar::EgressListener>(),
            shape::<mesh::MeshConfig>(),
            shape::<mesh::ProxyConfig>(),
            shape::<mesh::ProxyHeaders>(),
            shape::<mesh::Topology>(),
            shape::<shared::LocalityLbSetting>(),
        ];
        for (shape, fields) in UNSUPPORTED {
            let known = shapes.iter().find(|(name, _)| name == shape);
            let (_, names) = known.unwrap_or_else(|| panic!("no shape {shape}"));
            for field in *fields {
                assert!(names.contains(field), "{shape} has no field {field}");
            }
        }
    }
}
