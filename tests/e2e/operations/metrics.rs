//! What Prometheus scrapes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use egret_tests::client::curl;
use egret_tests::egret::{AGENT, STATS};
use egret_tests::exposition::Exposition;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, GOOGLE, Located, SLEEP};
use egret_tests::scrape;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, elsewhere, registered};

/// A policy that changes nothing.
const POLICY: &str = "loadBalancer: {simple: ROUND_ROBIN}";

#[test]
fn requests_are_counted_with_istios_labels() -> anyhow::Result<()> {
    let world = World::new("metrics-requests", Family::V4)?;
    let body = "0123456789";
    world.http(ELSEWHERE, 80, &at_once(move |_| text(StatusCode::OK, body)))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered("elsewhere.yaml", &elsewhere(&[ELSEWHERE.v4()], POLICY))?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--labels", "app=sleep,version=v1"])
        .env("ISTIO_META_WORKLOAD_NAME", "sleep-v1")
        .env("ISTIO_META_CLUSTER_ID", "Kubernetes")
        .start(&world, &pod)?;
    for _ in 0..3 {
        assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    }
    assert_eq!(curl(&pod, &["aliyun.com"])?.status, 502);

    let routed = [
        ("reporter", "source"),
        ("source_workload", "sleep-v1"),
        ("source_workload_namespace", "default"),
        ("source_app", "sleep"),
        ("source_version", "v1"),
        ("source_cluster", "Kubernetes"),
        ("destination_service", "elsewhere.example"),
        ("destination_service_name", "elsewhere.example"),
        ("destination_service_namespace", "default"),
        ("destination_workload", "unknown"),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("response_flags", "-"),
        ("connection_security_policy", "unknown"),
    ];
    let refused = [
        ("destination_service", "aliyun.com"),
        ("destination_service_name", "BlackHoleCluster"),
        ("destination_service_namespace", "unknown"),
        ("response_code", "502"),
    ];
    let requests = "istio_requests_total";
    let scraped = sidecar.await_metrics(STATS, |scraped| {
        scraped.sum(requests, &routed) == 3.0 && scraped.sum(requests, &refused) == 1.0
    })?;
    assert_eq!(scraped.of(requests, &routed)[0].labels.len(), 25);
    for family in [
        "istio_request_duration_milliseconds",
        "istio_request_bytes",
        "istio_response_bytes",
    ] {
        assert_eq!(scraped.sum(&format!("{family}_count"), &routed), 3.0);
    }
    let bytes = scraped.sum("istio_response_bytes_sum", &routed);
    assert!(bytes > 3.0 * body.len() as f64, "heads count, too: {bytes}");
    let verdict = |verdict| scraped.sum("egret_verdicts_total", &[("verdict", verdict)]);
    assert_eq!((verdict("route"), verdict("blackhole")), (3.0, 1.0));
    let refused = [
        ("destination", "aliyun.com"),
        ("port", "80"),
        ("protocol", "http"),
    ];
    assert_eq!(scraped.sum("egret_refused_calls_total", &refused), 1.0);
    assert_eq!(scraped.lint("egret_"), Vec::<String>::new());
    Ok(())
}

#[test]
fn streams_are_counted_while_they_are_open() -> anyhow::Result<()> {
    let world = World::new("metrics-streams", Family::V4)?;
    world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered("elsewhere.yaml", &elsewhere(&[ELSEWHERE.v4()], POLICY))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut stream = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.write_all(b"\x07hello")?;
        stream.read_exact(&mut [0; 6])?;
        std::io::Result::Ok(stream)
    })?;
    let of = |scraped: &Exposition| {
        let labels = [
            ("destination_service", "elsewhere.example"),
            ("request_protocol", "tcp"),
            ("response_flags", "-"),
        ];
        [
            "connections_opened",
            "connections_closed",
            "received_bytes",
            "sent_bytes",
        ]
        .map(|part| scraped.sum(&format!("istio_tcp_{part}_total"), &labels))
    };
    sidecar.await_metrics(STATS, |scraped| of(scraped) == [1.0, 0.0, 6.0, 6.0])?;
    stream.write_all(b"bye")?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    sidecar.await_metrics(STATS, |scraped| of(scraped) == [1.0, 1.0, 9.0, 9.0])?;
    Ok(())
}

#[test]
fn refused_tls_is_a_stream_to_the_black_hole() -> anyhow::Result<()> {
    let world = World::new("metrics-refused", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let url = format!("https://{}/", GOOGLE.name);
    assert_ne!(curl(&pod, &[&url])?.exit, 0);
    let labels = [
        ("destination_service", "unknown"),
        ("destination_service_name", "BlackHoleCluster"),
        ("response_flags", "UH"),
    ];
    let scraped = sidecar.await_metrics(STATS, |scraped| {
        scraped.sum("istio_tcp_connections_closed_total", &labels) == 1.0
    })?;
    assert_eq!(
        scraped.sum("istio_tcp_connections_opened_total", &labels),
        1.0
    );
    let refused = [
        ("destination", GOOGLE.name),
        ("port", "443"),
        ("protocol", "tls"),
    ];
    assert_eq!(scraped.sum("egret_refused_calls_total", &refused), 1.0);
    Ok(())
}

#[test]
fn nothing_goes_back_when_configuration_changes() -> anyhow::Result<()> {
    let world = World::new("metrics-reload", Family::V4)?;
    world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "page\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let service = elsewhere(&[ELSEWHERE.v4()], POLICY);
    let config = Folder::with(&[ALLOW_ANY])?;
    config.write("elsewhere.yaml", &service)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    config.remove(&["elsewhere.yaml"])?;
    let gone = |page: &str| !page.contains("elsewhere.example");
    sidecar.await_page("/clusters", egret_tests::DEADLINE, gone)?;
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    let requests = [("destination_service_name", "elsewhere.example")];
    let streams = [("destination_service_name", "PassthroughCluster")];
    sidecar.await_metrics(STATS, |scraped| {
        // Without any service on the port, what passes is not read.
        scraped.sum("istio_requests_total", &requests) == 1.0
            && scraped.sum("istio_tcp_connections_closed_total", &streams) == 1.0
    })?;
    Ok(())
}

#[test]
fn each_port_has_its_pages_for_who_may_have_them() -> anyhow::Result<()> {
    let world = World::new("metrics-ports", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let other = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[ALLOW_ANY])?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let metrics = at_once(|_| text(StatusCode::OK, "mine_total 1\n"));
    world.serve(&pod, &[Ipv4Addr::LOCALHOST.into()], 8099, &metrics)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .env(
            "ISTIO_PROMETHEUS_ANNOTATIONS",
            r#"{"scrape":"true","path":"/metrics","port":"8099"}"#,
        )
        .start(&world, &pod)?;
    let remote = |port| SocketAddr::from((SLEEP.v4(), port));
    for (port, path, status, application) in [
        (STATS.port(), "/stats/prometheus", 200, false),
        (STATS.port(), "/metrics", 404, false),
        (STATS.port(), "/config_dump", 404, false),
        (AGENT.port(), "/stats/prometheus", 200, true),
        (AGENT.port(), "/metrics", 200, true),
        (AGENT.port(), "/healthz/ready", 200, false),
        (AGENT.port(), "/config_dump", 404, false),
        (AGENT.port(), "/quitquitquit", 403, false),
        (AGENT.port(), "/drain", 403, false),
    ] {
        let page = scrape::get(&other, remote(port), path)?;
        assert_eq!(page.status, status, "{port}{path}: {}", page.body);
        assert_eq!(
            page.body.contains("mine_total 1\n"),
            application,
            "{port}{path}"
        );
    }
    let admin = sidecar.page("/stats/prometheus")?;
    assert_eq!(admin.status, 200);
    assert!(Exposition::read(&admin.body).is_ok(), "{}", admin.body);
    assert_eq!(scrape::get(&pod, AGENT, "/quitquitquit")?.status, 405);
    assert_eq!(scrape::post(&pod, AGENT, "/quitquitquit")?.status, 200);
    assert_eq!(sidecar.await_end()?, 0);
    Ok(())
}

/// What Telemetry says about metrics in the root namespace.
const TELEMETRY: &str = "
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: metrics, namespace: istio-system}
spec:
  metrics:
  - reportingInterval: 1s
    overrides:
    - match: {metric: REQUEST_COUNT, mode: CLIENT}
      tagOverrides:
        response_flags: {operation: REMOVE}
        method: {value: request.method}
        team: {value: \"request.headers['x-team']\"}
    - match: {metric: REQUEST_SIZE}
      disabled: true
    - match: {metric: RESPONSE_SIZE, mode: SERVER}
      disabled: true
";

#[test]
fn telemetry_sets_labels_and_silences_metrics_and_a_reload_takes_nothing_back() -> anyhow::Result<()>
{
    let world = World::new("metrics-telemetry", Family::V4)?;
    world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "fine")))?;
    let pod = world.pod(SLEEP, "default")?;
    let objects = elsewhere(&[ELSEWHERE.v4()], POLICY);
    let config = registered("elsewhere.yaml", &objects)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    let host = ("destination_service", "elsewhere.example");
    let requests = "istio_requests_total";
    sidecar.await_metrics(STATS, |scraped| scraped.sum(requests, &[host]) == 1.0)?;

    config.write("elsewhere.yaml", &format!("{objects}{TELEMETRY}"))?;
    sidecar.await_metrics(STATS, |scraped| {
        scraped.sum("egret_reloads_total", &[("result", "applied")]) == 1.0
    })?;
    // The workers take the labels up a moment after the configuration is in force.
    let team = ["-H", "x-team: blue", "elsewhere.example"];
    let labels = [host, ("method", "GET"), ("team", "blue")];
    let mut sent = 0.0;
    loop {
        assert_eq!(curl(&pod, &team)?.status, 200);
        sent += 1.0;
        let scraped = sidecar.await_metrics(STATS, |scraped| {
            scraped.sum(requests, &[host]) == 1.0 + sent
        })?;
        if scraped.sum(requests, &labels) > 0.0 {
            break;
        }
    }
    assert_eq!(
        curl(&pod, &["-X", "POST", "elsewhere.example"])?.status,
        200
    );
    let post = [host, ("method", "POST"), ("team", "unknown")];
    let scraped = sidecar.await_metrics(STATS, |scraped| scraped.sum(requests, &post) == 1.0)?;
    let sample = scraped.of(requests, &post)[0];
    assert!(!sample.labels.contains_key("response_flags"), "{sample:?}");
    assert_eq!(sample.labels.len(), 26);
    assert_eq!(scraped.sum(requests, &[host]), 2.0 + sent);
    let count = |family: &str| scraped.sum(&format!("{family}_count"), &[host]);
    assert!(count("istio_request_bytes") <= sent, "silenced");
    assert_eq!(count("istio_response_bytes"), 2.0 + sent);
    Ok(())
}

#[test]
fn what_envoy_counts_is_counted_under_its_names() -> anyhow::Result<()> {
    let world = World::new("metrics-envoy", Family::V4)?;
    world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "fine")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered("elsewhere.yaml", &elsewhere(&[ELSEWHERE.v4()], POLICY))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let first = sidecar.await_metrics(STATS, |_| true)?;
    assert!(first.of("envoy_cluster_upstream_cx_total", &[]).is_empty());
    for _ in 0..3 {
        assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 200);
    }
    assert_eq!(curl(&pod, &["aliyun.com"])?.status, 502);
    let cluster = ("cluster_name", "outbound|80||elsewhere.example");
    let listener = ("listener_address", "0.0.0.0_15001");
    let manager = ("http_conn_manager_prefix", "outbound_0.0.0.0_80");
    let scraped = sidecar.await_metrics(STATS, |scraped| {
        scraped.sum("envoy_http_downstream_rq_total", &[manager]) == 4.0
            && scraped.sum("envoy_listener_downstream_cx_active", &[listener]) == 0.0
            && scraped.sum("envoy_http_downstream_rq_active", &[manager]) == 0.0
    })?;
    for (family, labels, expected) in [
        ("envoy_cluster_upstream_rq_total", &[cluster][..], 3.0),
        ("envoy_cluster_upstream_rq_completed", &[cluster], 3.0),
        ("envoy_cluster_upstream_rq_active", &[cluster], 0.0),
        ("envoy_cluster_upstream_rq_retry", &[cluster], 0.0),
        ("envoy_cluster_upstream_rq_tx_reset", &[cluster], 0.0),
        (
            "envoy_cluster_upstream_rq",
            &[cluster, ("response_code", "200")],
            3.0,
        ),
        (
            "envoy_cluster_upstream_rq",
            &[cluster, ("response_code_class", "2xx")],
            3.0,
        ),
        ("envoy_cluster_upstream_rq_time_count", &[cluster], 3.0),
        ("envoy_cluster_upstream_cx_connect_fail", &[cluster], 0.0),
        ("envoy_cluster_membership_total", &[cluster], 1.0),
        ("envoy_cluster_membership_healthy", &[cluster], 1.0),
        ("envoy_listener_downstream_cx_total", &[listener], 4.0),
        (
            "envoy_listener_http_downstream_rq",
            &[listener, ("response_code_class", "2xx")],
            3.0,
        ),
        (
            "envoy_http_downstream_rq",
            &[manager, ("response_code_class", "5xx")],
            1.0,
        ),
        ("envoy_http_downstream_cx_total", &[manager], 4.0),
        ("envoy_http_downstream_cx_active", &[manager], 0.0),
        ("envoy_server_live", &[], 1.0),
        ("envoy_server_state", &[], 0.0),
        ("envoy_listener_manager_workers_started", &[], 1.0),
        ("envoy_cluster_manager_cds_update_success", &[], 1.0),
        ("egret_detections_total", &[("outcome", "http1")], 4.0),
        ("egret_pool_connections", &[("state", "active")], 0.0),
    ] {
        assert_eq!(scraped.sum(family, labels), expected, "{family} {labels:?}");
    }
    let connections = scraped.sum("envoy_cluster_upstream_cx_total", &[cluster]);
    assert!((1.0..=3.0).contains(&connections), "{connections}");
    let bytes = scraped.sum("envoy_cluster_upstream_cx_rx_bytes_total", &[cluster]);
    assert!(bytes > 3.0 * 4.0, "{bytes}");
    assert!(scraped.sum("process_resident_memory_bytes", &[]) > 1e6);
    let agent = sidecar
        .page("/stats?usedonly&filter=^(server\\.state|listener_manager\\.workers_started)")?;
    assert_eq!(
        agent.body,
        "listener_manager.workers_started: 1\nserver.state: 0\n"
    );
    let active = sidecar.page("/stats?usedonly&filter=downstream_cx_active$")?;
    assert!(
        active
            .body
            .contains("listener.0.0.0.0_15001.downstream_cx_active: 0\n"),
        "{}",
        active.body
    );
    Ok(())
}

#[test]
fn an_upstream_that_cannot_be_reached_is_counted_as_such() -> anyhow::Result<()> {
    let world = World::new("metrics-unreachable", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = registered("elsewhere.yaml", &elsewhere(&[ELSEWHERE.v4()], POLICY))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["elsewhere.example"])?.status, 503);
    let cluster = ("cluster_name", "outbound|80||elsewhere.example");
    let answered = [cluster, ("response_code", "503")];
    let scraped = sidecar.await_metrics(STATS, |scraped| {
        scraped.sum("envoy_cluster_upstream_rq", &answered) == 1.0
    })?;
    let of = |family: &str| scraped.sum(&format!("envoy_cluster_upstream_{family}"), &[cluster]);
    let attempts = of("cx_total");
    assert!(attempts >= 1.0, "{attempts}");
    assert_eq!(of("cx_connect_fail"), attempts);
    assert_eq!(of("rq_retry"), attempts - 1.0, "Istio's default retries");
    assert_eq!((of("cx_active"), of("rq_total")), (0.0, 0.0));
    assert!(
        scraped
            .of("envoy_cluster_upstream_rq_time_count", &[cluster])
            .is_empty()
    );
    Ok(())
}
