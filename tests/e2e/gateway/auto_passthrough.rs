//! `AUTO_PASSTHROUGH`: the name in the hello says which cluster a connection between meshes goes to.

use std::path::Path;

use egret_tests::certs::NOW;
use egret_tests::client::APPLICATION_UID;
use egret_tests::objects::{Gateway, ServiceEntry, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{HTTPBIN_ORG, INGRESS_GATEWAY, Located};
use egret_tests::process::{Finished, Process};
use hyper::StatusCode;

use crate::helpers::stage::field;
use crate::helpers::tls_stage::Stage;

fn config() -> String {
    let gateway = Gateway::ingress("east-west").namespace("istio-system");
    let inner = ServiceEntry::new("inner.mesh.local")
        .host("outer.example")
        .port(443, "TLS");
    documents(&[
        &gateway.tls(15443, "TLS", &["*.local"], "{mode: AUTO_PASSTHROUGH}"),
        &inner
            .internal()
            .at([HTTPBIN_ORG.v4()])
            .namespace("istio-system"),
    ])
}

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
    stage.config.write("gateway.yaml", &config())?;
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
