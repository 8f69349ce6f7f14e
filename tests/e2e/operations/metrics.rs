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
