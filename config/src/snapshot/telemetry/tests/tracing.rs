//! How calls are traced.

use super::*;
use crate::model::mesh::{SecretValue, TracerProtocol, TracingServiceName};
use crate::model::telemetry::CustomTag;
use crate::snapshot::cluster::Discovery;

/// Collectors, declared and registered.
const MESH: &str = "extensionProviders:\n- {name: otel, opentelemetry: {service: otel.test, port: 4317}}\n- {name: zip, zipkin: {service: tools/zip.test, port: 9411}}\n- {name: file, envoyFileAccessLog: {}}\n";

const SERVICES: &str = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: otel, namespace: bank}\nspec: {hosts: [otel.test], exportTo: ['.'], ports: [{number: 4317, name: grpc, protocol: GRPC}], resolution: DNS}\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: zip, namespace: tools}\nspec: {hosts: [zip.test], ports: [{number: 9411, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 192.0.2.1}]}\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: none, namespace: tools}\nspec: {hosts: [none.test], ports: [{number: 9411, name: http, protocol: HTTP}], resolution: NONE}\n";

fn traced(mesh: &str, specs: [&str; 3]) -> (Option<Tracing>, Vec<String>) {
    let (snapshot, problems) = snapshot(&format!("{mesh}{}{SERVICES}", levels(specs)));
    let tracing = snapshot.telemetry.tracing;
    if let Some(tracing) = &tracing {
        let cluster = snapshot
            .clusters
            .get(&tracing.cluster)
            .expect("a cluster of the snapshot");
        let callable = matches!(
            cluster.discovery,
            Discovery::Members(_) | Discovery::Names { .. }
        );
        assert!(callable, "{:?}", cluster.discovery);
    }
    (tracing, problems)
}

/// The cluster of the collector and the sampling, or `-`.
fn summary(mesh: &str, specs: [&str; 3]) -> String {
    let (tracing, problems) = traced(mesh, specs);
    assert_eq!(problems, [""; 0], "{mesh} {specs:?}");
    tracing.map_or("-".to_owned(), |tracing| {
        format!("{} {}", tracing.cluster, tracing.sampling)
    })
}

#[test]
fn a_provider_is_needed() {
    let otel = "outbound|4317||otel.test";
    let zip = "outbound|9411||zip.test";
    let defaults = format!("{MESH}defaultProviders: {{tracing: [otel, zip]}}\n");
    let use_zip = "tracing: [{providers: [{name: zip}]}]";
    for (mesh, specs, expected) in [
        (MESH, ["", "", ""], "-".to_owned()),
        (
            MESH,
            ["tracing: [{randomSamplingPercentage: 50}]", "", ""],
            "-".to_owned(),
        ),
        (
            MESH,
            ["tracing: [{providers: [{name: otel}]}]", "", ""],
            format!("{otel} 10000"),
        ),
        (
            MESH,
            ["tracing: [{providers: [{name: otel}]}]", use_zip, ""],
            format!("{zip} 10000"),
        ),
        (&defaults, ["", "", ""], format!("{otel} 10000")),
        (&defaults, ["", "", use_zip], format!("{zip} 10000")),
        (
            &defaults,
            ["tracing: [{randomSamplingPercentage: 50}]", "", ""],
            format!("{otel} 500000"),
        ),
        (
            &defaults,
            [
                "tracing: [{randomSamplingPercentage: 50}]",
                "tracing: [{randomSamplingPercentage: 0}]",
                "",
            ],
            format!("{otel} 0"),
        ),
        (
            &defaults,
            ["tracing: [{disableSpanReporting: true}]", "", ""],
            "-".to_owned(),
        ),
        (
            &defaults,
            [
                "tracing: [{disableSpanReporting: true}]",
                "tracing: [{disableSpanReporting: false}]",
                "",
            ],
            format!("{otel} 10000"),
        ),
        (
            &defaults,
            [
                "tracing: [{match: {mode: SERVER}, disableSpanReporting: true}]",
                "",
                "",
            ],
            format!("{otel} 10000"),
        ),
        (
            &format!("{defaults}defaultConfig: {{tracing: {{sampling: 0.5}}}}\n"),
            ["", "", ""],
            format!("{otel} 5000"),
        ),
        (
            &format!("{defaults}defaultConfig: {{tracing: {{sampling: 0.5}}}}\n"),
            ["tracing: [{randomSamplingPercentage: 100}]", "", ""],
            format!("{otel} 1000000"),
        ),
    ] {
        assert_eq!(summary(mesh, specs), expected, "{mesh} {specs:?}");
    }
}

#[test]
fn fields_are_inherited_and_custom_tags_are_replaced() {
    let root = "tracing: [{providers: [{name: otel}], enableIstioTags: false, useRequestIdForTraceSampling: false, customTags: {a: {literal: {value: '1'}}, b: {header: {name: X-B, defaultValue: none}}}}]";
    let (tracing, problems) = traced(
        MESH,
        [root, "tracing: [{disableContextPropagation: true}]", ""],
    );
    let tracing = tracing.expect("traced");
    assert_eq!(problems, [""; 0]);
    assert!(!tracing.istio_tags && !tracing.use_request_id && !tracing.context_propagation);
    assert_eq!(tracing.custom_tags.len(), 2);
    assert_eq!(tracing.max_tag_length, 256);
    assert_eq!(
        tracing.custom_tags["b"],
        CustomTag::Header {
            name: "x-b".parse().unwrap(),
            default: Some("none".into())
        }
    );
    let own = "tracing: [{customTags: {c: {environment: {name: POD}}}, enableIstioTags: true}]";
    let (tracing, _) = traced(MESH, [root, own, ""]);
    let tracing = tracing.expect("traced");
    assert!(tracing.istio_tags && tracing.context_propagation);
    let names: Vec<_> = tracing.custom_tags.keys().map(|name| &**name).collect();
    assert_eq!(names, ["c"]);
    let mesh = format!(
        "{MESH}defaultConfig: {{tracingServiceName: CANONICAL_NAME_ONLY, tracing: {{enableIstioTags: false, customTags: {{m: {{literal: {{value: x}}}}}}}}}}\n"
    );
    let (tracing, _) = traced(&mesh, ["tracing: [{providers: [{name: otel}]}]", "", ""]);
    let tracing = tracing.expect("traced");
    assert_eq!(
        (tracing.istio_tags, tracing.service_name),
        (false, TracingServiceName::CanonicalNameOnly)
    );
    assert!(tracing.custom_tags.contains_key("m"));
}

#[test]
fn what_is_spoken_is_the_providers() {
    let protocol = |provider: &str| {
        let mesh = format!(
            "extensionProviders: [{{name: p, {provider}}}]\ndefaultProviders: {{tracing: [p]}}\n"
        );
        let (tracing, problems) = traced(&mesh, ["", "", ""]);
        assert_eq!(problems, [""; 0]);
        let tracing = tracing.expect("traced");
        (
            tracing.protocol,
            tracing.max_tag_length,
            tracing.authority.to_string(),
            tracing.port,
        )
    };
    let second = Some(std::time::Duration::from_secs(1));
    let secret = |value: &str| SecretValue::Literal(value.into());
    assert_eq!(
        protocol(
            "opentelemetry: {service: otel.test, port: 4317, maxTagLength: 20, grpc: {timeout: 1s, initialMetadata: [{name: X-A, value: b}]}}"
        ),
        (
            TracerProtocol::OtlpGrpc {
                timeout: second,
                metadata: vec![("x-a".into(), secret("b"))]
            },
            20,
            "otel.test".to_owned(),
            4317
        )
    );
    assert_eq!(
        protocol("opentelemetry: {service: zip.test, port: 9411, http: {path: /x, headers: [{name: a, envName: B}]}}").0,
        TracerProtocol::OtlpHttp { path: "/x".into(), timeout: None, headers: vec![("a".into(), SecretValue::Environment("B".into()))] }
    );
    assert_eq!(
        protocol("zipkin: {service: zip.test, port: 9411, enable64bitTraceId: true, traceContextOption: USE_B3_WITH_W3C_PROPAGATION}").0,
        TracerProtocol::Zipkin { path: "/api/v2/spans".into(), short_trace_id: true, w3c: true, timeout: None, headers: vec![] }
    );
}

#[test]
fn the_oldest_form_names_a_zipkin() {
    let mesh = |enabled: &str, address: &str| {
        format!(
            "enableTracing: {enabled}\ndefaultConfig: {{tracing: {{sampling: 10, zipkin: {{address: '{address}'}}}}}}\n"
        )
    };
    assert_eq!(
        summary(&mesh("true", "zip.test:9411"), ["", "", ""]),
        "outbound|9411||zip.test 100000"
    );
    assert_eq!(
        summary(&mesh("true", "zipkin.example:9411"), ["", "", ""]),
        "outbound|9411||zipkin.example 100000"
    );
    assert_eq!(
        summary(&mesh("true", "192.0.2.7:9411"), ["", "", ""]),
        "outbound|9411||192.0.2.7 100000"
    );
    // Unset is true, as in Istio's default MeshConfig.
    assert_eq!(
        summary(&mesh("null", "zip.test:9411"), ["", "", ""]),
        "outbound|9411||zip.test 100000"
    );
    assert_eq!(summary(&mesh("false", "zip.test:9411"), ["", "", ""]), "-");
    assert_eq!(
        summary(
            &mesh("true", "zip.test:9411"),
            ["tracing: [{randomSamplingPercentage: 1}]", "", ""]
        ),
        "-"
    );
    let kubernetes = "---\napiVersion: v1\nkind: Service\nmetadata: {name: zipkin, namespace: istio-system}\nspec: {clusterIP: 10.0.0.9, ports: [{port: 9411, name: http}]}\n";
    let (snapshot, problems) = snapshot(&format!(
        "{}{kubernetes}",
        mesh("true", "zipkin.istio-system:9411")
    ));
    assert_eq!(problems, [""; 0]);
    let tracing = snapshot.telemetry.tracing.expect("traced");
    assert_eq!(
        &*tracing.cluster,
        "outbound|9411||zipkin.istio-system.svc.cluster.local"
    );
    assert_eq!(
        tracing.protocol,
        TracerProtocol::Zipkin {
            path: "/api/v2/spans".into(),
            short_trace_id: false,
            w3c: false,
            timeout: None,
            headers: vec![]
        }
    );
}

#[test]
fn collectors_that_cannot_be_called_are_reported() {
    let of = |name: &str| format!("tracing: [{{providers: [{{name: {name}}}]}}]");
    let start = "Telemetry istio-system/root: spec.tracing[0].providers[0].name: ";
    for (mesh, name, expected) in [
        (
            "",
            "nobody",
            "\"nobody\": no such provider: calls are not traced; name an extensionProvider opentelemetry or zipkin",
        ),
        (
            "",
            "file",
            "\"file\": a provider of another kind: calls are not traced; name an extensionProvider opentelemetry or zipkin",
        ),
        (
            "- {name: gone, zipkin: {service: gone.test, port: 1}}\n",
            "gone",
            "\"gone\": calls are not traced: gone.test is neither a service nor a host of a ServiceEntry; write a ServiceEntry for it",
        ),
        (
            "- {name: other, zipkin: {service: shop/zip.test, port: 9411}}\n",
            "other",
            "\"other\": calls are not traced: zip.test is neither a service nor a host of a ServiceEntry; write a ServiceEntry for it",
        ),
        (
            "- {name: port, zipkin: {service: zip.test, port: 1}}\n",
            "port",
            "\"port\": calls are not traced: zip.test has no port 1; write a port of the service",
        ),
        (
            "- {name: none, zipkin: {service: none.test, port: 9411}}\n",
            "none",
            "\"none\": calls are not traced: none.test has no endpoints of its own; set resolution DNS or STATIC in its ServiceEntry",
        ),
    ] {
        let (tracing, problems) = traced(&format!("{MESH}{mesh}"), [&of(name), "", ""]);
        assert!(tracing.is_none(), "{name}");
        assert_eq!(problems, [format!("{start}{expected}")], "{name}");
    }
}
