//! What is sent to collectors, and what their answers mean.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use egret_config::load::{Text as ConfigText, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::BodyExt;
use prost::Message;
use serde_json::{Value, json};

use crate::client::body::RequestBody;
use crate::report::metrics::identity::Surroundings;
use crate::report::spans::plan::SpanPlan;
use crate::report::spans::record::{Attributes, QueuedSpan, Span, SpanKind};
use crate::trace::encode::{Answer, Batch};
use crate::trace::messages::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};

fn plan(provider: &str) -> Arc<SpanPlan> {
    let yaml = format!(
        "extensionProviders: [{{name: p, {provider}}}]\ndefaultProviders: {{tracing: [p]}}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: c, namespace: default}}\n\
         spec: {{hosts: [c.test], ports: [{{number: 4318, name: http, protocol: HTTP}}], resolution: DNS}}\n"
    );
    let text = ConfigText {
        file: "test.yaml".into(),
        bytes: yaml.into_bytes(),
    };
    let (objects, problems) = load(&[text], None);
    assert!(problems.is_empty(), "{problems:?}");
    let (snapshot, _) = Snapshot::build(&objects, Workload::new(Mode::Sidecar, "shop"));
    Arc::new(SpanPlan::of(&snapshot, &Surroundings::default()).expect("traced"))
}

fn span(trace_id: u128, parent: Option<u64>) -> Span {
    let start = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042);
    let mut attributes = Attributes::default();
    attributes.set("component", "proxy");
    Span {
        trace_id,
        span_id: 0xab,
        parent,
        trace_state: "a=1".into(),
        name: "a.test:80/*".into(),
        kind: SpanKind::Client,
        start,
        end: start + Duration::from_micros(7),
        error: parent.is_none(),
        attributes,
    }
}

fn batch(provider: &str) -> Batch {
    let plan = plan(provider);
    let spans = [span(1 << 64, Some(0xcd)), span(0xef, None)].map(|span| QueuedSpan {
        span,
        plan: Arc::clone(&plan),
    });
    Batch::of(&plan, &spans)
}

async fn body(request: Request<RequestBody>) -> Vec<u8> {
    let body = request.into_body().collect().await.expect("a body");
    body.to_bytes().to_vec()
}

const HTTP: &str = "opentelemetry: {service: c.test, port: 4318, http: {path: /v1/traces?x, timeout: 2s, headers: [{name: X-Key, value: s3cret}, {name: x-gone, envName: EGRET_NO_SUCH_VARIABLE}]}}";
const GRPC: &str = "opentelemetry: {service: c.test, port: 4318, grpc: {timeout: 2s}}";
const ZIPKIN: &str = "zipkin: {service: c.test, port: 4318}";

#[tokio::test]
async fn otlp_over_http() {
    let batch = batch(HTTP);
    assert_eq!(batch.timeout, Duration::from_secs(2));
    let request = batch.request(false, false).expect("a request");
    assert_eq!(
        (request.method(), request.version()),
        (&Method::POST, Version::HTTP_11)
    );
    assert_eq!(request.uri(), "/v1/traces?x");
    let headers = request.headers().clone();
    assert_eq!(headers["host"], "c.test");
    assert_eq!(headers["x-key"], "s3cret");
    assert!(!headers.contains_key("x-gone"));
    assert!(!format!("{request:?} {batch:?}").contains("s3cret"));
    let body = body(request).await;
    assert_eq!(headers["content-length"], body.len().to_string());
    let message = ExportTraceServiceRequest::decode(&*body).expect("a message");
    let spans = &message.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans[0].trace_id, (1u128 << 64).to_be_bytes());
    assert_eq!(spans[0].parent_span_id, 0xcd_u64.to_be_bytes());
    assert_eq!(
        (&*spans[0].trace_state, spans[0].kind, &spans[0].status),
        ("a=1", 3, &None)
    );
    assert_eq!(
        spans[0].end_time_unix_nano - spans[0].start_time_unix_nano,
        7000
    );
    assert!(spans[1].parent_span_id.is_empty());
    assert_eq!(spans[1].status.as_ref().map(|status| status.code), Some(2));
    assert!(
        batch
            .request(true, true)
            .is_some_and(|request| request.uri() == "https://c.test/v1/traces?x")
    );
}

#[tokio::test]
async fn otlp_over_grpc() {
    let batch = batch(GRPC);
    let request = batch.request(true, false).expect("a request");
    assert_eq!(
        request.uri(),
        "http://c.test/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    let headers = request.headers().clone();
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["grpc-timeout"], "2000m");
    let body = body(request).await;
    assert_eq!(
        body[..5],
        [
            &[0][..],
            &u32::try_from(body.len() - 5).expect("short").to_be_bytes()
        ]
        .concat()
    );
    ExportTraceServiceRequest::decode(&body[5..]).expect("a message");
}

#[tokio::test]
async fn zipkins_json() {
    let batch = batch(ZIPKIN);
    assert_eq!(batch.timeout, Duration::from_secs(10));
    let request = batch.request(false, false).expect("a request");
    assert_eq!(request.uri(), "/api/v2/spans");
    let spans: Value = serde_json::from_slice(&body(request).await).expect("JSON");
    assert_eq!(
        spans[0],
        json!({
            "traceId": "00000000000000010000000000000000", "id": "00000000000000ab", "name": "a.test:80/*",
            "kind": "CLIENT", "timestamp": 1_700_000_000_000_042_u64, "duration": 7,
            "localEndpoint": {"serviceName": "istio-proxy.shop"}, "tags": {"component": "proxy"},
            "parentId": "00000000000000cd",
        })
    );
    assert_eq!(spans[1]["traceId"], "00000000000000ef");
    assert_eq!(spans[1].get("parentId"), None);
}

#[test]
fn answers_of_http() {
    let none = HeaderMap::new();
    for (status, expected) in [
        (200, Answer::Taken(0)),
        (202, Answer::Taken(0)),
        (429, Answer::Later),
        (503, Answer::Later),
        (400, Answer::Refused),
        (301, Answer::Refused),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        for provider in [HTTP, ZIPKIN] {
            let answer = batch(provider).answer(status, &none, b"", &none);
            assert_eq!(answer, expected, "{status} {provider}");
        }
    }
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "no".to_owned(),
        }),
    };
    let body = partial.encode_to_vec();
    let answer = |provider, body: &[u8]| batch(provider).answer(StatusCode::OK, &none, body, &none);
    assert_eq!(answer(HTTP, &body), Answer::Taken(1));
    assert_eq!(answer(HTTP, b"ok"), Answer::Taken(0));
    assert_eq!(answer(ZIPKIN, &body), Answer::Taken(0));
}

#[test]
fn answers_of_grpc() {
    let none = HeaderMap::new();
    let batch = batch(GRPC);
    for (said, expected) in [
        ("0", Answer::Taken(0)),
        ("14", Answer::Later),
        ("4", Answer::Later),
        ("3", Answer::Refused),
        ("7", Answer::Refused),
    ] {
        let mut said_so = HeaderMap::new();
        said_so.insert("grpc-status", HeaderValue::from_static(said));
        assert_eq!(
            batch.answer(StatusCode::OK, &none, b"\0\0\0\0\0", &said_so),
            expected,
            "{said}"
        );
        assert_eq!(
            batch.answer(StatusCode::OK, &said_so, b"", &none),
            expected,
            "{said}"
        );
    }
    assert_eq!(
        batch.answer(StatusCode::OK, &none, b"", &none),
        Answer::Later
    );
    assert_eq!(
        batch.answer(StatusCode::NOT_FOUND, &none, b"", &none),
        Answer::Refused
    );
}
