//! What happens to egret's own processes under load: killed and started again, replaced, or under a clock that jumps.

use std::fs;
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use egret_tests::egret;
use egret_tests::egret::{Proxy, Settings};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{Origin, at_once, text};
use egret_tests::places::{CNN, EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::sys::signal::Signal;

use crate::helpers::calls::{Load, Target};
use crate::helpers::stage;
use crate::helpers::stage::field;
use crate::tls::origination;

/// Calls that are answered between two steps.
const BETWEEN: u64 = 200;

/// How often a process is ended.
const ROUNDS: u64 = 3;

#[test]
fn a_sidecar_that_is_killed_serves_once_it_is_started_again() -> anyhow::Result<()> {
    let world = World::new("faults-killed", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "ok\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    let settings = stage::sidecar_settings(&world, "default").config(config.path());
    let mut sidecar = settings.start(&world, &pod)?;
    let load = Load::start(&pod, &Target::elsewhere());
    for _ in 0..ROUNDS {
        load.await_answers(200, BETWEEN)?;
        let before = load.so_far();
        sidecar.signal(Signal::SIGKILL)?;
        sidecar.await_end()?;
        load.await_calls(BETWEEN)?;
        let down = load.so_far();
        assert!(down.lost > before.lost, "no call passes by: {down:?}");
        sidecar = settings.start(&world, &pod)?;
        load.await_each()?;
        let up = load.so_far();
        load.await_answers(200, BETWEEN)?;
        let later = load.so_far();
        assert_eq!((later.lost, later.cut), (up.lost, up.cut), "{later:?}");
    }
    let tally = load.finish();
    // The kernel remembers for some seconds where it redirected connections that were refused. An upstream socket that gets the
    // port of one is redirected back to the proxy, which refuses it: that call is answered 503.
    assert_eq!(
        tally.sent,
        tally.of(200) + tally.of(503) + tally.lost + tally.cut,
        "{tally:?}"
    );
    assert!(tally.of(503) < tally.of(200) / 10, "{tally:?}");
    Ok(())
}

/// Plain HTTP to the egress gateway, and TLS from there.
struct ThroughGateway {
    world: World,
    config: Folder,
    _origin: Origin,
}

impl ThroughGateway {
    fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let tls = world.authority.server(&[CNN.name])?;
        let _origin = world.https(CNN, tls, &at_once(|_| text(StatusCode::OK, "ok\n")))?;
        Ok(Self {
            world,
            config: Folder::with(&origination::ALL)?,
            _origin,
        })
    }

    fn sidecar<'p>(&self, pod: &'p Host) -> anyhow::Result<Proxy<'p>> {
        stage::sidecar(&self.world, pod, "default", &self.config)
    }

    fn gateway(&self) -> Settings {
        let settings = Settings::gateway("istio=egressgateway").pod_ip(EGRESS_GATEWAY.v4());
        settings.config(self.config.path())
    }
}

#[test]
fn a_gateway_that_is_replaced_loses_nothing() -> anyhow::Result<()> {
    let stage = ThroughGateway::new("faults-gateway-replaced")?;
    let folder = stage.world.folder().join("handover");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let socket = folder.join("socket").display().to_string();
    let settings = stage.gateway().with(&["--hot-restart", &socket]);
    let pod = stage.world.pod(SLEEP, "default")?;
    let gateway_pod = stage.world.gateway_pod(EGRESS_GATEWAY)?;
    let mut gateway = settings.start(&stage.world, &gateway_pod)?;
    let _sidecar = stage.sidecar(&pod)?;
    let load = Load::start(&pod, &Target::named(CNN.name));
    for _ in 0..ROUNDS {
        load.await_answers(200, BETWEEN)?;
        let next = settings.start(&stage.world, &gateway_pod)?;
        let old = std::mem::replace(&mut gateway, next);
        assert_eq!(old.await_end()?, 0);
    }
    load.await_answers(200, BETWEEN)?;
    load.finish().assert_answered(&[200], "gateway replaced");
    Ok(())
}

#[test]
fn a_gateway_that_is_killed_costs_answers_of_503_until_it_is_back() -> anyhow::Result<()> {
    let stage = ThroughGateway::new("faults-gateway-killed")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let gateway_pod = stage.world.gateway_pod(EGRESS_GATEWAY)?;
    let mut gateway = stage.gateway().start(&stage.world, &gateway_pod)?;
    let _sidecar = stage.sidecar(&pod)?;
    let load = Load::start(&pod, &Target::named(CNN.name));
    for _ in 0..ROUNDS {
        load.await_answers(200, BETWEEN)?;
        gateway.signal(Signal::SIGKILL)?;
        gateway.await_end()?;
        load.await_answers(503, 10)?;
        gateway = stage.gateway().start(&stage.world, &gateway_pod)?;
        load.await_answers(200, BETWEEN)?;
    }
    load.finish().assert_answered(&[200, 503], "gateway killed");
    Ok(())
}

/// A library that moves the time of day of the program that it is preloaded into.
const CLOCK: &str = include_str!("clock.c");

/// Compiles the library.
fn library(world: &World) -> anyhow::Result<String> {
    let (source, library) = (
        world.folder().join("clock.c"),
        world.folder().join("clock.so"),
    );
    fs::write(&source, CLOCK)?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]);
    let output = compiler.args([&library, &source]).output()?;
    anyhow::ensure!(output.status.success(), "{output:?}");
    Ok(library.display().to_string())
}

/// Seconds of two days.
const TWO_DAYS: i64 = 2 * 86_400;

#[test]
fn a_clock_that_jumps_changes_times_of_day_alone() -> anyhow::Result<()> {
    let world = World::new("faults-clock", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "ok\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let clock = world.folder().join("clock");
    set(&clock, 0)?;
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .env("LD_PRELOAD", &library(&world)?)
        .env("CLOCK_OFFSET", &clock.display().to_string())
        .start(&world, &pod)?;
    let load = Load::start(&pod, &Target::elsewhere());
    for seconds in [TWO_DAYS, -TWO_DAYS, 0] {
        load.await_answers(200, BETWEEN)?;
        set(&clock, seconds)?;
        let day = day(seconds)?;
        let start = sidecar.output.len();
        sidecar.await_access_from(start, |line| field(line, "start_time").starts_with(&day))?;
        // A change of the configuration is taken under the new time.
        let other = format!("other{}.example", seconds + TWO_DAYS);
        let entry = ServiceEntry::new(&other).port(80, "HTTP");
        config.write("other.yaml", &entry.at([ELSEWHERE.v4()]).to_string())?;
        stage::until(|| Ok(Target::named(&other).call(&pod, 1).of(200) == 1))?;
    }
    load.await_answers(200, BETWEEN)?;
    load.finish().assert_answered(&[200], "clock jump");
    let limit = u64::try_from(egret_tests::DEADLINE.as_millis())?;
    for line in sidecar.access_log() {
        let duration = line["duration"].as_u64();
        assert!(duration.is_some_and(|millis| millis < limit), "{line:#}");
    }
    assert_eq!(sidecar.terminate()?, 0);
    Ok(())
}

/// Sets how far the clock is from the true one.
fn set(clock: &Path, seconds: i64) -> anyhow::Result<()> {
    // In place: the program has the file mapped.
    let mut options = File::options();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(clock)?;
    Ok(file.write_all_at(&seconds.to_ne_bytes(), 0)?)
}

/// The date so many seconds from now.
fn day(seconds: i64) -> anyhow::Result<String> {
    let time = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(seconds))?;
    Ok(time.strftime("%Y-%m-%d").to_string())
}
