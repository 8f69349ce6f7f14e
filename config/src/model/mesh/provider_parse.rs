//! `extensionProviders` and `defaultProviders`, read. A provider that cannot be used stays in the list, so that it is known
//! what references to it mean.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::model::mesh::formats;
use crate::model::mesh::providers::{
    AccessLogFile, DefaultProviders, ExtensionProvider, ProviderKind, SecretValue, Tracer,
    TracerProtocol,
};
use crate::model::{host_name, read};
use crate::problem::{Diagnostics, NO_VALUE};
use crate::value;
use crate::wire::providers as wire;

/// Where lines go when no path is written.
const STDOUT: &str = "/dev/stdout";

/// Characters of the path in a span, when nothing is written.
pub(crate) const TAG_LENGTH: u32 = 256;

/// Where Zipkin takes spans.
const ZIPKIN_PATH: &str = "/api/v2/spans";

/// Reads `extensionProviders`.
pub(super) fn providers(
    list: &[wire::ExtensionProvider],
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Arc<ExtensionProvider>> {
    let mut names: Vec<String> = Vec::new();
    diagnostics.each("extensionProviders", list, |diagnostics, wire| {
        let name = wire.name.to_lowercase();
        if name.is_empty() {
            let message = ("a provider without a name is not used", "write its name");
            diagnostics.warn("name", NO_VALUE, message);
        } else if names.contains(&name) {
            let message = (
                "another provider has this name, and counts",
                "rename one of them",
            );
            diagnostics.warn("name", &wire.name, message);
        }
        names.push(name);
        Some(Arc::new(ExtensionProvider {
            name: wire.name.as_str().into(),
            kind: kind(wire, diagnostics),
        }))
    })
}

/// Reads `defaultProviders`.
pub(super) fn defaults(wire: Option<&wire::DefaultProviders>) -> DefaultProviders {
    let names = |list: &[String]| list.iter().map(|name| name.as_str().into()).collect();
    wire.map_or_else(DefaultProviders::default, |wire| DefaultProviders {
        access_logging: names(&wire.access_logging),
        metrics: names(&wire.metrics),
        tracing: names(&wire.tracing),
    })
}

fn kind(wire: &wire::ExtensionProvider, diagnostics: &mut Diagnostics<'_>) -> ProviderKind {
    if let Some(file) = &wire.envoy_file_access_log {
        return diagnostics.within("envoyFileAccessLog", |diagnostics| {
            ProviderKind::AccessLogFile(AccessLogFile {
                path: read::optional(&file.path).unwrap_or_else(|| STDOUT.into()),
                format: formats::of_provider(file.log_format.as_ref(), diagnostics),
                omit_empty: file.omit_empty_values,
            })
        });
    }
    if let Some(wire) = &wire.opentelemetry {
        let tracer = diagnostics.within("opentelemetry", |diagnostics| {
            opentelemetry(wire, diagnostics)
        });
        return tracer.map_or(
            ProviderKind::Unsupported("opentelemetry"),
            ProviderKind::Tracer,
        );
    }
    if let Some(wire) = &wire.zipkin {
        let tracer = diagnostics.within("zipkin", |diagnostics| zipkin(wire, diagnostics));
        return tracer.map_or(ProviderKind::Unsupported("zipkin"), ProviderKind::Tracer);
    }
    if wire.prometheus.is_some() {
        return ProviderKind::Prometheus;
    }
    let others = [
        ("envoyHttpAls", &wire.envoy_http_als),
        ("envoyTcpAls", &wire.envoy_tcp_als),
        ("envoyOtelAls", &wire.envoy_otel_als),
        ("stackdriver", &wire.stackdriver),
        ("datadog", &wire.datadog),
        ("skywalking", &wire.skywalking),
        ("lightstep", &wire.lightstep),
        ("opencensus", &wire.opencensus),
        ("envoyExtAuthzHttp", &wire.envoy_ext_authz_http),
        ("envoyExtAuthzGrpc", &wire.envoy_ext_authz_grpc),
        ("sds", &wire.sds),
    ];
    // It was reported as unsupported when the field was read.
    if let Some((kind, _)) = others.into_iter().find(|(_, value)| value.is_some()) {
        return ProviderKind::Unsupported(kind);
    }
    let message = (
        "a provider without a kind is not used",
        "write envoyFileAccessLog, opentelemetry, zipkin or prometheus",
    );
    diagnostics.warn("", &wire.name, message);
    ProviderKind::Unsupported("")
}

fn opentelemetry(wire: &wire::OpenTelemetry, diagnostics: &mut Diagnostics<'_>) -> Option<Tracer> {
    let tracer = tracer(&wire.service, wire.port, wire.max_tag_length, diagnostics);
    if wire.http.is_some() && wire.grpc.is_some() {
        let message = ("http and grpc: grpc is ignored", "leave one of them out");
        diagnostics.warn("grpc", NO_VALUE, message);
    }
    let protocol = match (&wire.http, &wire.grpc) {
        (Some(http), _) => diagnostics.within("http", |diagnostics| TracerProtocol::OtlpHttp {
            path: path(diagnostics, &http.path, "/v1/traces"),
            timeout: timeout(diagnostics, http.timeout.as_deref()),
            headers: headers(diagnostics, "headers", &http.headers),
        }),
        (None, Some(grpc)) => diagnostics.within("grpc", |diagnostics| TracerProtocol::OtlpGrpc {
            timeout: timeout(diagnostics, grpc.timeout.as_deref()),
            metadata: headers(diagnostics, "initialMetadata", &grpc.initial_metadata),
        }),
        (None, None) => TracerProtocol::OtlpGrpc {
            timeout: None,
            metadata: Vec::new(),
        },
    };
    tracer.map(|tracer| Tracer { protocol, ..tracer })
}

fn zipkin(wire: &wire::Zipkin, diagnostics: &mut Diagnostics<'_>) -> Option<Tracer> {
    let tracer = tracer(&wire.service, wire.port, wire.max_tag_length, diagnostics);
    let options = [("USE_B3", false), ("USE_B3_WITH_W3C_PROPAGATION", true)];
    let option = &wire.trace_context_option;
    let w3c = read::enum_value(diagnostics, "traceContextOption", option, &options);
    let protocol = TracerProtocol::Zipkin {
        path: path(diagnostics, &wire.path, ZIPKIN_PATH),
        short_trace_id: wire.enable_64bit_trace_id,
        w3c: w3c.unwrap_or_default(),
        timeout: timeout(diagnostics, wire.timeout.as_deref()),
        headers: headers(diagnostics, "headers", &wire.headers),
    };
    tracer.map(|tracer| Tracer { protocol, ..tracer })
}

/// What all collectors have; `None` where the address is unknown.
fn tracer(
    service: &str,
    port: u32,
    max_tag_length: u32,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Tracer> {
    let effect = "calls are not traced";
    let (namespace, host) = match service.split_once('/') {
        Some((namespace, host)) => (Some(namespace), host),
        None => (None, service),
    };
    let named = namespace.is_none_or(host_name::is_label);
    if !named || host_name::problem_of_name(host).is_some() {
        let message = (
            format!("not a host: {effect}"),
            "write `host` or `namespace/host`, such as otel.monitoring.svc.cluster.local",
        );
        diagnostics.warn("service", service, message);
        return None;
    }
    let Some(port) = u16::try_from(port).ok().filter(|port| *port > 0) else {
        let message = (
            format!("not a port: {effect}"),
            "write a number from 1 to 65535",
        );
        diagnostics.warn("port", port, message);
        return None;
    };
    Some(Tracer {
        namespace: namespace.map(Arc::from),
        host: host.into(),
        port,
        max_tag_length: match max_tag_length {
            0 => TAG_LENGTH,
            length => length,
        },
        protocol: TracerProtocol::OtlpGrpc {
            timeout: None,
            metadata: Vec::new(),
        },
    })
}

fn path(diagnostics: &mut Diagnostics<'_>, text: &str, default: &str) -> Arc<str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    match text {
        "" => default.into(),
        text if text.starts_with('/') && text.bytes().all(plain) => text.into(),
        text => {
            let message = (
                format!("not a path: {default} is used"),
                "write one that begins with `/`",
            );
            diagnostics.warn("path", text, message);
            default.into()
        }
    }
}

fn timeout(diagnostics: &mut Diagnostics<'_>, text: Option<&str>) -> Option<Duration> {
    let text = text?;
    let timeout = value::duration(text);
    if timeout.is_none() {
        let message = (
            "not a duration: the default is used",
            "write one such as `10s`",
        );
        diagnostics.warn("timeout", text, message);
    }
    timeout.filter(|timeout| !timeout.is_zero())
}

/// Headers with their values, which no problem shows.
fn headers(
    diagnostics: &mut Diagnostics<'_>,
    part: &str,
    list: &[wire::HttpHeader],
) -> Vec<(Arc<str>, SecretValue)> {
    diagnostics.each(part, list, |diagnostics, wire| {
        let Ok(name) = HeaderName::from_bytes(wire.name.as_bytes()) else {
            let message = (
                "not the name of a header, it is not sent",
                "write a name such as x-team",
            );
            diagnostics.warn("name", &wire.name, message);
            return None;
        };
        let value = match (&*wire.value, &*wire.env_name) {
            (value, "") => {
                if HeaderValue::from_str(value).is_err() {
                    let message = (
                        "not the value of a header, it is not sent",
                        "use visible letters",
                    );
                    diagnostics.warn("value", NO_VALUE, message);
                    return None;
                }
                SecretValue::Literal(value.into())
            }
            (_, variable) => SecretValue::Environment(variable.into()),
        };
        Some((name.as_str().into(), value))
    })
}
