//! Under REGISTRY_ONLY, what nobody registered is refused before it leaves the pod.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ALIYUN, Family, GOOGLE, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, aliyun, assert_fields, at, field};

/// curl's exit code when a TLS handshake fails.
const TLS_FAILED: i32 = 35;

#[test]
fn http_is_answered_502() -> anyhow::Result<()> {
    http_is_answered_502_over(Family::V4)
}

#[test]
fn http_is_answered_502_over_ipv6() -> anyhow::Result<()> {
    http_is_answered_502_over(Family::V6)
}

fn http_is_answered_502_over(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("registry-only-http-{family:?}"), family)?;
    let origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["aliyun.com", "-I"])?;
    assert_eq!(answer.status_line, "HTTP/1.1 502 Bad Gateway", "{answer:?}");
    assert_eq!(answer.header("x-envoy-upstream-service-time"), None);
    assert!(
        origin.connections.is_empty(),
        "no connection reaches the origin"
    );

    let line = sidecar.await_access(|line| field(line, "authority") == "aliyun.com")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(502)),
            ("response_flags", json!("-")),
            ("response_code_details", json!("direct_response")),
            ("route_name", json!("block_all")),
            ("upstream_cluster", json!(null)),
            ("upstream_host", json!(null)),
            (
                "downstream_local_address",
                json!(at(ALIYUN.address(family), 80)),
            ),
        ],
    );
    Ok(())
}

#[test]
fn a_port_that_nobody_registered_gets_the_502_too() -> anyhow::Result<()> {
    let world = World::new("registry-only-port", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 8123, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://httpbin.org:8123/get"])?.status, 502);
    assert!(origin.connections.is_empty());
    Ok(())
}

#[test]
fn https_is_refused_with_a_tls_alert() -> anyhow::Result<()> {
    let world = World::new("registry-only-https", Family::V4)?;
    let tls = world.authority.server(&[GOOGLE.name])?;
    let origin = world.https(GOOGLE, tls, &at_once(|_| text(StatusCode::OK, "page\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_eq!(answer.exit, TLS_FAILED, "{answer:?}");
    assert!(
        answer.errors.contains("access denied"),
        "the alert is access_denied: {answer:?}"
    );
    assert!(
        origin.connections.is_empty(),
        "no connection reaches the origin"
    );

    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(0)),
            ("response_flags", json!("UH")),
            ("upstream_cluster", json!("BlackHoleCluster")),
            ("upstream_host", json!(null)),
            ("downstream_local_address", json!(at(GOOGLE.v4(), 443))),
        ],
    );
    Ok(())
}
