//! Endpoints that fail again and again are left out, and come back.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::{Answer, at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, elsewhere, field, until};

const BAD: Site = Site {
    name: "bad",
    number: 20,
};
const GOOD: Site = Site {
    name: "good",
    number: 21,
};
const OTHER: Site = Site {
    name: "other",
    number: 22,
};

fn config(detection: &str) -> String {
    elsewhere(
        &[BAD.v4(), GOOD.v4()],
        &format!("loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {{{detection}}}"),
    )
}

fn answer(status: StatusCode) -> Answer {
    at_once(move |_| text(status, ""))
}

fn call(pod: &Host) -> anyhow::Result<u16> {
    Ok(curl(pod, &["http://elsewhere.example/"])?.status)
}

#[test]
fn a_run_of_server_errors_ejects_once_and_for_all_workers() -> anyhow::Result<()> {
    let world = World::new("outlier-http", Family::V4)?;
    let bad = world.http(BAD, 80, &answer(StatusCode::INTERNAL_SERVER_ERROR))?;
    let good = world.http(GOOD, 80, &answer(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 3, baseEjectionTime: 300s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let statuses: Vec<u16> = (0..20).map(|_| call(&pod)).collect::<Result<_, _>>()?;
    assert_eq!(bad.requests.len(), 3, "{statuses:?}");
    assert_eq!(good.requests.len(), 17);
    sidecar.await_log(&["endpoint ejected", "198.51.100.20:80", "ServerErrors"])?;
    let page = sidecar.page("/clusters")?.body;
    assert!(
        page.contains("EJECTED") && page.contains("198.51.100.20:80"),
        "{page}"
    );
    Ok(())
}

#[test]
fn an_endpoint_comes_back_when_its_time_is_over() -> anyhow::Result<()> {
    let world = World::new("outlier-recovery", Family::V4)?;
    let bad = world.http(BAD, 80, &answer(StatusCode::BAD_GATEWAY))?;
    let _good = world.http(GOOD, 80, &answer(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 0, consecutiveGatewayErrors: 1, interval: 0.2s, baseEjectionTime: 0.5s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let end = Instant::now() + DEADLINE;
    while bad.requests.len() < 2 {
        anyhow::ensure!(Instant::now() < end, "{}", sidecar.everything());
        call(&pod)?;
    }
    sidecar.await_log(&["endpoint taken back"])?;
    Ok(())
}

#[test]
fn connections_that_fail_count_for_bytes_too() -> anyhow::Result<()> {
    let world = World::new("outlier-tcp", Family::V4)?;
    let good = world.echo(&world.internet, &[GOOD.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::with(&[REGISTRY_ONLY])?;
    let detection = "consecutive5xxErrors: 2, baseEjectionTime: 300s, maxEjectionPercent: 50";
    folder.write("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    let greeted = || {
        pod.run(|| {
            use std::io::Read;
            let mut stream = std::net::TcpStream::connect((ELSEWHERE.v4(), 7000))?;
            let mut greeting = [0; 5];
            std::io::Result::Ok(stream.read_exact(&mut greeting).is_ok())
        })
    };
    let greeted: Vec<bool> = (0..12).map(|_| greeted()).collect::<Result<_, _>>()?;
    let refused = greeted.iter().filter(|greeted| !**greeted).count();
    assert_eq!((refused, good.connections.len()), (2, 10), "{greeted:?}");
    let line = sidecar.await_access(|line| field(line, "response_flags") == "UF,URX")?;
    assert_eq!(field(&line, "upstream_host"), "198.51.100.20:7000");
    Ok(())
}

/// The endpoints of port 80 that are left out now.
fn ejected(sidecar: &Proxy<'_>) -> anyhow::Result<Vec<String>> {
    let page = sidecar.json("/clusters")?;
    let clusters = page["cluster_statuses"].as_array();
    let cluster = clusters
        .into_iter()
        .flatten()
        .find(|cluster| cluster["name"] == "outbound|80||elsewhere.example")
        .context("the cluster is on its page")?;
    Ok(serde_json::from_value(cluster["ejected"].clone())?)
}

#[test]
fn an_endpoint_that_is_never_in_time_is_ejected() -> anyhow::Result<()> {
    let world = World::new("outlier-late", Family::V4)?;
    let silent: Answer = Arc::new(|_| Box::pin(pending()));
    let bad = world.http(BAD, 80, &silent)?;
    let _good = world.http(GOOD, 80, &answer(StatusCode::OK))?;
    let pod = world.pod(SLEEP, "default")?;
    let detection = "consecutive5xxErrors: 0, consecutiveGatewayErrors: 2, baseEjectionTime: 300s, maxEjectionPercent: 50";
    let route = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: elsewhere}\nspec:\n  \
        hosts: [elsewhere.example]\n  http: [{timeout: 0.5s, route: [{destination: {host: elsewhere.example}}]}]\n";
    let folder = stage::registered("elsewhere.yaml", &(config(detection) + route))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    until(|| {
        call(&pod)?;
        Ok(!ejected(&sidecar)?.is_empty())
    })?;
    sidecar.await_log(&["endpoint ejected", "198.51.100.20:80", "GatewayErrors"])?;
    assert_eq!(bad.requests.len(), 2);
    let line = sidecar.await_access(|line| line["response_code"] == 504)?;
    assert_eq!(field(&line, "response_flags"), "UT", "{line:#}");
    assert_eq!(field(&line, "upstream_host"), "198.51.100.20:80");
    Ok(())
}

#[test]
fn only_so_large_a_share_is_ejected() -> anyhow::Result<()> {
    let world = World::new("outlier-share", Family::V4)?;
    let all: Vec<_> = [BAD, GOOD, OTHER]
        .into_iter()
        .map(|site| world.http(site, 80, &answer(StatusCode::BAD_GATEWAY)))
        .collect::<Result<_, _>>()?;
    let pod = world.pod(SLEEP, "default")?;
    let policy = |percent: u8| {
        elsewhere(
            &[BAD.v4(), GOOD.v4(), OTHER.v4()],
            &format!(
                "loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {{consecutive5xxErrors: 1, \
                 baseEjectionTime: 300s, maxEjectionPercent: {percent}}}"
            ),
        )
    };
    let folder = stage::registered("elsewhere.yaml", &policy(34))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    for _ in 0..20 {
        assert_eq!(call(&pod)?, 502);
    }
    let counts = all.iter().map(|origin| origin.requests.len());
    let once = counts.filter(|count| *count == 1).count();
    assert_eq!((once, ejected(&sidecar)?.len()), (2, 2), "two of three");

    folder.write("elsewhere.yaml", &policy(100))?;
    until(|| Ok(call(&pod)? == 503))?;
    let line = sidecar.await_access(|line| line["response_code"] == 503)?;
    assert_eq!(field(&line, "response_flags"), "UH", "{line:#}");
    assert_eq!(ejected(&sidecar)?.len(), 3, "nobody is left");
    Ok(())
}

#[test]
fn errors_of_gateways_are_counted_apart() -> anyhow::Result<()> {
    let world = World::new("outlier-gateway", Family::V4)?;
    let bad = world.http(BAD, 80, &answer(StatusCode::INTERNAL_SERVER_ERROR))?;
    let gateway = world.http(GOOD, 80, &answer(StatusCode::GATEWAY_TIMEOUT))?;
    let pod = world.pod(SLEEP, "default")?;
    let detection = "consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, baseEjectionTime: 300s, maxEjectionPercent: 100";
    let folder = stage::registered("elsewhere.yaml", &config(detection))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    for _ in 0..16 {
        call(&pod)?;
    }
    assert_eq!((bad.requests.len(), gateway.requests.len()), (13, 3));
    sidecar.await_log(&["endpoint ejected", "198.51.100.21:80", "GatewayErrors"])?;
    assert_eq!(ejected(&sidecar)?, ["198.51.100.21:80"]);
    Ok(())
}

#[test]
fn who_cannot_be_reached_is_counted_apart() -> anyhow::Result<()> {
    let world = World::new("outlier-split", Family::V4)?;
    let errors = world.http(GOOD, 80, &answer(StatusCode::SERVICE_UNAVAILABLE))?;
    let pod = world.pod(SLEEP, "default")?;
    let detection = "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xxErrors: 0, \
        baseEjectionTime: 300s, maxEjectionPercent: 100";
    let route = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: elsewhere}\nspec:\n  \
        hosts: [elsewhere.example]\n  http: [{retries: {attempts: 0}, route: [{destination: {host: elsewhere.example}}]}]\n";
    let folder = stage::registered("elsewhere.yaml", &(config(detection) + route))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &folder)?;
    for _ in 0..16 {
        assert_eq!(call(&pod)?, 503);
    }
    assert_eq!(errors.requests.len(), 14, "the other one was tried twice");
    sidecar.await_log(&["endpoint ejected", "198.51.100.20:80", "Unreachable"])?;
    assert_eq!(ejected(&sidecar)?, ["198.51.100.20:80"]);
    Ok(())
}
