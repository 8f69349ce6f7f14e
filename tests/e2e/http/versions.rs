//! HTTP/1.0, 1.1 and 2 as real clients speak them.

use std::path::Path;

use egret_tests::client::{APPLICATION_UID, curl};
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};

#[test]
fn every_version_of_http_reaches_an_http1_origin() -> anyhow::Result<()> {
    let world = World::new("http-versions", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (version, path, protocol) in [
        ("--http1.0", "/get?1.0", "HTTP/1.0"),
        ("--http1.1", "/get?1.1", "HTTP/1.1"),
        ("--http2-prior-knowledge", "/get?2", "HTTP/2"),
    ] {
        let url = format!("http://httpbin.org{path}");
        let answer = curl(
            &pod,
            &[
                version,
                "-d",
                "a=b",
                "-H",
                "Cookie: a=1",
                "-H",
                "Cookie: b=2",
                &url,
            ],
        )?;
        assert_eq!((answer.status, answer.exit), (404, 0), "{answer:?}");
        assert!(answer.status_line.starts_with(protocol), "{answer:?}");
        let seen = origin.requests.await_one(|seen| seen.target == path)?;
        assert_eq!(
            (seen.host.as_str(), &seen.body[..]),
            ("httpbin.org", &b"a=b"[..])
        );
        let line = sidecar.await_access(|line| field(line, "path") == path)?;
        assert_fields(
            &line,
            &[("protocol", json!(protocol)), ("response_code", json!(404))],
        );
    }
    Ok(())
}

#[test]
fn an_http2_client_sends_many_requests_at_once() -> anyhow::Result<()> {
    let world = World::new("http2-many", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let arguments = [
        "--no-tls-proto=h2c",
        "-n",
        "2000",
        "-c",
        "2",
        "-m",
        "50",
        "http://httpbin.org/get",
    ];
    let finished = Process::run(
        &pod,
        pod.command(APPLICATION_UID, Path::new("h2load"), &arguments),
    )?;
    assert!(
        finished.output.contains("2000 succeeded, 0 failed"),
        "{finished:?}"
    );
    assert!(
        finished.output.contains("status codes: 2000 2xx"),
        "{finished:?}"
    );
    assert_eq!(origin.requests.len(), 2000);
    assert!(
        origin.connections.len() <= 200,
        "connections to the origin are used again"
    );
    Ok(())
}

#[test]
fn a_refused_grpc_call_has_a_grpc_status() -> anyhow::Result<()> {
    let world = World::new("http2-grpc", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(
        &pod,
        &[
            "--http2-prior-knowledge",
            "-H",
            "Content-Type: application/grpc",
            "-H",
            "TE: trailers",
            "-d",
            "message",
            "http://elsewhere.example/service/Method",
        ],
    )?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("grpc-status"), Some("14"));
    assert_eq!(answer.header("x-egret-verdict"), Some("blackhole"));
    assert_eq!(answer.body, "");
    Ok(())
}

#[test]
fn nghttp_is_served_like_any_other() -> anyhow::Result<()> {
    let world = World::new("http2-nghttp", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/httpbin.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let run = |arguments: &[&str]| {
        Process::run(
            &pod,
            pod.command(APPLICATION_UID, Path::new("nghttp"), arguments),
        )
    };
    let get = "http://httpbin.org/get";
    let finished = run(&["-nv", "--no-dep", get, "http://httpbin.org/status/418"])?;
    for status in [":status: 200", ":status: 418"] {
        assert!(finished.output.contains(status), "{finished:?}");
    }
    // It does not wait for ever for the word to go on, which HTTP/2 does not bring here.
    let body = "/etc/resolv.conf";
    let posted = [
        "-nv",
        "--expect-continue",
        "-d",
        body,
        "http://httpbin.org/post",
    ];
    let finished = run(&posted)?;
    assert!(finished.output.contains(":status: 404"), "{finished:?}");
    assert!(!finished.output.contains("RST_STREAM"), "{finished:?}");
    let seen = origin.requests.await_one(|seen| seen.target == "/post")?;
    assert!(seen.body.starts_with(b"nameserver"), "{seen:?}");
    Ok(())
}
