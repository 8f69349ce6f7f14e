//! The same bytes through egret and through a real Envoy that is configured the same way: same fate, same answer, same
//! request at the origin. What differs on purpose is listed in [`differences`], with its reason, and nothing else may.
//!
//! `ENVOY_BIN` names the Envoy; `scripts/test` installs one.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests wait for real programs, and the runner gives its settings in the environment"
)]

mod wire;
mod reset;
mod requests;
mod compare;
mod differences;
mod insist;
mod through;
mod streams;
mod rows;
mod logs;
mod routes;
mod breaks;

use std::io::Write;

use egret_tests::egret::{INJECTED, Settings, redirect};
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::places::{
    EGRESS_GATEWAY, Family, HTTPBIN_ORG, INGRESS_GATEWAY, Located, PRODUCTPAGE, SLEEP,
};
use egret_tests::topology::World;

use crate::compare::Names;
use crate::insist::insist;
use crate::through::Through;

/// So that the connections kept to the origin are those of one pool, as with Envoy here.
const ONE_WORKER: [&str; 2] = ["--threads", "1"];

const SKIPPED: &str =
    "skipped: ENVOY_BIN names no Envoy to compare with; `scripts/test` installs one";

#[test]
fn a_gateway_does_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-gateway", Family::V4)?;
    let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, include_str!("gateway.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("gateway.yaml", include_str!("gateway.istio.yaml"))?;
    let egret = Settings::gateway("app=parity")
        .with(&ONE_WORKER)
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: egret_tests::places::Place, log| Through {
        client: &client,
        names: Names::new(SLEEP.v4(), place.v4()),
        to: (place.v4(), 80).into(),
        origin: &origin,
        log,
    };
    let ways = [
        through(EGRESS_GATEWAY, &envoy.output),
        through(INGRESS_GATEWAY, &egret.output),
    ];
    insist(
        &requests::of_gateway(),
        &ways,
        differences::GATEWAY,
        |way, exchange| way.send(exchange),
        |exchange| exchange.name,
    )?;
    insist(
        &requests::over_http2(),
        &ways,
        differences::HTTP2,
        |way, call| way.curl(call),
        |call| call.name,
    )
}

#[test]
fn a_sidecar_does_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-sidecar", Family::V4)?;
    let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
    let (envoy_pod, egret_pod) = (
        world.pod(PRODUCTPAGE, "default")?,
        world.pod(SLEEP, "default")?,
    );
    for pod in [&envoy_pod, &egret_pod] {
        redirect(&world, pod, &INJECTED, &[])?;
    }
    let envoy = envoy::start(&world, &envoy_pod, include_str!("sidecar.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("sidecar.yaml", include_str!("sidecar.istio.yaml"))?;
    let egret = Settings::sidecar("default")
        .with(&ONE_WORKER)
        .config(config.path())
        .pod_ip(SLEEP.v4())
        .start(&world, &egret_pod)?;
    let through = |pod, place: egret_tests::places::Place, log| Through {
        client: pod,
        names: Names::new(place.v4(), place.v4()),
        to: (HTTPBIN_ORG.v4(), 80).into(),
        origin: &origin,
        log,
    };
    insist(
        &requests::of_sidecar(),
        &[
            through(&envoy_pod, PRODUCTPAGE, &envoy.output),
            through(&egret_pod, SLEEP, &egret.output),
        ],
        differences::SIDECAR,
        |way, exchange| way.send(exchange),
        |exchange| exchange.name,
    )
}

/// Past the test runner, which shows nothing of tests that pass.
fn tell_skipped() -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{SKIPPED}")?)
}
