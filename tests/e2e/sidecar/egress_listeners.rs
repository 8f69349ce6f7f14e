//! Egress listeners of a Sidecar that applications dial themselves: no redirection is needed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use egret_tests::client::{Answer, curl};
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{MeshConfig, ServiceEntry, documents};
use egret_tests::origin::httpbin;
use egret_tests::places::{ELSEWHERE, Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, assert_fields, field};

fn entries() -> String {
    documents(&[
        &ServiceEntry::new("httpbin.org").port(80, "HTTP"),
        &ServiceEntry::new("elsewhere.example").port(9000, "TCP"),
    ])
}

const LISTENERS: &str = "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: dialled}
spec:
  egress:
  - port: {number: 8080, name: proxy, protocol: HTTP_PROXY}
    captureMode: NONE
    hosts: ['./*']
  - port: {number: 9000, name: bytes, protocol: TCP}
    bind: 127.0.0.1
    captureMode: NONE
    hosts: ['./elsewhere.example']
";

/// A sidecar in a pod whose calls are not redirected.
fn sidecar<'p>(world: &World, pod: &'p Host, mesh: &str) -> anyhow::Result<(Proxy<'p>, Folder)> {
    let config = Folder::with(&[mesh])?;
    config.write("listeners.yaml", &(entries() + LISTENERS))?;
    let sidecar = stage::sidecar_settings(world, "default")
        .config(config.path())
        .start(world, pod)?;
    Ok((sidecar, config))
}

fn through(pod: &Host, url: &str) -> anyhow::Result<Answer> {
    curl(pod, &["-x", "http://127.0.0.1:8080", url])
}

#[test]
fn the_sidecar_is_an_http_proxy() -> anyhow::Result<()> {
    let world = World::new("egress-listener-proxy", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod, REGISTRY_ONLY)?;
    let answer = through(&pod, "http://httpbin.org/status/418")?;
    assert_eq!(answer.status, 418, "{answer:?}");
    assert_eq!(origin.only_request()?.target, "/status/418");
    let line = sidecar.await_access(|line| field(line, "authority") == "httpbin.org")?;
    let cluster = json!("outbound|80||httpbin.org");
    assert_fields(&line, &[("upstream_cluster", cluster)]);

    let answer = through(&pod, "http://elsewhere.example/")?;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(origin.requests.len(), 1);
    Ok(())
}

#[test]
fn the_mesh_may_ask_for_a_proxy_beside_redirection() -> anyhow::Result<()> {
    let world = World::new("egress-listener-mesh", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("entries.yaml", &entries())?;
    let mesh = MeshConfig::logged()
        .set("proxyHttpPort: 8080")
        .set("outboundTrafficPolicy: {mode: REGISTRY_ONLY}");
    config.write("mesh-registry-only.yaml", &mesh.to_string())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = through(&pod, "http://httpbin.org/status/418")?;
    assert_eq!(answer.status, 418, "{answer:?}");
    assert_eq!(origin.only_request()?.target, "/status/418");
    let line = sidecar.await_access(|line| field(line, "authority") == "httpbin.org")?;
    let cluster = json!("outbound|80||httpbin.org");
    assert_fields(&line, &[("upstream_cluster", cluster)]);
    assert_eq!(through(&pod, "http://unknown.example/")?.status, 502);
    Ok(())
}

#[test]
fn what_wants_to_go_nowhere_else_is_no_loop() -> anyhow::Result<()> {
    let world = World::new("egress-listener-loop", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod, ALLOW_ANY)?;
    let answer = through(&pod, "http://unknown.example/")?;
    assert!(answer.status >= 400, "{answer:?}");
    sidecar.await_access(|line| field(line, "authority") == "unknown.example")?;
    let lines = sidecar.access_log();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    Ok(())
}

#[test]
fn bytes_are_dialled_too() -> anyhow::Result<()> {
    let world = World::new("egress-listener-bytes", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 9000, b"hello ")?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, config) = sidecar(&world, &pod, REGISTRY_ONLY)?;
    let heard = pod.run(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 9000))?;
        stream.write_all(b"world")?;
        stream.shutdown(Shutdown::Write)?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        Ok(heard)
    })?;
    assert_eq!(heard, "hello world");
    config.remove(&["listeners.yaml"])?;
    sidecar.await_log(&["port closed", "127.0.0.1:9000"])?;
    Ok(())
}
