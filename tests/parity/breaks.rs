//! Exchanges that do not come to their end: whoever breaks off, with whichever version of HTTP on either side, the
//! other side learns it, and the log tells whose doing it was.

mod all;
mod client;
mod one;
mod two;

use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::places::{
    EGRESS_GATEWAY, Family, GOOGLE, HTTPBIN_ORG, INGRESS_GATEWAY, Located, Place, SLEEP,
};
use egret_tests::topology::World;

use crate::breaks::client::Through;
use crate::compare::Names;
use crate::insist::insist;
use crate::{differences, tell_skipped};

/// What the two ends of an exchange tell each other past the proxies.
#[derive(Clone, Default)]
struct Cues {
    /// An origin has a request's head.
    seen: Ledger<()>,
    /// A client has read the half that origins say at first.
    heard: Ledger<()>,
}

impl Cues {
    /// Waits, at an origin, until the client has read the half.
    fn await_heard(&self, before: usize) {
        self.heard.await_growth(before, crate::through::PATIENCE);
    }
}

#[test]
fn a_gateway_does_as_envoy_does_when_exchanges_break_off() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-breaks", Family::V4)?;
    let cues = Cues::default();
    one::serve(world.internet.listen(HTTPBIN_ORG.v4(), 80)?, &cues)?;
    two::serve(world.internet.listen(GOOGLE.v4(), 80)?, &cues)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, include_str!("breaks.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("breaks.yaml", include_str!("breaks.istio.yaml"))?;
    let egret = Settings::gateway("app=parity")
        .with(&crate::ONE_WORKER)
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place, log| Through {
        client: &client,
        names: Names::new(SLEEP.v4(), place.v4()),
        to: place.v4(),
        cues: &cues,
        log,
    };
    insist(
        &all::all(),
        &[
            through(EGRESS_GATEWAY, &envoy.output),
            through(INGRESS_GATEWAY, &egret.output),
        ],
        differences::BREAKS,
        |way, exchange| way.make(exchange),
        |exchange| exchange.name,
    )
}
