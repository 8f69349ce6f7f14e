//! Gateways, asked in HTTP/1: what their routes do, and whom they take for their clients.

use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::places::{
    EGRESS_GATEWAY, Family, HTTPBIN_ORG, INGRESS_GATEWAY, Located, Place, SLEEP,
};
use egret_tests::topology::World;

use crate::compare::Names;
use crate::differences::Suite;
use crate::insist::insist;
use crate::requests::Exchange;
use crate::through::Through;
use crate::{ONE_WORKER, differences, requests, tell_skipped, wire};

#[test]
fn the_routes_of_a_gateway_do_as_envoys_do() -> anyhow::Result<()> {
    Comparison {
        name: "parity-routes",
        bootstrap: include_str!("routes.envoy.yaml"),
        objects: include_str!("routes.istio.yaml"),
        exchanges: requests::of_routes(),
        meant: differences::ROUTES,
    }
    .make()
}

#[test]
fn a_gateway_takes_clients_from_proxy_headers_as_envoy_does() -> anyhow::Result<()> {
    Comparison {
        name: "parity-proxied",
        bootstrap: include_str!("proxied.envoy.yaml"),
        objects: include_str!("proxied.istio.yaml"),
        exchanges: requests::of_proxied(),
        meant: differences::PROXIED,
    }
    .make()
}

/// What is compared in a world of its own.
struct Comparison {
    name: &'static str,
    bootstrap: &'static str,
    objects: &'static str,
    exchanges: Vec<Exchange>,
    meant: Suite,
}

impl Comparison {
    fn make(self) -> anyhow::Result<()> {
        if !envoy::is_there()? {
            return tell_skipped();
        }
        let world = World::new(self.name, Family::V4)?;
        let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
        let client = world.pod(SLEEP, "default")?;
        let (envoy_pod, egret_pod) = (
            world.gateway_pod(EGRESS_GATEWAY)?,
            world.gateway_pod(INGRESS_GATEWAY)?,
        );
        let envoy = envoy::start(&world, &envoy_pod, self.bootstrap)?;
        let config = Folder::new()?;
        config.write("objects.yaml", self.objects)?;
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
            &self.exchanges,
            &[
                through(EGRESS_GATEWAY, &envoy.output),
                through(INGRESS_GATEWAY, &egret.output),
            ],
            self.meant,
            |way, exchange| way.send(exchange),
            |exchange| exchange.name,
        )
    }
}
