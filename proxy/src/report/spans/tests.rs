//! What spans say of calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use egret_config::address::{ClientAddress, EndpointAddress};
use egret_config::decide::flag::Flag;
use egret_config::labels::Labels;
use egret_config::load::{Text as ConfigText, load};
use egret_config::model::mesh::TracingServiceName;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use tokio::sync::mpsc;

use super::*;
use crate::report::facts::{
    AuthorityFact, End, Facts, RequestFacts, SpanIds, TraceFacts, TracedHeaders, TryFacts,
};
use crate::report::metrics::identity::Surroundings;
use crate::report::needs::Needs;
use crate::report::spans::record::SpanKind;

const TAGS: &str = "literal: {literal: {value: bank}}, header: {header: {name: x-who, defaultValue: nobody}}, missing: {header: {name: x-none}}, variable: {environment: {name: EGRET_NO_SUCH_VARIABLE, defaultValue: unset}}, gone: {environment: {name: EGRET_NO_SUCH_VARIABLE}}, format: {formatter: {value: '%RESPONSE_CODE% \"%REQ(x-none)%\"'}}, component: {literal: {value: mine}}";

fn snapshot(mode: Mode, fields: &str) -> Snapshot {
    let yaml = format!(
        "extensionProviders: [{{name: otel, opentelemetry: {{service: otel.test, port: 4317, maxTagLength: 8}}}}]\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: otel, namespace: default}}\n\
         spec: {{hosts: [otel.test], ports: [{{number: 4317, name: grpc, protocol: GRPC}}], resolution: DNS}}\n\
         ---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: istio-system}}\n\
         spec: {{tracing: [{{providers: [{{name: otel}}]{fields}}}]}}\n"
    );
    let text = ConfigText {
        file: "test.yaml".into(),
        bytes: yaml.into_bytes(),
    };
    let (objects, problems) = load(&[text], None);
    assert!(problems.is_empty(), "{problems:?}");
    let mut workload = Workload::new(mode, "shop");
    workload.labels = Labels::parse("app=cart,version=v2").expect("labels");
    workload.addresses = vec!["10.0.0.7".parse().expect("an address")];
    Snapshot::build(&objects, workload).0
}

fn plan(mode: Mode, fields: &str) -> Arc<SpanPlan> {
    let surroundings = Surroundings {
        pod: Some("cart-1".into()),
        mesh: Some("mesh1".into()),
        ..Surroundings::default()
    };
    Arc::new(SpanPlan::of(&snapshot(mode, fields), &surroundings).expect("traced"))
}

/// The spans of a call, oldest first.
fn spans(mode: Mode, fields: &str, facts: &Facts) -> Vec<Span> {
    let (spans, mut queued) = Spans::new(Arc::default());
    spans.set_plan(Some(plan(mode, fields)));
    spans.report(facts);
    let mut all = Vec::new();
    while let Ok(queued) = queued.try_recv() {
        all.push(queued.span);
    }
    all
}

fn lines(span: &Span) -> Vec<String> {
    let line = |(name, value): (&str, &str)| format!("{name}={value}");
    span.attributes.iter().map(line).collect()
}

fn attribute<'s>(span: &'s Span, name: &str) -> Option<&'s str> {
    span.attributes
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

fn call() -> Facts {
    let mut facts = Facts::begin();
    facts.began -= Duration::from_millis(10);
    facts.request = RequestFacts {
        method: Some(Method::GET),
        path: Some(PathAndQuery::from_static("/a/long/path?q")),
        rewritten_path: Some(PathAndQuery::from_static("/new")),
        protocol: Some(Version::HTTP_11),
        authority: Some(AuthorityFact::Header(HeaderValue::from_static("a.test:80"))),
        request_id: Some(HeaderValue::from_static("5f0a")),
        ..RequestFacts::default()
    };
    facts.downstream.remote_address = Some(ClientAddress(SocketAddr::from(([10, 1, 0, 2], 39999))));
    facts.set_response(StatusCode::OK, "via_upstream");
    facts.bytes_received = 3;
    facts.bytes_sent = 345;
    facts.decision.cluster = Some("outbound|80||a.test".into());
    facts.end = Some(End::Complete);
    facts.span = Some(SpanIds {
        trace: 0xabc,
        span: 0xdef,
    });
    facts.trace = Some(Box::new(TraceFacts {
        parent: Some(0x123),
        name: "a.test:80/*".into(),
        scheme: "http".into(),
        ..TraceFacts::default()
    }));
    facts
}

#[test]
fn the_span_of_a_sidecars_request() {
    let facts = call();
    let all = spans(Mode::Sidecar, "", &facts);
    let [span] = &all[..] else { panic!("{all:?}") };
    assert_eq!(
        (span.trace_id, span.span_id, span.parent),
        (0xabc, 0xdef, Some(0x123))
    );
    assert_eq!(
        (span.kind, &*span.name, span.error),
        (SpanKind::Client, "a.test:80/*", false)
    );
    assert!(span.start <= span.end);
    assert_eq!(
        lines(span),
        [
            "node_id=sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local",
            "zone=",
            "guid:x-request-id=5f0a",
            "http.url=http://a.test:80/a/long/",
            "http.method=GET",
            "downstream_cluster=-",
            "user_agent=-",
            "http.protocol=HTTP/1.1",
            "peer.address=10.1.0.2",
            "request_size=3",
            "response_size=345",
            "component=proxy",
            "upstream_cluster=outbound|80||a.test",
            "upstream_cluster.name=outbound|80||a.test;",
            "http.status_code=200",
            "response_flags=-",
            "istio.canonical_service=cart",
            "istio.canonical_revision=v2",
            "istio.mesh_id=mesh1",
            "istio.namespace=shop",
            "istio.cluster_id=unknown",
        ]
    );
}

#[test]
fn tags_of_the_user() {
    let fields = format!(", enableIstioTags: false, customTags: {{{TAGS}}}");
    let plan = plan(Mode::Sidecar, &fields);
    let mut needs = Needs::default();
    plan.add_needs(&mut needs);
    assert_eq!(needs.headers.request.len(), 1);
    let mut facts = call();
    let mut headers = HeaderMap::new();
    let span = &spans(Mode::Sidecar, &fields, &facts)[0];
    assert_eq!(attribute(span, "header"), Some("nobody"));
    headers.insert("x-who", HeaderValue::from_static("me"));
    headers.insert("x-client-trace-id", HeaderValue::from_static("7"));
    facts.trace.as_mut().expect("sampled").headers = TracedHeaders::of(&headers, &plan.tracing);
    let span = &spans(Mode::Sidecar, &fields, &facts)[0];
    for (name, value) in [
        ("literal", Some("bank")),
        ("header", Some("me")),
        ("missing", None),
        ("variable", Some("unset")),
        ("gone", None),
        ("format", Some("200 \"-\"")),
        ("component", Some("mine")),
        ("guid:x-client-trace-id", Some("7")),
        ("istio.mesh_id", None),
    ] {
        assert_eq!(attribute(span, name), value, "{name}");
    }
    let names: Vec<_> = span.attributes.iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| **name == "component").count(), 1);
}

#[test]
fn statuses_and_errors() {
    for (code, grpc, flag, client, server, error) in [
        (Some(200), None, None, false, false, None),
        (Some(404), None, None, true, false, None),
        (Some(503), None, Some(Flag::UH), true, true, Some("true")),
        (None, None, Some(Flag::DC), false, false, Some("true")),
        (Some(200), None, Some(Flag::UC), false, false, Some("true")),
        (Some(200), Some(0), None, false, false, None),
        (Some(200), Some(5), None, true, true, None),
        (Some(200), Some(14), None, true, true, Some("true")),
    ] {
        let mut facts = call();
        facts.response.code = code.map(|code| StatusCode::from_u16(code).expect("a status"));
        facts.response.grpc_status = grpc;
        if let Some(flag) = flag {
            facts.flags.raise(flag);
        }
        for (mode, failed) in [(Mode::Sidecar, client), (Mode::Gateway, server)] {
            let span = &spans(mode, "", &facts)[0];
            assert_eq!(span.error, failed, "{code:?} {grpc:?} {flag:?} {mode:?}");
            assert_eq!(
                attribute(span, "error"),
                error,
                "{code:?} {grpc:?} {flag:?}"
            );
            let shown = code.unwrap_or_default().to_string();
            assert_eq!(attribute(span, "http.status_code"), Some(&*shown));
        }
    }
}

#[test]
fn a_call_of_grpc() {
    let mut facts = call();
    facts.request.grpc = true;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-timeout", HeaderValue::from_static("1S"));
    let plan = plan(Mode::Sidecar, "");
    facts.trace.as_mut().expect("sampled").headers = TracedHeaders::of(&headers, &plan.tracing);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("5"));
    trailers.insert("grpc-message", HeaderValue::from_static("gone"));
    facts.set_grpc_status(&trailers);
    let span = &spans(Mode::Sidecar, "", &facts)[0];
    for (name, value) in [
        ("grpc.path", "/a/long/path?q"),
        ("grpc.authority", "a.test:80"),
        ("grpc.content_type", "application/grpc"),
        ("grpc.timeout", "1S"),
        ("grpc.status_code", "5"),
        ("grpc.message", "gone"),
    ] {
        assert_eq!(attribute(span, name), Some(value), "{name}");
    }
}

#[test]
fn a_gateway_has_a_span_for_each_try() {
    let mut facts = call();
    let endpoint = |text: &str| EndpointAddress::Ip(text.parse().expect("an address"));
    facts.attempts.begin(endpoint("10.9.0.1:80")).protocol = Some(Version::HTTP_11);
    facts.attempts.begin(endpoint("10.9.0.2:80")).protocol = Some(Version::HTTP_2);
    let began = facts.began;
    let one = |span, attempt| TryFacts {
        span,
        began,
        ended: None,
        attempt,
        code: None,
        failure: None,
    };
    facts.trace.as_mut().expect("sampled").tries = vec![
        TryFacts {
            ended: Some(began + Duration::from_millis(1)),
            failure: Some("upstream_reset".into()),
            ..one(1, Some(0))
        },
        TryFacts {
            code: Some(StatusCode::OK),
            ..one(2, Some(1))
        },
        one(3, None),
    ];
    let all = spans(Mode::Gateway, ", enableIstioTags: false", &facts);
    let [first, second, third, server] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(
        (server.kind, server.parent),
        (SpanKind::Server, Some(0x123))
    );
    for child in [first, second, third] {
        assert_eq!((child.kind, child.parent), (SpanKind::Client, Some(0xdef)));
        assert_eq!(&*child.name, "router outbound|80||a.test; egress");
    }
    assert!(first.end < second.end);
    assert_eq!(
        lines(first),
        [
            "http.protocol=HTTP/1.1",
            "upstream_address=10.9.0.1:80",
            "peer.address=10.9.0.1:80",
            "error.reason=upstream_reset",
            "component=proxy",
            "upstream_cluster=outbound|80||a.test",
            "upstream_cluster.name=outbound|80||a.test;",
            "http.status_code=0",
            "response_flags=-",
            "error=true",
        ]
    );
    assert_eq!(
        lines(second),
        [
            "http.protocol=HTTP/2",
            "upstream_address=10.9.0.2:80",
            "peer.address=10.9.0.2:80",
            "retry.count=1",
            "component=proxy",
            "upstream_cluster=outbound|80||a.test",
            "upstream_cluster.name=outbound|80||a.test;",
            "http.status_code=200",
            "response_flags=-",
        ]
    );
    assert_eq!(attribute(third, "upstream_address"), None);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let counters = Arc::<SpanCounters>::default();
    let (spans, mut queued) = Spans::new(Arc::clone(&counters));
    spans.report(&call());
    assert!(queued.is_empty(), "no plan, no spans");
    spans.set_plan(Some(plan(Mode::Sidecar, "")));
    let mut unsampled = call();
    unsampled.trace = None;
    spans.report(&unsampled);
    assert!(queued.is_empty());
    let facts = call();
    for _ in 0..QUEUE_MAX + 3 {
        spans.report(&facts);
    }
    assert_eq!(counters.queue_full.load(Ordering::Relaxed), 3);
    assert_eq!(queued.len(), QUEUE_MAX);
    queued.close();
    spans.report(&facts);
    assert_eq!(counters.queue_full.load(Ordering::Relaxed), 3);
    assert!(matches!(
        queued.try_recv(),
        Ok(_) | Err(mpsc::error::TryRecvError::Disconnected)
    ));
}

#[test]
fn names_of_services() {
    for (how, name) in [
        (TracingServiceName::AppLabelAndNamespace, "cart.shop"),
        (TracingServiceName::CanonicalNameOnly, "basket"),
        (TracingServiceName::CanonicalNameAndNamespace, "basket.shop"),
    ] {
        let mut snapshot = snapshot(Mode::Sidecar, "");
        let labels = "app=cart,service.istio.io/canonical-name=basket";
        snapshot.workload.labels = Labels::parse(labels).expect("labels");
        let tracing = snapshot.telemetry.tracing.as_mut().expect("traced");
        tracing.service_name = how;
        let plan = SpanPlan::of(&snapshot, &Surroundings::default()).expect("traced");
        assert_eq!(&*plan.service_name, name, "{how:?}");
    }
}
