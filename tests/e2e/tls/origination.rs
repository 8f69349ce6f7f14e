//! Plain HTTP in the pod, TLS from the gateway.

use egret_tests::certs::Authority;
use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{Answer, Origin, at_once, moved, text};
use egret_tests::places::{CNN, EGRESS_GATEWAY, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field, services};

/// All resources of the fixture.
pub(crate) const ALL: [&str; 7] = [
    REGISTRY_ONLY,
    services(Family::V4),
    "tls_from_the_gateway/service-entry.yaml",
    "tls_from_the_gateway/gateway.yaml",
    "tls_from_the_gateway/gateway-subset.yaml",
    "tls_from_the_gateway/virtual-service.yaml",
    "tls_from_the_gateway/originate-tls.yaml",
];

/// What a user types.
pub(crate) const URL: &str = "http://edition.cnn.com/politics";

#[test]
fn without_a_gateway_the_origin_redirects_to_https() -> anyhow::Result<()> {
    let world = World::new("004-1", Family::V4)?;
    let origin = world.http(CNN, 80, &to_https())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&ALL[..3])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &[URL])?;
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some("https://edition.cnn.com/politics")),
        "{answer:?}"
    );
    assert_eq!(origin.only_request()?.peer.ip(), SLEEP.v4());
    Ok(())
}

#[test]
fn a_gateway_without_routes_answers_404() -> anyhow::Result<()> {
    let world = World::new("004-2", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&ALL[..4])?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let direct = format!("edition.cnn.com:443:{}", EGRESS_GATEWAY.v4());
    for url in [
        "http://edition.cnn.com:443/politics",
        "http://edition.cnn.com:443/",
    ] {
        let answer = curl(&pod, &["--resolve", &direct, url])?;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    let line = gateway.await_access(|line| field(line, "path") == "/politics")?;
    assert_fields(
        &line,
        &[
            ("response_code", json!(404)),
            ("response_flags", json!("NR")),
        ],
    );
    let routes = gateway.page("/routes")?;
    assert!(
        routes
            .body
            .lines()
            .any(|line| line.contains('*') && line.contains("404")),
        "{}",
        routes.body
    );
    Ok(())
}

#[test]
fn the_gateway_originates_tls() -> anyhow::Result<()> {
    let world = World::new("004-3", Family::V4)?;
    let plain = world.http(CNN, 80, &to_https())?;
    let origin = world.https(CNN, world.authority.server(&[CNN.name])?, &politics())?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&ALL)?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &[URL])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "<h1>Politics</h1>\n"),
        "{answer:?}"
    );
    let seen = origin.only_request()?;
    assert_eq!(
        (seen.sni.as_deref(), seen.peer.ip()),
        (Some(CNN.name), EGRESS_GATEWAY.v4())
    );
    assert_eq!(
        (seen.host.as_str(), seen.target.as_str()),
        (CNN.name, "/politics")
    );
    assert!(
        plain.connections.is_empty(),
        "nothing goes out in the clear"
    );

    let line = sidecar.await_access(|line| field(line, "authority") == CNN.name)?;
    let cluster = "outbound|443|cnn|istio-egressgateway.istio-system.svc.cluster.local";
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!(cluster)),
            ("response_code", json!(200)),
        ],
    );
    let line = gateway.await_access(|line| field(line, "authority") == CNN.name)?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("outbound|443||edition.cnn.com")),
            ("response_code", json!(200)),
        ],
    );
    Ok(())
}

#[test]
fn a_certificate_of_another_authority_gives_503() -> anyhow::Result<()> {
    let world = World::new("004-3-authority", Family::V4)?;
    let origin = world.https(
        CNN,
        Authority::new("somebody else")?.server(&[CNN.name])?,
        &politics(),
    )?;
    wrong_certificate(&world, &origin)
}

#[test]
fn a_certificate_for_another_name_gives_503() -> anyhow::Result<()> {
    let world = World::new("004-3-name", Family::V4)?;
    let origin = world.https(
        CNN,
        world.authority.server(&["www.example.com"])?,
        &politics(),
    )?;
    wrong_certificate(&world, &origin)
}

fn wrong_certificate(world: &World, origin: &Origin) -> anyhow::Result<()> {
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&ALL)?;
    let gateway = stage::egress_gateway(world, &gateway_pod, &config)?;
    let _sidecar = stage::sidecar(world, &pod, "default", &config)?;

    let answer = curl(&pod, &[URL])?;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        origin.requests.is_empty(),
        "not a byte of the request went out"
    );
    let line = gateway.await_access(|line| field(line, "authority") == CNN.name)?;
    assert_fields(&line, &[("response_code", json!(503))]);
    assert!(field(&line, "response_flags").contains("UF"), "{line:#}");
    let reason = field(&line, "upstream_transport_failure_reason");
    assert!(
        reason.to_lowercase().contains("certificate"),
        "the line says why: {line:#}"
    );
    Ok(())
}

/// What edition.cnn.com answers on port 80.
pub(crate) fn to_https() -> Answer {
    at_once(|seen| moved(&format!("https://{}{}", seen.host, seen.target)))
}

pub(crate) fn politics() -> Answer {
    at_once(|_| text(StatusCode::OK, "<h1>Politics</h1>\n"))
}
