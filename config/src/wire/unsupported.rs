//! What is read but not acted on yet: the one list of it. A document that uses such a field gets a warning.

/// What happens where a field is not acted on, and what to write instead.
pub(crate) type Message = (&'static str, &'static str);

/// A field that egret does not act on.
struct Unsupported {
    /// The shape that has it.
    shape: &'static str,
    /// Its name, in snake case.
    field: &'static str,
    /// What happens, and what to write instead.
    message: Message,
}

const fn field(shape: &'static str, field: &'static str, message: Message) -> Unsupported {
    Unsupported {
        shape,
        field,
        message,
    }
}

/// The fields that egret does not act on.
///
/// Left out on purpose are fields that never change where a call goes: those of `ProxyConfig`. Nor does
/// `setCurrentClientCertDetails`: it is for sidecars whose clients have certificates, which egret's never do. What
/// `serviceSettings` sets holds by itself: all endpoints that egret reads are of one cluster.
const UNSUPPORTED: &[Unsupported] = &[
    field(
        "WorkloadEntry",
        "network",
        (
            "endpoints of other networks are connected to directly",
            "give the address of that network's gateway",
        ),
    ),
    field(
        "HttpMatch",
        "stat_prefix",
        (
            "metrics are distinguished by destination alone",
            "leave it out",
        ),
    ),
    field(
        "TlsMatch",
        "source_subnet",
        (
            "clients of every address match, as with Istio",
            "use sourceLabels or sourceNamespace",
        ),
    ),
    field(
        "L4Match",
        "source_subnet",
        (
            "clients of every address match, as with Istio",
            "use sourceLabels or sourceNamespace",
        ),
    ),
    field(
        "Server",
        "default_endpoint",
        ("calls go where rules say", "use a VirtualService"),
    ),
    field(
        "LoadBalancer",
        "zone_aware_lb_setting",
        (
            "endpoints of all zones share the calls",
            "use localityLbSetting",
        ),
    ),
    field(
        "MeshConfig",
        "zone_aware_lb_setting",
        (
            "endpoints of all zones share the calls",
            "use localityLbSetting",
        ),
    ),
    field(
        "HttpPool",
        "http2_keep_alive",
        (
            "connections are watched by TCP alone",
            "use connectionPool.tcp.tcpKeepalive",
        ),
    ),
    field(
        "RetryBudget",
        "budget_interval",
        (
            "the budget counts the requests under way alone, as without an interval",
            "leave it out",
        ),
    ),
    field(
        "ServerTls",
        "insecure_skip_verify",
        (
            "certificates of clients are verified all the same",
            "name their authorities in caCertificates, or set mode SIMPLE to ask for none",
        ),
    ),
    field(
        "Sidecar",
        "ingress",
        ("calls that arrive are not proxied", "leave it out"),
    ),
    field(
        "Sidecar",
        "inbound_connection_pool",
        ("calls that arrive are not proxied", "leave it out"),
    ),
    field(
        "MeshConfig",
        "proxy_listen_port",
        ("the port is a setting of each egret", "use --outbound-port"),
    ),
    field(
        "MeshConfig",
        "proxy_inbound_listen_port",
        (
            "calls that arrive are not proxied",
            "use --inbound-port to state which port is Istio's",
        ),
    ),
    field(
        "MeshConfig",
        "inbound_traffic_policy",
        ("calls that arrive are not proxied", "leave it out"),
    ),
    field(
        "MeshConfig",
        "mesh_mTLS",
        (
            "it is for calls that arrive, which are not proxied",
            "leave it out",
        ),
    ),
    field(
        "MeshConfig",
        "ca_certificates",
        (
            "authorities are those of the DestinationRule, or the system's",
            "set caCertificates of a DestinationRule",
        ),
    ),
    field(
        "MeshConfig",
        "discovery_selectors",
        (
            "objects of every namespace that is loaded count",
            "use exportTo or a Sidecar to see fewer",
        ),
    ),
    field(
        "ProxyHeaders",
        "preserve_http1_header_case",
        ("names of headers are sent in lower case", "leave it out"),
    ),
    field(
        "ExtensionProvider",
        "envoy_http_als",
        ("logs go to files alone", "use envoyFileAccessLog"),
    ),
    field(
        "ExtensionProvider",
        "envoy_tcp_als",
        ("logs go to files alone", "use envoyFileAccessLog"),
    ),
    field(
        "ExtensionProvider",
        "envoy_otel_als",
        ("logs go to files alone", "use envoyFileAccessLog"),
    ),
    field(
        "ExtensionProvider",
        "stackdriver",
        (
            "neither logs nor metrics nor spans go there",
            "use envoyFileAccessLog, prometheus or opentelemetry",
        ),
    ),
    field(
        "ExtensionProvider",
        "datadog",
        ("no spans go there", "use opentelemetry or zipkin"),
    ),
    field(
        "ExtensionProvider",
        "skywalking",
        ("no spans go there", "use opentelemetry or zipkin"),
    ),
    field(
        "ExtensionProvider",
        "lightstep",
        ("no spans go there", "use opentelemetry or zipkin"),
    ),
    field(
        "ExtensionProvider",
        "opencensus",
        ("no spans go there", "use opentelemetry or zipkin"),
    ),
    field(
        "ExtensionProvider",
        "envoy_ext_authz_http",
        (
            "no external service decides whether a call is allowed",
            "leave it out",
        ),
    ),
    field(
        "ExtensionProvider",
        "envoy_ext_authz_grpc",
        (
            "no external service decides whether a call is allowed",
            "leave it out",
        ),
    ),
    field(
        "ExtensionProvider",
        "sds",
        (
            "certificates come from files and from Secrets",
            "leave it out",
        ),
    ),
    field(
        "OpenTelemetry",
        "resource_detectors",
        (
            "spans name the proxy's service, not where it runs",
            "leave it out",
        ),
    ),
    field(
        "OpenTelemetry",
        "dynatrace_sampler",
        (
            "the percentage decides what is sampled",
            "use randomSamplingPercentage of a Telemetry",
        ),
    ),
    field(
        "ProxyTracing",
        "lightstep",
        (
            "no spans go there",
            "write an extensionProvider opentelemetry or zipkin",
        ),
    ),
    field(
        "ProxyTracing",
        "datadog",
        (
            "no spans go there",
            "write an extensionProvider opentelemetry or zipkin",
        ),
    ),
    field(
        "ProxyTracing",
        "stackdriver",
        (
            "no spans go there",
            "write an extensionProvider opentelemetry or zipkin",
        ),
    ),
    field(
        "ProxyTracing",
        "open_census_agent",
        (
            "no spans go there",
            "write an extensionProvider opentelemetry or zipkin",
        ),
    ),
    field(
        "ProxyTracing",
        "tls_settings",
        (
            "TLS towards a collector follows the DestinationRule of its host",
            "write a DestinationRule",
        ),
    ),
    field(
        "Telemetry",
        "target_ref",
        (
            "it means neither a sidecar nor an ordinary gateway, and nothing of this object counts",
            "use selector",
        ),
    ),
    field(
        "Telemetry",
        "target_refs",
        (
            "it means neither a sidecar nor an ordinary gateway, and nothing of this object counts",
            "use selector",
        ),
    ),
];

/// What happens instead when the field `name` of the shape `shape` is not acted on yet.
pub(crate) fn message(shape: &str, name: &str) -> Option<Message> {
    UNSUPPORTED
        .iter()
        .find(|one| one.shape == shape && one.field == name)
        .map(|one| one.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::object::Fields;
    use crate::wire::{
        destination_rule as rule, gateway, mesh_config as mesh, providers, service_entry as entry,
        shared, sidecar, telemetry, virtual_service as route,
    };

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
            shape::<route::L4Match>(),
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
            shape::<rule::RetryBudget>(),
            shape::<rule::ClientTls>(),
            shape::<sidecar::Sidecar>(),
            shape::<sidecar::EgressListener>(),
            shape::<mesh::MeshConfig>(),
            shape::<mesh::ProxyConfig>(),
            shape::<mesh::ProxyHeaders>(),
            shape::<mesh::Topology>(),
            shape::<shared::LocalityLbSetting>(),
            shape::<telemetry::Telemetry>(),
            shape::<providers::ExtensionProvider>(),
            shape::<providers::OpenTelemetry>(),
            shape::<providers::ProxyTracing>(),
        ];
        for Unsupported { shape, field, .. } in UNSUPPORTED {
            let known = shapes.iter().find(|(name, _)| name == shape);
            let (_, names) = known.unwrap_or_else(|| panic!("no shape {shape}"));
            assert!(names.contains(field), "{shape} has no field {field}");
        }
    }
}
