//! Traces: headers towards the destination, spans at a collector, and a collector that is away.

mod collector;

use std::future::pending;
use std::sync::Arc;

use egret_tests::client::curl;
use egret_tests::egret::{Proxy, STATS};
use egret_tests::exposition::Exposition;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::origin::{Answer, Origin, Seen, at_once, text};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, HTTPBIN_COM, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::Value;

use crate::helpers::stage;
use crate::operations::traces::collector::{GrpcCollector, Spans, attribute};

/// Where collectors are.
const COLLECTOR: &str = "httpbin.com";

/// A configuration by which `elsewhere.example` is registered and calls are traced: `provider` is that of MeshConfig,
/// `tracing` the fields of the Telemetry besides. The access log says the ids of spans.
fn config(provider: &str, tracing: &str) -> anyhow::Result<Folder> {
    let config = Folder::new()?;
    let mesh = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  mesh: |\n\
         \x20   accessLogFile: /dev/stdout\n\
         \x20   accessLogEncoding: JSON\n\
         \x20   accessLogFormat: '{{\"start_time\": \"%START_TIME%\", \"trace\": \"%TRACE_ID%\", \"span\": \"%SPAN_ID%\", \"path\": \"%REQ(:PATH)%\", \"id\": \"%REQ(X-REQUEST-ID)%\", \"authority\": \"%REQ(:AUTHORITY)%\"}}'\n\
         \x20   outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}\n\
         \x20   extensionProviders: [{{name: collector, {provider}}}]\n"
    );
    config.write("mesh.yaml", &mesh)?;
    let telemetry = format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: traces, namespace: istio-system}}\n\
         spec: {{tracing: [{{providers: [{{name: collector}}], randomSamplingPercentage: 100{tracing}}}]}}\n"
    );
    config.write("telemetry.yaml", &telemetry)?;
    let elsewhere = ServiceEntry::new(ELSEWHERE.name)
        .port(80, "HTTP")
        .at([ELSEWHERE.v4()]);
    let collector = ServiceEntry::new(COLLECTOR)
        .port(4318, "HTTP")
        .port(4317, "GRPC")
        .port(9411, "HTTP")
        .at([HTTPBIN_COM.v4()]);
    config.write("services.yaml", &documents(&[&elsewhere, &collector]))?;
    Ok(config)
}

const OTLP_HTTP: &str = "opentelemetry: {service: httpbin.com, port: 4318, http: {path: /v1/traces, headers: [{name: x-key, value: s3cret}, {name: x-token, envName: COLLECTOR_TOKEN}]}}";

fn sidecar<'p>(world: &World, pod: &'p Host, config: &Folder) -> anyhow::Result<Proxy<'p>> {
    stage::redirect(world, pod, &egret_tests::egret::INJECTED)?;
    stage::sidecar_settings(world, "default")
        .config(config.path())
        .with(&["--labels", "app=sleep,version=v1", "--drain-time", "0s"])
        .env("POD_NAME", "sleep-1")
        .env("ISTIO_META_MESH_ID", "mesh1")
        .env("COLLECTOR_TOKEN", "t0ken")
        .start(world, pod)
}

fn destination(world: &World) -> anyhow::Result<Origin> {
    world.http(
        ELSEWHERE,
        80,
        &at_once(|seen| {
            let path = seen.target.split('?').next().unwrap_or_default();
            let status = path
                .strip_prefix("/status/")
                .and_then(|code| code.parse().ok());
            text(status.unwrap_or(StatusCode::OK), "")
        }),
    )
}

fn header<'s>(seen: &'s Seen, name: &str) -> &'s str {
    seen.headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap_or("?"))
}

/// What counters say of spans: exported, dropped for a full queue, dropped since nobody took them.
fn counted(scraped: &Exposition) -> [f64; 3] {
    let dropped = |reason| scraped.sum("egret_trace_spans_dropped_total", &[("reason", reason)]);
    [
        scraped.sum("egret_trace_spans_exported_total", &[]),
        dropped("queue_full"),
        dropped("export_failed"),
    ]
}

#[test]
fn a_sidecar_sends_its_spans_over_otlp_http() -> anyhow::Result<()> {
    let world = World::new("traces-http", Family::V4)?;
    let origin = destination(&world)?;
    let collector = world.http(HTTPBIN_COM, 4318, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let tags = ", customTags: {team: {literal: {value: bank}}, pod: {environment: {name: POD_NAME}}, who: {header: {name: x-who, defaultValue: nobody}}, none: {header: {name: x-none}}, code: {formatter: {value: 'code %RESPONSE_CODE%'}}}";
    let config = config(OTLP_HTTP, tags)?;
    let sidecar = sidecar(&world, &pod, &config)?;
    let parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let arguments = [
        "-A",
        "me/1.0",
        "-d",
        "12345",
        "-H",
        parent,
        "-H",
        "tracestate: a=1,b=2",
        "-H",
        "x-who: me",
        "http://elsewhere.example/status/503?x=y",
    ];
    assert_eq!(curl(&pod, &arguments)?.status, 503);
    let seen = origin.only_request()?;
    let line = sidecar.await_access(|line| stage::field(line, "path") == "/status/503?x=y")?;
    let span = stage::field(&line, "span").to_owned();
    assert_eq!(
        stage::field(&line, "trace"),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(
        header(&seen, "traceparent"),
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{span}-01")
    );
    assert_eq!(header(&seen, "tracestate"), "a=1,b=2");
    let id = header(&seen, "x-request-id");
    assert_eq!(&id[14..15], "9", "{id}");
    assert_eq!(stage::field(&line, "id"), id);

    let posted = collector.requests.await_one(|_| true)?;
    assert_eq!(
        (&*posted.method, &*posted.target, &*posted.host),
        ("POST", "/v1/traces", COLLECTOR)
    );
    assert_eq!(header(&posted, "content-type"), "application/x-protobuf");
    assert_eq!(
        (header(&posted, "x-key"), header(&posted, "x-token")),
        ("s3cret", "t0ken")
    );
    assert_eq!(header(&posted, "traceparent"), "");
    let spans = Spans::of(&posted.body)?;
    assert_eq!(spans.service(), "sleep.default");
    let [one] = &spans.all[..] else {
        anyhow::bail!("not one span: {spans:?}")
    };
    assert_eq!((one.kind, one.name.as_str()), (3, "elsewhere.example:80/*"));
    assert_eq!(one.status.as_ref().map(|status| status.code), Some(2));
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(hex(&one.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        (hex(&one.span_id), hex(&one.parent_span_id)),
        (span, "00f067aa0ba902b7".to_owned())
    );
    assert_eq!(one.trace_state, "a=1,b=2");
    assert!(one.start_time_unix_nano < one.end_time_unix_nano);
    for (name, value) in [
        (
            "node_id",
            "sidecar~10.34.0.140~sleep-1.default~default.svc.cluster.local",
        ),
        ("zone", ""),
        ("guid:x-request-id", id),
        ("http.url", "http://elsewhere.example/status/503?x=y"),
        ("http.method", "POST"),
        ("http.protocol", "HTTP/1.1"),
        ("http.status_code", "503"),
        ("user_agent", "me/1.0"),
        ("request_size", "5"),
        ("response_size", "0"),
        ("response_flags", "-"),
        ("downstream_cluster", "-"),
        ("peer.address", "10.34.0.140"),
        ("component", "proxy"),
        ("upstream_cluster", "outbound|80||elsewhere.example"),
        ("error", "true"),
        ("istio.canonical_service", "sleep"),
        ("istio.canonical_revision", "v1"),
        ("istio.mesh_id", "mesh1"),
        ("istio.namespace", "default"),
        ("istio.cluster_id", "unknown"),
        ("team", "bank"),
        ("pod", "sleep-1"),
        ("who", "me"),
        ("code", "code 503"),
    ] {
        assert_eq!(attribute(one, name), Some(value), "{name} in {one:#?}");
    }
    assert_eq!(attribute(one, "none"), None);
    // The exporter's own calls are no calls.
    let scraped = sidecar.await_metrics(STATS, |scraped| counted(scraped)[0] == 1.0)?;
    assert_eq!(scraped.sum("istio_requests_total", &[]), 1.0);
    assert_eq!(sidecar.access_log().len(), 1);
    for page in ["/config_dump", "/config_dump?format=json", "/clusters"] {
        let page = sidecar.page(page)?.body;
        assert!(
            !page.contains("s3cret") && !page.contains("t0ken"),
            "{page}"
        );
    }
    assert!(!sidecar.everything().contains("s3cret"));
    Ok(())
}

#[test]
fn what_waits_is_sent_at_the_end() -> anyhow::Result<()> {
    let world = World::new("traces-end", Family::V4)?;
    let _origin = destination(&world)?;
    let collector = world.http(HTTPBIN_COM, 4318, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config(OTLP_HTTP, "")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    for path in ["a", "b", "c"] {
        assert_eq!(
            curl(&pod, &[&format!("elsewhere.example/{path}")])?.status,
            200
        );
    }
    sidecar.await_access(|line| stage::field(line, "path") == "/c")?;
    assert_eq!(sidecar.terminate()?, 0);
    let sent: usize = collector
        .requests
        .all()
        .iter()
        .map(|posted| Spans::of(&posted.body).map(|spans| spans.all.len()))
        .sum::<anyhow::Result<usize>>()?;
    assert_eq!(sent, 3);
    assert_eq!(collector.connections.len(), 1);
    Ok(())
}

#[test]
fn without_a_provider_headers_stay() -> anyhow::Result<()> {
    let world = World::new("traces-off", Family::V4)?;
    let origin = destination(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config(OTLP_HTTP, ", disableSpanReporting: true")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    let id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
    let sent = [
        ("traceparent", "00-BAD"),
        ("tracestate", "a=1"),
        ("b3", "1"),
        ("x-b3-sampled", "1"),
        ("x-request-id", id),
    ];
    let lines: Vec<_> = sent
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let mut arguments = vec!["elsewhere.example/off"];
    arguments.extend(lines.iter().flat_map(|line| ["-H", line]));
    assert_eq!(curl(&pod, &arguments)?.status, 200);
    let seen = origin.only_request()?;
    for (name, value) in sent {
        assert_eq!(header(&seen, name), value, "{name}");
    }
    let line = sidecar.await_access(|line| stage::field(line, "path") == "/off")?;
    assert_eq!(
        (&line["trace"], &line["span"]),
        (&Value::Null, &Value::Null)
    );
    Ok(())
}

#[test]
fn zipkin_gets_its_own_form() -> anyhow::Result<()> {
    let world = World::new("traces-zipkin", Family::V4)?;
    let origin = destination(&world)?;
    let collector = world.http(
        HTTPBIN_COM,
        9411,
        &at_once(|_| text(StatusCode::ACCEPTED, "")),
    )?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config("zipkin: {service: httpbin.com, port: 9411}", "")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example/zipkin"])?.status, 200);
    let seen = origin.only_request()?;
    assert_eq!(
        (header(&seen, "x-b3-sampled"), header(&seen, "traceparent")),
        ("1", "")
    );
    sidecar.await_access(|line| stage::field(line, "path") == "/zipkin")?;
    assert_eq!(sidecar.terminate()?, 0);
    let posted = collector.only_request()?;
    assert_eq!(
        (&*posted.target, header(&posted, "content-type")),
        ("/api/v2/spans", "application/json")
    );
    let spans: Value = serde_json::from_slice(&posted.body)?;
    let span = &spans[0];
    assert_eq!(spans.as_array().map(Vec::len), Some(1));
    assert_eq!(span["traceId"], header(&seen, "x-b3-traceid"));
    assert_eq!(span["id"], header(&seen, "x-b3-spanid"));
    assert_eq!(span["kind"], "CLIENT");
    assert_eq!(span["name"], "elsewhere.example:80/*");
    assert_eq!(span["localEndpoint"]["serviceName"], "sleep.default");
    assert_eq!(span["tags"]["http.status_code"], "200");
    assert!(
        span["duration"].as_u64() > Some(0) && span["timestamp"].is_u64(),
        "{span}"
    );
    Ok(())
}

#[test]
fn a_collector_that_speaks_grpc_gets_spans() -> anyhow::Result<()> {
    let world = World::new("traces-grpc", Family::V4)?;
    let _origin = destination(&world)?;
    let collector = GrpcCollector::start(&world.internet, (HTTPBIN_COM.v4(), 4317).into())?;
    let pod = world.pod(SLEEP, "default")?;
    let provider = "opentelemetry: {service: httpbin.com, port: 4317, grpc: {timeout: 3s, initialMetadata: [{name: X-Key, value: s3cret}]}}";
    let config = config(provider, "")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example/grpc"])?.status, 200);
    let call = collector.calls.await_one(|_| true)?;
    assert_eq!(
        call.path,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    assert_eq!(call.authority, COLLECTOR);
    let header = |name: &str| call.headers[name].to_str().unwrap_or("?");
    assert_eq!(header("content-type"), "application/grpc");
    assert_eq!(
        (header("te"), header("x-key"), header("grpc-timeout")),
        ("trailers", "s3cret", "3000m")
    );
    let (prefix, message) = call.body.split_at(5);
    assert_eq!(prefix[0], 0);
    assert_eq!(
        usize::try_from(u32::from_be_bytes(prefix[1..].try_into()?))?,
        message.len()
    );
    let spans = Spans::of(message)?;
    assert_eq!(spans.all.len(), 1);
    assert_eq!(
        attribute(&spans.all[0], "http.url"),
        Some("http://elsewhere.example/grpc")
    );
    sidecar.await_metrics(STATS, |scraped| counted(scraped) == [1.0, 0.0, 0.0])?;
    Ok(())
}

#[test]
fn a_gateway_has_a_span_for_the_request_and_one_for_each_try() -> anyhow::Result<()> {
    let world = World::new("traces-gateway", Family::V4)?;
    let origin = destination(&world)?;
    let collector = world.http(HTTPBIN_COM, 4318, &at_once(|_| text(StatusCode::OK, "")))?;
    let client = world.pod(SLEEP, "default")?;
    let pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = config(OTLP_HTTP, "")?;
    config.write(
        "gateway.yaml",
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: out, namespace: istio-system}\n\
         spec: {selector: {istio: egressgateway}, servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ['elsewhere.example']}]}\n\
         ---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: out, namespace: istio-system}\n\
         spec: {hosts: ['elsewhere.example'], gateways: [out], http: [{match: [{uri: {prefix: /status/}}], route: [{destination: {host: elsewhere.example, port: {number: 80}}}], retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}}]}\n",
    )?;
    let gateway = stage::egress_gateway(&world, &pod, &config)?;
    let address = format!("elsewhere.example:8080:{}", EGRESS_GATEWAY.v4());
    let url = "http://elsewhere.example:8080/status/503";
    assert_eq!(curl(&client, &["--resolve", &address, url])?.status, 503);
    let seen = origin.requests.all();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let posted = collector.requests.await_one(|_| true)?;
    let spans = Spans::of(&posted.body)?;
    let [server] = &spans.of_kind(2)[..] else {
        anyhow::bail!("not one server: {spans:?}")
    };
    assert_eq!(server.name, "elsewhere.example:80/status/*");
    assert!(attribute(server, "node_id").is_some_and(|id| id.starts_with("router~")));
    let tries = spans.of_kind(3);
    assert_eq!(tries.len(), 2);
    for (one, seen) in tries.iter().zip(&seen) {
        let span = one
            .span_id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        assert!(header(seen, "traceparent").contains(&span), "{seen:?}");
        assert_eq!(
            (&one.parent_span_id, &one.trace_id),
            (&server.span_id, &server.trace_id)
        );
        assert_eq!(one.name, "router outbound|80||elsewhere.example; egress");
        assert_eq!(
            attribute(one, "upstream_address"),
            Some(&*stage::at(ELSEWHERE.v4(), 80))
        );
        assert_eq!(attribute(one, "http.status_code"), Some("503"));
    }
    assert_eq!(
        (
            attribute(tries[0], "retry.count"),
            attribute(tries[1], "retry.count")
        ),
        (None, Some("1"))
    );
    drop(gateway);
    Ok(())
}

#[test]
fn tls_with_the_collector_follows_its_destination_rule() -> anyhow::Result<()> {
    let world = World::new("traces-tls", Family::V4)?;
    let _origin = destination(&world)?;
    let tls = world.authority.server(&[COLLECTOR])?;
    let collector = world.https(HTTPBIN_COM, tls, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let provider = "opentelemetry: {service: httpbin.com, port: 443, http: {path: /v1/traces}}";
    let config = config(provider, "")?;
    let secure = ServiceEntry::new(COLLECTOR)
        .port(443, "HTTP")
        .at([HTTPBIN_COM.v4()]);
    let rule = DestinationRule::new(COLLECTOR, "{tls: {mode: SIMPLE}}");
    let elsewhere = ServiceEntry::new(ELSEWHERE.name)
        .port(80, "HTTP")
        .at([ELSEWHERE.v4()]);
    config.write("services.yaml", &documents(&[&elsewhere, &secure, &rule]))?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example/tls"])?.status, 200);
    let posted = collector.requests.await_one(|_| true)?;
    assert_eq!(posted.sni.as_deref(), Some(COLLECTOR));
    assert_eq!(Spans::of(&posted.body)?.all.len(), 1);
    sidecar.await_metrics(STATS, |scraped| counted(scraped) == [1.0, 0.0, 0.0])?;
    Ok(())
}

#[test]
fn a_collector_that_is_away_costs_spans_alone() -> anyhow::Result<()> {
    let world = World::new("traces-away", Family::V4)?;
    let _origin = destination(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config(OTLP_HTTP, "")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example/away"])?.status, 200);
    sidecar.await_metrics(STATS, |scraped| counted(scraped) == [0.0, 0.0, 1.0])?;
    sidecar.await_log(&["spans are dropped", "httpbin.com"])?;
    // It is tried again with the next batch.
    let collector = world.http(HTTPBIN_COM, 4318, &at_once(|_| text(StatusCode::OK, "")))?;
    assert_eq!(curl(&pod, &["elsewhere.example/back"])?.status, 200);
    sidecar.await_metrics(STATS, |scraped| counted(scraped) == [1.0, 0.0, 1.0])?;
    assert_eq!(collector.requests.len(), 1);
    Ok(())
}

#[test]
fn a_collector_that_never_answers_does_not_hold_up_the_end() -> anyhow::Result<()> {
    let world = World::new("traces-silent", Family::V4)?;
    let _origin = destination(&world)?;
    let silence: Answer = Arc::new(|_| Box::pin(async { pending().await }));
    let _silent = world.serve(&world.internet, &[HTTPBIN_COM.v4()], 4318, &silence)?;
    let pod = world.pod(SLEEP, "default")?;
    // Longer than any test takes.
    let provider =
        "opentelemetry: {service: httpbin.com, port: 4318, http: {path: /, timeout: 600s}}";
    let config = config(provider, "")?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example/silent"])?.status, 200);
    sidecar.await_access(|line| stage::field(line, "path") == "/silent")?;
    assert_eq!(sidecar.terminate()?, 0);
    Ok(())
}
