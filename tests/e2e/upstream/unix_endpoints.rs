//! `unix://` endpoints: a process beside the proxy, without a network between.

use egret_tests::client::curl;
use egret_tests::nginx;
use egret_tests::objects::{ServiceEntry, documents};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{assert_fields, field};

/// Two services at one socket: HTTP on port 80, and bytes on 7000.
fn entries(path: &str) -> String {
    let at = [format!("unix://{path}")];
    documents(&[
        &ServiceEntry::new("elsewhere.example")
            .port(80, "HTTP")
            .at(&at),
        &ServiceEntry::new("bytes.example").port(7000, "TCP").at(&at),
    ])
}

#[test]
fn requests_and_bytes_reach_a_unix_socket() -> anyhow::Result<()> {
    let world = World::new("unix-endpoints", Family::V4)?;
    world.resolve("elsewhere.example", &[ELSEWHERE.v4()]);
    let path = world.folder().join("socket").display().to_string();
    let server =
        format!("  server {{ listen unix:{path}; return 200 \"$host $http_x_request_id\"; }}");
    let _nginx = nginx::serve(&world, &server)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", &entries(&path))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let url = "http://elsewhere.example/";
    let answer = curl(&pod, &["-H", "x-request-id: one", url, url])?;
    assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.everything());
    assert!(answer.body.contains("elsewhere.example one"), "{answer:?}");
    let line = sidecar.await_access(|line| field(line, "request_id") == "one")?;
    assert_fields(&line, &[("upstream_host", json!(path))]);
    let page = sidecar.page("/clusters")?.body;
    assert!(page.contains(&path), "{page}");

    let bytes = curl(&pod, &["http://elsewhere.example:7000/"])?;
    assert_eq!(bytes.status, 200, "{bytes:?}");
    let cluster = "outbound|7000||bytes.example";
    let line = sidecar.await_access(|line| field(line, "upstream_cluster") == cluster)?;
    assert_fields(&line, &[("upstream_host", json!(path))]);
    Ok(())
}

#[test]
fn a_socket_without_a_listener_is_told_of() -> anyhow::Result<()> {
    let world = World::new("unix-nobody", Family::V4)?;
    world.resolve("elsewhere.example", &[ELSEWHERE.v4()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", &entries("/nobody/listens/here"))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://elsewhere.example/"])?.status, 503);
    let line = sidecar.await_access(|line| line["response_code"] == 503)?;
    assert_fields(&line, &[("upstream_host", json!("/nobody/listens/here"))]);
    assert!(field(&line, "response_flags").contains("UF"), "{line:#}");
    Ok(())
}
