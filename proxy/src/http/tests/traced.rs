//! Headers of traces on their way through.

use serde_json::json;

use crate::http::tests::world::*;

const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ID: &str = "x-request-id: 6ba7b810-9dad-41d1-80b4-00c04fd430c8";

/// What the origin gets of these headers, and the access log's ids of the span. `tracing` is that of a Telemetry.
async fn sent(
    tracing: &str,
    headers: &[&str],
    rule: &str,
) -> (Vec<String>, [serde_json::Value; 2]) {
    let (sent, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (to, _) = origin(move |mut stream, _| {
        let sent = sent.clone();
        async move {
            while let Some(request) = message(&mut stream).await {
                answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                sent.send(request).expect("taken");
            }
        }
    })
    .await;
    let mesh = "extensionProviders: [{name: otel, opentelemetry: {service: a.test, port: 80}}, {name: zip, zipkin: {service: a.test, port: 80}}]\n";
    let telemetry = match tracing {
        "" => String::new(),
        tracing => format!(
            "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: istio-system}}\nspec: {{tracing: [{{{tracing}}}]}}\n"
        ),
    };
    let world = World::with_mesh(mesh, &(service("a", "HTTP", &[to]) + rule + &telemetry));
    world.log_as(json!({"trace": "%TRACE_ID%", "span": "%SPAN_ID%"}));
    let mut client = world.client(vip());
    let headers = headers.join("\r\n");
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n\r\n")
        .replace("\r\n\r\n\r\n", "\r\n\r\n");
    ask(&mut client, &request).await;
    tokio::task::yield_now().await;
    let request = seen.recv().await.expect("a request");
    let mut lines: Vec<String> = request
        .lines()
        .filter(|line| {
            ["traceparent", "tracestate", "b3", "x-b3", "x-request-id"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(str::to_owned)
        .collect();
    lines.sort();
    let line = world.lines().remove(0);
    (lines, [line["trace"].clone(), line["span"].clone()])
}

const OTEL: &str = "providers: [{name: otel}], randomSamplingPercentage: 100";

#[test]
fn without_a_provider_nothing_is_touched() {
    worker(|| async {
        let headers = [
            "b3: 1",
            "traceparent: 00-BAD",
            "tracestate: a=1",
            "x-b3-sampled: 1",
            ID,
        ];
        for tracing in ["", "providers: [{name: otel}], disableSpanReporting: true"] {
            let (lines, ids) = sent(tracing, &headers, "").await;
            assert_eq!(lines, headers, "{tracing}");
            assert_eq!(ids, [json!(null), json!(null)]);
        }
    });
}

#[test]
fn a_trace_is_continued_with_a_span_of_ours() {
    worker(|| async {
        let (lines, [trace, span]) = sent(OTEL, &[PARENT, "tracestate: a=1", ID], "").await;
        assert_eq!(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
        let span = span.as_str().expect("a span");
        assert_eq!(
            lines,
            [
                format!("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01"),
                "tracestate: a=1".to_owned(),
                "x-request-id: 6ba7b810-9dad-91d1-80b4-00c04fd430c8".to_owned(),
            ]
        );
    });
}

#[test]
fn what_is_not_sampled_says_so() {
    worker(|| async {
        let none = "providers: [{name: otel}], randomSamplingPercentage: 0";
        let (lines, [trace, span]) = sent(none, &[ID], "").await;
        let (trace, span) = (trace.as_str().expect("ids"), span.as_str().expect("ids"));
        assert_eq!(
            lines,
            [format!("traceparent: 00-{trace}-{span}-00"), ID.to_owned()]
        );
        let (lines, _) = sent(none, &["x-client-trace-id: 7"], "").await;
        assert!(lines[0].ends_with("-01"), "{lines:?}");
    });
}

#[test]
fn headers_stay_where_propagation_is_off() {
    worker(|| async {
        let off = format!("{OTEL}, disableContextPropagation: true");
        let (lines, ids) = sent(&off, &[PARENT, ID], "").await;
        assert_eq!(lines, [PARENT, ID]);
        assert_eq!(ids[0], "4bf92f3577b34da6a3ce929d0e0e4736");
    });
}

#[test]
fn zipkins_headers_are_zipkins() {
    worker(|| async {
        let zipkin = "providers: [{name: zip}], randomSamplingPercentage: 100, useRequestIdForTraceSampling: false";
        let (lines, [trace, span]) = sent(zipkin, &[ID], "").await;
        let (trace, span) = (trace.as_str().expect("ids"), span.as_str().expect("ids"));
        assert_eq!(
            lines,
            [
                "x-b3-sampled: 1".to_owned(),
                format!("x-b3-spanid: {span}"),
                format!("x-b3-traceid: {trace}"),
                ID.to_owned(),
            ]
        );
    });
}

#[test]
fn a_route_does_not_write_the_ids() {
    worker(|| async {
        let rule = rule(
            "a",
            "route: [{destination: {host: a.test}}], headers: {request: {set: {traceparent: mine, x-set: yes}}}",
        );
        let (lines, [trace, span]) = sent(OTEL, &[ID], &rule).await;
        let (trace, span) = (trace.as_str().expect("ids"), span.as_str().expect("ids"));
        assert_eq!(lines[0], format!("traceparent: 00-{trace}-{span}-01"));
    });
}
