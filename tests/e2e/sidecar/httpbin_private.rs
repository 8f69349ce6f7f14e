//! A private ServiceEntry, and a gateway in another namespace that is named without one.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{EGRESS_GATEWAY, Family, HTTPBIN_COM, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field, services};

#[test]
fn a_private_entry_works_through_a_gateway_of_another_namespace() -> anyhow::Result<()> {
    let world = World::new("000", Family::V4)?;
    let origin = world.http(HTTPBIN_COM, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "egress")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        services(Family::V4),
        "httpbin_private/service-entry.yaml",
        "httpbin_private/gateway.yaml",
        "httpbin_private/virtual-service.yaml",
    ])?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let _sidecar = stage::sidecar(&world, &pod, "egress", &config)?;

    let answer = curl(&pod, &["http://httpbin.com/headers"])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("httpbin.com"), "{answer:?}");
    assert_eq!(origin.only_request()?.peer.ip(), EGRESS_GATEWAY.v4());
    let line = gateway.await_access(|line| field(line, "authority") == "httpbin.com")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(200)),
            ("upstream_cluster", json!("outbound|80||httpbin.com")),
        ],
    );
    Ok(())
}

#[test]
fn a_pod_elsewhere_does_not_see_the_private_service_entry() -> anyhow::Result<()> {
    let world = World::new("000-private", Family::V4)?;
    let origin = world.http(HTTPBIN_COM, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        services(Family::V4),
        "httpbin_private/service-entry.yaml",
    ])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://httpbin.com/headers"])?.status, 502);
    assert!(origin.connections.is_empty());
    Ok(())
}
