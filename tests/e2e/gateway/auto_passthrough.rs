//! `AUTO_PASSTHROUGH`: the name in the hello says which cluster a connection between meshes goes to.

use std::path::Path;

use egret_tests::certs::NOW;
use egret_tests::client::APPLICATION_UID;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{HTTPBIN_ORG, INGRESS_GATEWAY, Located};
use egret_tests::process::{Finished, Process};
use hyper::StatusCode;

use crate::helpers::stage::field;
use crate::helpers::tls_stage::Stage;

const CONFIG: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: east-west, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 15443, name: tls, protocol: TLS}
    hosts: ['*.local']
    tls: {mode: AUTO_PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: inner, namespace: istio-system}
spec:
  hosts: [inner.mesh.local, outer.example]
  location: MESH_INTERNAL
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.12}]
";

fn hello(stage: &Stage, name: &str, alpn: &str) -> anyhow::Result<Finished> {
    let to = format!("{}:15443", INGRESS_GATEWAY.v4());
    let arguments = [
        "s_client",
        "-connect",
        &to,
        "-servername",
        name,
        "-alpn",
        alpn,
    ];
    let openssl = Path::new("openssl");
    let command = stage.client.command(APPLICATION_UID, openssl, &arguments);
    Process::run(&stage.client, command)
}

#[test]
fn the_name_chooses_the_cluster() -> anyhow::Result<()> {
    let stage = Stage::new("tls-auto-passthrough")?;
    let pair = stage.world.authority.pair(&["inner.mesh.local"], NOW)?;
    let page = at_once(|_| text(StatusCode::OK, ""));
    let origin = stage.world.https(HTTPBIN_ORG, pair.server(None)?, &page)?;
    stage.config.write("gateway.yaml", CONFIG)?;
    let gateway = stage.start()?;
    let name = "outbound_.443_._.inner.mesh.local";
    let let_in = hello(&stage, name, "istio,http/1.1")?;
    assert!(
        let_in.output.contains("CN = inner.mesh.local"),
        "{let_in:?}"
    );
    let line = gateway.await_access(|line| field(line, "requested_server_name") == name)?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|443||inner.mesh.local",
        "{line:#}"
    );
    assert_eq!(origin.connections.len(), 1);

    for (name, alpn) in [
        (name, "http/1.1"),
        ("outbound_.444_._.inner.mesh.local", "istio"),
        ("outbound_.443_._.other.mesh.local", "istio"),
        ("outbound_.443_.v1_.inner.mesh.local", "istio"),
        ("outbound_.443_._.outer.example", "istio"),
        ("inner.mesh.local", "istio"),
    ] {
        let refused = hello(&stage, name, alpn)?;
        assert!(
            refused.output.contains("no peer certificate"),
            "{name} {alpn}: {refused:?}"
        );
    }
    assert_eq!(origin.connections.len(), 1);
    Ok(())
}
