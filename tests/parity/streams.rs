//! TLS that a gateway ends, begins or passes, bytes, mirrors and weights: through egret and through Envoy.

mod calls;
mod through;

use std::fs;

use egret_tests::certs::NOW;
use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{
    CNN, EGRESS_GATEWAY, ELSEWHERE, Family, GOOGLE, HTTPBIN_ORG, INGRESS_GATEWAY, Located, Place,
    SLEEP,
};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::insist::insist;
use crate::streams::calls::CALLS;
use crate::streams::through::{Origins, Through};
use crate::{differences, tell_skipped, wire};

/// What the origin of bytes says first.
const GREETING: &[u8] = b"welcome\n";

#[test]
fn a_gateway_does_as_envoy_does_with_streams() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-streams", Family::V4)?;
    write_certificates(&world)?;
    let origins = Origins {
        plain: wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?,
        shadow: wire::origin(world.internet.listen(GOOGLE.v4(), 80)?)?,
        secure: world.https(
            CNN,
            world
                .authority
                .server(&["secure.example", "passed.example"])?,
            &at_once(|_| text(StatusCode::OK, "secure\n")),
        )?,
        bytes: world.echo(&world.internet, &[ELSEWHERE.v4()], 9000, GREETING)?,
    };
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let files = world.folder().display().to_string();
    let here = |text: &str| text.replace("FILES", &files);
    let _envoy = envoy::start(
        &world,
        &envoy_pod,
        &here(include_str!("streams.envoy.yaml")),
    )?;
    let config = Folder::new()?;
    config.write("streams.yaml", &here(include_str!("streams.istio.yaml")))?;
    let _egret = Settings::gateway("app=parity")
        .with(&["--threads", "1"])
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place| Through {
        client: &client,
        to: place.v4(),
        files: &files,
        origins: &origins,
    };
    insist(
        CALLS,
        &[through(EGRESS_GATEWAY), through(INGRESS_GATEWAY)],
        differences::STREAMS,
        |way, call| way.make(&call.doing),
        |call| call.name,
    )
}

/// The gateways' certificate, and those that clients show: one of the mesh's authority, one of their own.
fn write_certificates(world: &World) -> anyhow::Result<()> {
    let folder = world.folder();
    let names = ["ended", "begun", "mistaken", "mutual"].map(|name| format!("{name}.example"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let client = [
        "client.example",
        "spiffe://cluster.local/ns/default/sa/sleep",
    ];
    for (file, pair) in [
        ("server", world.authority.pair(&names, NOW)?),
        ("client", world.authority.pair(&client, NOW)?),
        (
            "stranger",
            egret_tests::certs::Pair::self_signed(&["stranger.example"])?,
        ),
    ] {
        fs::write(folder.join(format!("{file}.crt")), pair.certificate)?;
        fs::write(folder.join(format!("{file}.key")), pair.key)?;
    }
    Ok(())
}
