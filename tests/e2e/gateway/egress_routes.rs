//! The egress gateway forwards the paths that its route matches.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{EGRESS_GATEWAY, Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field, services};

#[test]
fn get_answers_through_the_gateway_and_status_does_not() -> anyhow::Result<()> {
    let world = World::new("002-egress", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        services(Family::V4),
        "gateways_both_ways/service-entry.yaml",
        "gateways_both_ways/egress-gateway.yaml",
        "gateways_both_ways/egress-virtual-service.yaml",
    ])?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["http://httpbin.org/get"])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("\"origin\": \"10.34.0.141\""),
        "{answer:?}"
    );
    assert_eq!(origin.only_request()?.peer.ip(), EGRESS_GATEWAY.v4());

    let answer = curl(&pod, &["http://httpbin.org/status/200"])?;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(origin.requests.len(), 1);
    let line = gateway.await_access(|line| field(line, "path") == "/status/200")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(404)),
            ("response_flags", json!("NR")),
        ],
    );
    let line = sidecar.await_access(|line| field(line, "path") == "/status/200")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(404)),
            ("response_code_details", json!("via_upstream")),
        ],
    );
    Ok(())
}
