//! Locality: who is near is called, and who is farther takes over when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egret_tests::client::curl;
use egret_tests::egret;
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::{Origin, at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, until};

/// Endpoints in three regions, the first of which is the caller's.
const REGIONS: [(Site, &str); 3] = [
    (site(20), "here/a"),
    (site(21), "near/a"),
    (site(22), "far/a"),
];

const fn site(number: u8) -> Site {
    Site {
        name: "elsewhere",
        number,
    }
}

/// A world with an origin in each region; the first fails while it is told to.
struct Stage {
    world: World,
    pod: Host,
    origins: Vec<Origin>,
    fails: Arc<AtomicBool>,
    config: Folder,
}

impl Stage {
    fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        world.resolve("elsewhere.example", &[ELSEWHERE.v4()]);
        let fails = Arc::new(AtomicBool::new(false));
        let mut origins = Vec::new();
        for (place, (site, _)) in REGIONS.iter().enumerate() {
            let fails = Arc::clone(&fails);
            let answer = at_once(move |_| match fails.load(Ordering::Relaxed) && place == 0 {
                true => text(StatusCode::INTERNAL_SERVER_ERROR, ""),
                false => text(StatusCode::OK, ""),
            });
            origins.push(world.http(*site, 80, &answer)?);
        }
        Ok(Self {
            pod: world.pod(SLEEP, "default")?,
            world,
            origins,
            fails,
            config: Folder::with(&[REGISTRY_ONLY])?,
        })
    }

    /// Writes the endpoints, and a DestinationRule's `trafficPolicy`.
    fn policy(&self, policy: &str) -> anyhow::Result<()> {
        let endpoints = REGIONS
            .map(|(site, locality)| format!("{{address: {}, locality: {locality}}}", site.v4()));
        let text = stage::elsewhere(&[], policy).replace(
            "endpoints: []",
            &format!("endpoints: [{}]", endpoints.join(", ")),
        );
        self.config.write("elsewhere.yaml", &text)
    }

    fn start(&self) -> anyhow::Result<Proxy<'_>> {
        stage::redirect(&self.world, &self.pod, &egret::INJECTED)?;
        stage::sidecar_settings(&self.world, "default")
            .with(&["--labels", "istio-locality=here.a"])
            .config(self.config.path())
            .start(&self.world, &self.pod)
    }

    /// Calls so many times; gives how many went to each region.
    fn call(&self, times: usize) -> anyhow::Result<[usize; 3]> {
        let counts = || std::array::from_fn(|place| self.origins[place].requests.len());
        let before: [usize; 3] = counts();
        for _ in 0..times {
            curl(&self.pod, &["http://elsewhere.example/"])?;
        }
        let after: [usize; 3] = counts();
        Ok(std::array::from_fn(|place| after[place] - before[place]))
    }
}

const DETECTION: &str = "outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 1s, maxEjectionPercent: 100}";

#[test]
fn those_farther_away_take_over_and_give_back() -> anyhow::Result<()> {
    let stage = Stage::new("locality-failover")?;
    let failover = "loadBalancer: {localityLbSetting: {failover: [{from: here, to: far}]}}";
    stage.policy(&format!("{DETECTION}, {failover}"))?;
    let sidecar = stage.start()?;
    assert_eq!(stage.call(10)?, [10, 0, 0], "{}", sidecar.everything());
    stage.fails.store(true, Ordering::Relaxed);
    assert_eq!(stage.call(2)?, [2, 0, 0]);
    sidecar.await_log(&["endpoint ejected", "198.51.100.20:80"])?;
    assert_eq!(
        stage.call(5)?,
        [0, 0, 5],
        "the region that is to take over does"
    );
    stage.fails.store(false, Ordering::Relaxed);
    until(|| Ok(stage.call(5)? == [5, 0, 0]))?;
    sidecar.await_log(&["endpoint taken back"]).map(drop)
}

#[test]
fn without_detection_nobody_is_nearer() -> anyhow::Result<()> {
    let stage = Stage::new("locality-off")?;
    stage.policy("loadBalancer: {simple: ROUND_ROBIN}")?;
    let _sidecar = stage.start()?;
    let counts = stage.call(30)?;
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    Ok(())
}

#[test]
fn shares_are_given_to_regions() -> anyhow::Result<()> {
    let stage = Stage::new("locality-distribute")?;
    let shares = "loadBalancer: {simple: RANDOM, localityLbSetting: {distribute: [{from: here/*, to: {here/*: 1, far/*: 99}}]}}";
    stage.policy(&format!("{DETECTION}, {shares}"))?;
    let _sidecar = stage.start()?;
    let counts = stage.call(40)?;
    assert_eq!(counts[1], 0, "{counts:?}");
    assert!(counts[2] > counts[0], "{counts:?}");
    Ok(())
}
