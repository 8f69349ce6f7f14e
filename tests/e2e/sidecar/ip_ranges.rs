//! Address ranges that the redirect rules leave alone never reach the proxy.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, Located, PRODUCTPAGE, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, at};

const INBOUND: [&str; 10] = [
    "-p",
    "15001",
    "-z",
    "15006",
    "-u",
    "1337",
    "-b",
    "*",
    "-d",
    "15090,15021,15020",
];

#[test]
fn calls_outside_the_included_ranges_bypass_the_proxy() -> anyhow::Result<()> {
    outside_passes_and_inside_is_refused("include", &["-i", "10.0.0.0/8"])
}

#[test]
fn calls_to_excluded_ranges_bypass_the_proxy() -> anyhow::Result<()> {
    outside_passes_and_inside_is_refused("exclude", &["-i", "*", "-x", "198.51.100.0/24"])
}

fn outside_passes_and_inside_is_refused(name: &str, ranges: &[&str]) -> anyhow::Result<()> {
    let world = World::new(&format!("001-ranges-{name}"), Family::V4)?;
    let outside = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let neighbour = world.pod(PRODUCTPAGE, "default")?;
    let inside = world.serve(&neighbour, &[PRODUCTPAGE.v4()], 9080, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar_with(
        &world,
        &pod,
        "default",
        &config,
        &[&INBOUND, ranges].concat(),
    )?;

    let answer = curl(&pod, &["http://httpbin.org/get"])?;
    assert_eq!(
        answer.status, 200,
        "unregistered, and past the proxy: {answer:?}"
    );
    assert_eq!(answer.header("x-envoy-upstream-service-time"), None);
    assert_eq!(outside.only_request()?.peer.ip(), SLEEP.v4());

    let refused = curl(
        &pod,
        &[&format!("http://{}/get", at(PRODUCTPAGE.v4(), 9080))],
    )?;
    assert_eq!(
        refused.status, 502,
        "unregistered, and redirected: {refused:?}"
    );
    assert!(inside.connections.is_empty());

    let line = sidecar.await_access(|_| true)?;
    assert_fields(
        &line,
        &[
            ("authority", json!(at(PRODUCTPAGE.v4(), 9080))),
            ("response_code", json!(502)),
        ],
    );
    assert_eq!(sidecar.access_log().len(), 1, "the first call left no line");
    Ok(())
}
