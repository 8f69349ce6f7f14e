//! `ISTIO_MUTUAL`: a sidecar and a gateway of the mesh know each other by the mesh's own certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use egret_tests::certs::{Authority, NOW};
use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, Gateway, ServiceEntry, VirtualService, documents};
use egret_tests::origin::httpbin;
use egret_tests::places::{EGRESS_GATEWAY, Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::topology::World;
use nix::mount::MsFlags;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, field, services, until};

fn objects() -> String {
    let gateway = "istio-egressgateway.istio-system.svc.cluster.local";
    let tls = "{tls: {mode: ISTIO_MUTUAL, sni: httpbin.org, subjectAltNames: ['spiffe://cluster.local/ns/istio-system/sa/egress']}}";
    let routes = VirtualService::new("httpbin.org")
        .gateways(&["mesh", "egress"])
        .route("{gateways: [mesh], port: 80}", gateway, 443)
        .route("{gateways: [egress]}", "httpbin.org", 80);
    let listener =
        Gateway::egress("egress").tls(443, "HTTPS", &["httpbin.org"], "{mode: ISTIO_MUTUAL}");
    let entry = ServiceEntry::new("httpbin.org")
        .port(80, "HTTP")
        .at([HTTPBIN_ORG.v4()]);
    documents(&[
        &entry.namespace("istio-system"),
        &listener.namespace("istio-system"),
        &DestinationRule::new(gateway, tls).namespace("istio-system"),
        &routes.namespace("istio-system"),
    ])
}

#[test]
fn sidecar_and_gateway_know_each_other() -> anyhow::Result<()> {
    let world = World::new("tls-mesh", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let mesh = Authority::new("the mesh")?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    identify(
        &world,
        &pod,
        &mesh,
        "spiffe://cluster.local/ns/default/sa/sleep",
    )?;
    identify(
        &world,
        &gateway_pod,
        &mesh,
        "spiffe://cluster.local/ns/istio-system/sa/egress",
    )?;
    let config = Folder::with(&[REGISTRY_ONLY, services(Family::V4)])?;
    config.write("mesh.yaml", &objects())?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let url = format!("http://{}/get", HTTPBIN_ORG.name);
    let resolve = format!("httpbin.org:80:{}", HTTPBIN_ORG.v4());
    let answer = curl(&pod, &["--resolve", &resolve, &url])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(origin.only_request()?.peer.ip(), EGRESS_GATEWAY.v4());
    let line = gateway.await_access(|line| field(line, "path") == "/get")?;
    assert_eq!(field(&line, "requested_server_name"), "httpbin.org");
    let cluster = "outbound|443||istio-egressgateway.istio-system.svc.cluster.local";
    sidecar.await_access(|line| field(line, "upstream_cluster") == cluster)?;

    // Nobody else is let in, and not by another name.
    let outside = format!("httpbin.org:443:{}", EGRESS_GATEWAY.v4());
    let stranger = curl(
        &gateway_pod,
        &["-k", "--resolve", &outside, "https://httpbin.org/get"],
    )?;
    assert_eq!(stranger.status, 0, "{stranger:?}");
    config.write("mesh.yaml", &objects().replace("sa/egress", "sa/other"))?;
    until(|| Ok(curl(&pod, &["--resolve", &resolve, &url])?.status == 503))?;
    let line = sidecar.await_access(|line| line["response_code"] == 503)?;
    let why = field(&line, "upstream_transport_failure_reason");
    assert!(
        why.contains("expected `spiffe://cluster.local/ns/istio-system/sa/other`"),
        "{line:#}"
    );
    Ok(())
}

/// Gives a pod the files in which a workload of the mesh finds its certificate, its key and the mesh's authority.
fn identify(world: &World, pod: &Host, mesh: &Authority, name: &str) -> anyhow::Result<()> {
    let layer = world.folder().join(format!("etc-of-{}", pod.name()));
    let certs = layer.join("certs");
    fs::create_dir_all(&certs)?;
    let pair = mesh.pair(&[name], NOW)?;
    for (file, text) in [
        ("cert-chain.pem", pair.certificate.as_str()),
        ("key.pem", &pair.key),
        ("root-cert.pem", mesh.pem()),
    ] {
        fs::write(certs.join(file), text)?;
        fs::set_permissions(certs.join(file), fs::Permissions::from_mode(0o644))?;
    }
    // The machine has no /etc/certs to mount over, and gets none: the pod sees one folder above the other.
    let layers = format!("lowerdir={}:/etc", layer.display());
    pod.run(move || {
        nix::mount::mount(
            Some("overlay"),
            "/etc",
            Some("overlay"),
            MsFlags::MS_RDONLY,
            Some(layers.as_str()),
        )
    })?;
    Ok(())
}
