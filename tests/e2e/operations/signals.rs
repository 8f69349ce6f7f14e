//! Signals: which end the proxy and how, which reopen logs, and that others do nothing. And what a proxy that drains still
//! does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use egret_tests::client::curl;
use egret_tests::egret::{ADMIN, PROXY_UID, Proxy, Settings};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{Gateway, MeshConfig, VirtualService, documents};
use egret_tests::origin::{Answer, Origin, text};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;
use egret_tests::{client, scrape};
use hyper::StatusCode;
use nix::sys::signal::Signal;
use tokio::sync::watch;

use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

const QUICK: &str = "http://elsewhere.example/quick";
const HELD: &str = "http://elsewhere.example/held";

/// Longer than any test takes.
const LONG_DRAIN: [&str; 2] = ["--drain-time", "10m"];

/// The agent's words for a proxy that ends when nothing is in flight any more.
const UNTIL_IDLE: [(&str, &str); 2] = [
    ("EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "true"),
    ("MINIMUM_DRAIN_DURATION", "0s"),
];

/// An answer that waits for the word where the path is that of [`HELD`].
fn held(go: &watch::Receiver<bool>) -> Answer {
    let go = go.clone();
    Arc::new(move |request| {
        let mut go = go.clone();
        let waits = request.target.ends_with("/held");
        Box::pin(async move {
            if waits {
                // The test's end is a word, too.
                let _ = go.wait_for(|go| *go).await;
            }
            text(StatusCode::OK, "done\n")
        })
    })
}

/// An origin whose answers to [`HELD`] wait.
fn origin(world: &World) -> anyhow::Result<(Origin, watch::Sender<bool>)> {
    let (word, go) = watch::channel(false);
    Ok((world.http(ELSEWHERE, 80, &held(&go))?, word))
}

fn sidecar<'p>(world: &World, pod: &'p Host, config: &Folder) -> anyhow::Result<Proxy<'p>> {
    stage::redirect(world, pod, &egret_tests::egret::INJECTED)?;
    stage::sidecar_settings(world, "default")
        .config(config.path())
        .with(&LONG_DRAIN)
        .start(world, pod)
}

fn sidecar_until_idle<'p>(
    world: &World,
    pod: &'p Host,
    config: &Folder,
) -> anyhow::Result<Proxy<'p>> {
    stage::redirect(world, pod, &egret_tests::egret::INJECTED)?;
    let settings = stage::sidecar_settings(world, "default").config(config.path());
    until_idle(settings).start(world, pod)
}

fn until_idle(settings: Settings) -> Settings {
    UNTIL_IDLE.iter().fold(settings, |settings, (name, value)| {
        settings.env(name, value)
    })
}

fn is_draining(proxy: &Proxy<'_>) -> anyhow::Result<()> {
    stage::until(|| {
        let page = proxy.page("/ready")?;
        Ok(page.status == 503 && page.body.contains("DRAINING"))
    })
}

#[test]
fn sigusr1_reopens_the_access_log() -> anyhow::Result<()> {
    let world = World::new("signals-logs", Family::V4)?;
    let (_origin, _word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let logs = world.folder().join("access");
    fs::create_dir(&logs)?;
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o777))?;
    let (file, rotated) = (logs.join("access.log"), logs.join("access.log.1"));
    let config = stage::registered_elsewhere()?;
    let mesh = MeshConfig::new()
        .set(&format!("accessLogFile: {}", file.display()))
        .set("accessLogEncoding: JSON");
    config.remove(&[REGISTRY_ONLY])?;
    config.write("mesh.yaml", &mesh.to_string())?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &[QUICK])?.status, 200);
    let has_line = |path| fs::read_to_string(path).is_ok_and(|text| text.contains("/quick"));
    stage::until(|| Ok(has_line(&file)))?;
    fs::rename(&file, &rotated)?;
    sidecar.signal(Signal::SIGUSR1)?;
    stage::until(|| Ok(file.exists()))?;
    assert_eq!(curl(&pod, &[QUICK])?.status, 200);
    stage::until(|| Ok(has_line(&file)))?;
    let before = fs::read_to_string(&rotated)?;
    assert_eq!(before.lines().count(), 1, "{before}");
    assert_eq!(sidecar.page("/ready")?.status, 200);
    Ok(())
}

#[test]
fn signals_without_a_meaning_are_ignored() -> anyhow::Result<()> {
    let world = World::new("signals-ignored", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = sidecar(&world, &pod, &config)?;
    for signal in [
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGIO,
        Signal::SIGPWR,
        Signal::SIGSTKFLT,
        Signal::SIGPIPE,
        Signal::SIGWINCH,
    ] {
        sidecar.signal(signal)?;
    }
    assert_eq!(sidecar.page("/ready")?.status, 200);
    assert_eq!(sidecar.terminate()?, 0);
    Ok(())
}

#[test]
fn a_second_signal_ends_the_drain() -> anyhow::Result<()> {
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let world = World::new("signals-second", Family::V4)?;
        let (origin, _word) = origin(&world)?;
        let pod = world.pod(SLEEP, "default")?;
        let config = stage::registered_elsewhere()?;
        let sidecar = sidecar(&world, &pod, &config)?;
        let held = client::start(&pod, &[HELD])?;
        origin.requests.await_one(|_| true)?;
        sidecar.signal(Signal::SIGTERM)?;
        is_draining(&sidecar)?;
        sidecar.signal(second)?;
        assert_eq!(sidecar.await_end()?, 0, "{second}");
        assert_ne!(held.finish()?.status, 200, "it was cut");
    }
    Ok(())
}

/// What an application does at its end, after the signal that both got.
#[test]
fn a_sidecar_without_calls_goes_on_for_the_drain_time() -> anyhow::Result<()> {
    let world = World::new("signals-goes-on", Family::V4)?;
    let (_origin, _word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let sidecar = sidecar(&world, &pod, &config)?;
    sidecar.signal(Signal::SIGTERM)?;
    is_draining(&sidecar)?;
    for _ in 0..3 {
        let answer = curl(&pod, &[QUICK])?;
        assert_eq!(answer.status, 200, "{}", sidecar.everything());
    }
    assert_eq!(sidecar.page("/ready")?.status, 503);
    sidecar.signal(Signal::SIGTERM)?;
    assert_eq!(sidecar.await_end()?, 0);
    Ok(())
}

#[test]
fn the_drain_time_of_the_pod_ends_a_sidecar() -> anyhow::Result<()> {
    let world = World::new("signals-time", Family::V4)?;
    let (origin, _word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .env("PROXY_CONFIG", "{\"terminationDrainDuration\":\"0.2s\"}")
        .env("TERMINATION_DRAIN_DURATION_SECONDS", "600")
        .start(&world, &pod)?;
    let held = client::start(&pod, &[HELD])?;
    origin.requests.await_one(|_| true)?;
    sidecar.signal(Signal::SIGTERM)?;
    assert_eq!(sidecar.await_end()?, 0);
    assert_ne!(held.finish()?.status, 200, "it was cut");
    Ok(())
}

/// Kubernetes' native sidecars: `preStop` drains long before the application ends.
#[test]
fn inbound_listeners_drain_apart() -> anyhow::Result<()> {
    let world = World::new("signals-inbound", Family::V4)?;
    let (_origin, _word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let sidecar = sidecar(&world, &pod, &config)?;
    let path = "/drain_listeners?graceful&inboundonly";
    assert_eq!(scrape::post(&pod, ADMIN, path)?.status, 200);
    is_draining(&sidecar)?;
    stage::until(|| Ok(!sidecar.page("/listeners")?.body.contains("15006")))?;
    let answer = curl(&pod, &[QUICK])?;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("connection"), Some("close"));
    Ok(())
}

#[test]
fn listeners_are_closed_on_demand() -> anyhow::Result<()> {
    let world = World::new("signals-close", Family::V4)?;
    let (_origin, _word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let sidecar = sidecar(&world, &pod, &config)?;
    assert_eq!(curl(&pod, &[QUICK])?.status, 200);
    assert_eq!(scrape::post(&pod, ADMIN, "/drain_listeners")?.status, 200);
    is_draining(&sidecar)?;
    stage::until(|| Ok(!sidecar.page("/listeners")?.body.contains("15001")))?;
    assert_eq!(curl(&pod, &[QUICK])?.status, 0, "nobody listens");
    assert_eq!(
        sidecar.page("/server_info")?.status,
        200,
        "the process stays"
    );
    Ok(())
}

#[test]
fn wait_ends_once_the_proxy_is_ready() -> anyhow::Result<()> {
    let world = World::new("signals-wait", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let program = world.program("egret-proxy")?;
    let wait = |arguments: &[&str]| {
        let arguments = [&["wait"], arguments].concat();
        Process::run(&pod, pod.command(PROXY_UID, &program, &arguments))
    };
    let early = wait(&["--timeoutSeconds", "0"])?;
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.errors.contains("not ready after"), "{early:?}");
    let _sidecar = sidecar(&world, &pod, &config)?;
    let ready = wait(&[])?;
    assert_eq!(ready.code, 0, "{ready:?}");
    Ok(())
}

#[test]
fn a_sidecar_that_drains_takes_outbound_calls() -> anyhow::Result<()> {
    let world = World::new("signals-drain", Family::V4)?;
    let (origin, word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let sidecar = sidecar_until_idle(&world, &pod, &config)?;
    let held = client::start(&pod, &[HELD])?;
    origin.requests.await_one(|_| true)?;
    sidecar.signal(Signal::SIGTERM)?;
    is_draining(&sidecar)?;
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let answer = curl(&pod, &[version, QUICK, QUICK])?;
        assert_eq!(answer.status, 200, "{version}: {}", sidecar.everything());
    }
    let answer = curl(&pod, &[QUICK])?;
    assert_eq!(answer.header("connection"), Some("close"));
    word.send_replace(true);
    assert_eq!(held.finish()?.status, 200);
    assert_eq!(sidecar.await_end()?, 0);
    Ok(())
}

#[test]
fn a_gateway_that_drains_takes_calls() -> anyhow::Result<()> {
    let world = World::new("signals-gateway", Family::V4)?;
    let (origin, word) = origin(&world)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = stage::registered_elsewhere()?;
    let routes = VirtualService::new("elsewhere.example").gateways(&["egress"]);
    let objects = documents(&[
        &Gateway::egress("egress").server(8080, "HTTP", &["elsewhere.example"]),
        &routes.route("{port: 8080}", "elsewhere.example", 80),
    ]);
    config.write("gateway.yaml", &objects)?;
    let address = EGRESS_GATEWAY.v4();
    let settings = Settings::gateway("istio=egressgateway")
        .pod_ip(address)
        .config(config.path());
    let gateway = until_idle(settings).start(&world, &gateway_pod)?;
    let through = format!("elsewhere.example:80:{address}:8080");
    let through = ["--connect-to", &*through];
    let held = client::start(&pod, &[through[0], through[1], HELD])?;
    origin.requests.await_one(|_| true)?;
    gateway.signal(Signal::SIGTERM)?;
    is_draining(&gateway)?;
    let answer = curl(&pod, &[through[0], through[1], QUICK])?;
    assert_eq!(answer.status, 200, "{}", gateway.everything());
    word.send_replace(true);
    assert_eq!(held.finish()?.status, 200);
    assert_eq!(gateway.await_end()?, 0);
    Ok(())
}
