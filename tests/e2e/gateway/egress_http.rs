//! A registered host, straight from the pod and then through the egress gateway.

use std::collections::BTreeSet;

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::places::{ALIYUN, EGRESS_GATEWAY, Family, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::{Value, json};

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, aliyun, assert_begins, assert_fields, at, field};

/// The keys of Istio's JSON access log.
const KEYS: [&str; 24] = [
    "start_time",
    "method",
    "path",
    "protocol",
    "response_code",
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "upstream_transport_failure_reason",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
];

#[test]
fn a_service_entry_lets_the_pod_call_the_origin() -> anyhow::Result<()> {
    a_service_entry_lets_the_pod_call_the_origin_over(Family::V4)
}

#[test]
fn a_service_entry_lets_the_pod_call_the_origin_over_ipv6() -> anyhow::Result<()> {
    a_service_entry_lets_the_pod_call_the_origin_over(Family::V6)
}

fn a_service_entry_lets_the_pod_call_the_origin_over(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("003-service-entry-{family:?}"), family)?;
    let origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        stage::services(family),
        "open_to_governed/service-entry.yaml",
    ])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["aliyun.com", "-I"])?;
    assert_eq!(
        answer.status_line, "HTTP/1.1 301 Moved Permanently",
        "{answer:?}"
    );
    assert_eq!(answer.header("location"), Some("https://www.aliyun.com/"));
    assert_eq!(
        origin.only_request()?.peer.ip(),
        SLEEP.address(family),
        "straight from the pod"
    );
    let line = sidecar.await_access(|line| field(line, "authority") == "aliyun.com")?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("outbound|80||aliyun.com")),
            ("upstream_host", json!(at(ALIYUN.address(family), 80))),
            ("response_code", json!(301)),
        ],
    );
    Ok(())
}

#[test]
fn the_call_goes_through_the_egress_gateway() -> anyhow::Result<()> {
    the_call_goes_through_the_egress_gateway_over(Family::V4)
}

#[test]
fn the_call_goes_through_the_egress_gateway_over_ipv6() -> anyhow::Result<()> {
    the_call_goes_through_the_egress_gateway_over(Family::V6)
}

fn the_call_goes_through_the_egress_gateway_over(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("003-gateway-{family:?}"), family)?;
    let origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        stage::services(family),
        "open_to_governed/service-entry.yaml",
        "open_to_governed/gateway.yaml",
        "open_to_governed/virtual-service.yaml",
    ])?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["aliyun.com", "-I"])?;
    assert_eq!(
        answer.status_line, "HTTP/1.1 301 Moved Permanently",
        "{answer:?}"
    );
    let (sleep, egress, aliyun) = (
        SLEEP.address(family),
        EGRESS_GATEWAY.address(family),
        ALIYUN.address(family),
    );
    assert_eq!(
        origin.only_request()?.peer.ip(),
        egress,
        "the origin sees the gateway"
    );

    let line = gateway.await_access(|_| true)?;
    let keys: BTreeSet<_> = line
        .as_object()
        .into_iter()
        .flat_map(|line| line.keys().map(String::as_str))
        .collect();
    assert_eq!(keys, BTreeSet::from(KEYS));
    assert_fields(
        &line,
        &[
            ("authority", json!("aliyun.com")),
            ("method", json!("HEAD")),
            ("path", json!("/")),
            ("protocol", json!("HTTP/1.1")),
            ("response_code", json!(301)),
            ("response_flags", json!("-")),
            ("response_code_details", json!("via_upstream")),
            ("upstream_cluster", json!("outbound|80||aliyun.com")),
            ("upstream_host", json!(at(aliyun, 80))),
            ("downstream_local_address", json!(at(egress, 80))),
            ("x_forwarded_for", json!(sleep.to_string())),
            ("requested_server_name", json!(null)),
            ("route_name", json!(null)),
            ("bytes_sent", json!(0)),
        ],
    );
    assert_begins(
        &line,
        &[
            ("downstream_remote_address", &stage::from(sleep)),
            ("upstream_local_address", &stage::from(egress)),
            ("user_agent", "curl/"),
        ],
    );
    assert!(
        field(&line, "request_id").len() == 36,
        "a request id: {line:#}"
    );
    for key in ["duration", "upstream_service_time"] {
        let value = &line[key];
        let milliseconds = value
            .as_u64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        assert!(
            milliseconds.is_some_and(|ms| ms < 60_000),
            "{key} in milliseconds: {line:#}"
        );
    }

    let line = sidecar.await_access(|line| field(line, "authority") == "aliyun.com")?;
    let cluster = "outbound|80||istio-egressgateway.istio-system.svc.cluster.local";
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!(cluster)),
            ("upstream_host", json!(at(egress, 80))),
        ],
    );
    assert_eq!(
        requests(&gateway.access_log()),
        1,
        "the gateway logs one line"
    );
    Ok(())
}

fn requests(lines: &[Value]) -> usize {
    lines
        .iter()
        .filter(|line| !line["method"].is_null())
        .count()
}
