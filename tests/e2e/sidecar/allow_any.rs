//! Under ALLOW_ANY, what nobody registered passes.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ALIYUN, Family, GOOGLE, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, aliyun, assert_begins, assert_fields, at, field};

#[test]
fn http_passes() -> anyhow::Result<()> {
    http_passes_over(Family::V4)
}

#[test]
fn http_passes_over_ipv6() -> anyhow::Result<()> {
    http_passes_over(Family::V6)
}

fn http_passes_over(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("allow-any-http-{family:?}"), family)?;
    let origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY, stage::services(family)])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["aliyun.com", "-I"])?;
    assert_eq!(
        answer.status_line, "HTTP/1.1 301 Moved Permanently",
        "{answer:?}"
    );
    assert_eq!(answer.header("location"), Some("https://www.aliyun.com/"));
    assert!(
        answer
            .header("x-envoy-upstream-service-time")
            .is_some_and(|ms| ms.parse::<u64>().is_ok()),
        "{answer:?}"
    );
    let seen = origin.only_request()?;
    assert_eq!(
        (seen.peer.ip(), seen.host.as_str()),
        (SLEEP.address(family), "aliyun.com")
    );

    let line = sidecar.await_access(|line| field(line, "authority") == "aliyun.com")?;
    assert_fields(
        &line,
        &[
            ("method", json!("HEAD")),
            ("response_code", json!(301)),
            ("response_flags", json!("-")),
            ("response_code_details", json!("via_upstream")),
            ("upstream_cluster", json!("PassthroughCluster")),
            ("upstream_host", json!(at(ALIYUN.address(family), 80))),
            (
                "downstream_local_address",
                json!(at(ALIYUN.address(family), 80)),
            ),
            ("route_name", json!("allow_any")),
        ],
    );
    assert_begins(
        &line,
        &[(
            "downstream_remote_address",
            &stage::from(SLEEP.address(family)),
        )],
    );
    Ok(())
}

#[test]
fn https_passes_untouched() -> anyhow::Result<()> {
    let world = World::new("allow-any-https", Family::V4)?;
    let tls = world.authority.server(&[GOOGLE.name])?;
    let origin = world.https(GOOGLE, tls, &at_once(|_| text(StatusCode::OK, "page\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "page\n"),
        "{answer:?}"
    );
    assert_eq!(origin.only_request()?.sni.as_deref(), Some(GOOGLE.name));
    let line =
        sidecar.await_access(|line| field(line, "upstream_cluster") == "PassthroughCluster")?;
    assert_fields(
        &line,
        &[
            ("upstream_host", json!(at(GOOGLE.v4(), 443))),
            ("response_code", json!(0)),
            ("method", json!(null)),
        ],
    );
    Ok(())
}

#[test]
fn no_configuration_at_all_passes_bytes_unread() -> anyhow::Result<()> {
    let world = World::new("allow-any-empty", Family::V4)?;
    let origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let _sidecar = stage::sidecar_settings(&world, "default").start(&world, &pod)?;
    let answer = curl(&pod, &["aliyun.com", "-I"])?;
    assert_eq!(answer.status, 301);
    assert_eq!(
        answer.header("x-envoy-upstream-service-time"),
        None,
        "no service uses HTTP on port 80"
    );
    assert_eq!(origin.only_request()?.peer.ip(), SLEEP.v4());
    Ok(())
}
