//! The ingress gateway routes by path to productpage.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{Family, INGRESS_GATEWAY, Located, PRODUCTPAGE, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, assert_fields, at, field, services};

#[test]
fn productpage_is_served_and_nothing_else() -> anyhow::Result<()> {
    let world = World::new("002-ingress", Family::V4)?;
    let client = world.pod(SLEEP, "default")?;
    let productpage_pod = world.pod(PRODUCTPAGE, "default")?;
    let page = at_once(|_| text(StatusCode::OK, "<title>Simple Bookstore App</title>\n"));
    let productpage = world.serve(&productpage_pod, &[PRODUCTPAGE.v4()], 9080, &page)?;
    let gateway_pod = world.gateway_pod(INGRESS_GATEWAY)?;
    let config = Folder::with(&[
        ALLOW_ANY,
        services(Family::V4),
        "gateways_both_ways/ingress.yaml",
    ])?;
    let gateway = stage::ingress_gateway(&world, &gateway_pod, &config)?;

    let url = |path: &str| format!("http://{}{path}", INGRESS_GATEWAY.v4());
    let answer = curl(&client, &["-I", &url("/productpage")])?;
    assert_eq!(answer.status_line, "HTTP/1.1 200 OK", "{answer:?}");
    assert!(answer.header("x-envoy-upstream-service-time").is_some());
    assert_eq!(answer.header("server"), Some("egret"));
    let seen = productpage.only_request()?;
    assert_eq!(
        (seen.peer.ip(), seen.target.as_str()),
        (INGRESS_GATEWAY.v4(), "/productpage")
    );
    assert_eq!(
        seen.headers
            .get("x-forwarded-for")
            .map(|value| value.as_bytes()),
        Some(SLEEP.v4().to_string().as_bytes())
    );
    let line = gateway.await_access(|line| field(line, "path") == "/productpage")?;
    let cluster = "outbound|9080||productpage.default.svc.cluster.local";
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!(cluster)),
            ("upstream_host", json!(at(PRODUCTPAGE.v4(), 9080))),
        ],
    );

    assert_eq!(curl(&client, &[&url("/")])?.status, 404);
    let line = gateway.await_access(|line| field(line, "path") == "/")?;
    assert_fields(
        &line,
        &[
            ("response_flags", json!("NR")),
            ("response_code_details", json!("route_not_found")),
        ],
    );
    assert_eq!(productpage.requests.len(), 1);
    Ok(())
}
