//! Further actions of routes, through a gateway.

use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::places::EGRESS_GATEWAY;
use egret_tests::places::Family;
use egret_tests::places::HTTPBIN_ORG;
use egret_tests::places::INGRESS_GATEWAY;
use egret_tests::places::Located;
use egret_tests::places::Place;
use egret_tests::places::SLEEP;
use egret_tests::topology::World;

use crate::ONE_WORKER;
use crate::compare::Names;
use crate::differences;
use crate::insist::insist;
use crate::requests;
use crate::tell_skipped;
use crate::through::Through;
use crate::wire;

#[test]
fn the_routes_of_a_gateway_do_as_envoys_do() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-routes", Family::V4)?;
    let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, include_str!("routes.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("routes.yaml", include_str!("routes.istio.yaml"))?;
    let egret = Settings::gateway("app=parity")
        .with(&ONE_WORKER)
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place, log| Through {
        client: &client,
        names: Names::new(SLEEP.v4(), place.v4()),
        to: (place.v4(), 80).into(),
        origin: &origin,
        log,
    };
    insist(
        &requests::of_routes(),
        &[
            through(EGRESS_GATEWAY, &envoy.output),
            through(INGRESS_GATEWAY, &egret.output),
        ],
        differences::OF_ROUTES,
        |way, exchange| way.send(exchange),
        |exchange| exchange.name,
    )
}
