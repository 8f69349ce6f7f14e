//! Reloads while calls are made: nothing is lost, nothing is kept for ever, and what did not change stays as it was.

use std::fs;

use egret_tests::client::curl;
use egret_tests::egret::{Proxy, STATS};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{ServiceEntry, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::process::resident;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::load::{Client, Load};
use crate::helpers::stage;
use crate::helpers::stage::elsewhere;

const RELOADS: usize = 1_000;

/// After so many reloads the process has what it needs for reloads.
const WARM: usize = 100;

/// KiB that the process may have more after the other reloads: less than 20 a reload.
const GROWTH_MAX: u64 = 16 * 1024;

const BAD: Site = Site {
    name: "bad",
    number: 20,
};
const GOOD: Site = Site {
    name: "good",
    number: 21,
};

const CLUSTER: (&str, &str) = ("cluster_name", "outbound|80||elsewhere.example");

/// Changes a file in one step, and returns when the change is in force.
fn reload(sidecar: &Proxy<'_>, config: &Folder, name: &str, text: &str) -> anyhow::Result<()> {
    let known = sidecar.errors.len();
    // Written in place it would be empty for a moment, which is rejected.
    config.write(".next", text)?;
    fs::rename(config.path().join(".next"), config.path().join(name))?;
    sidecar
        .errors
        .await_from(known, |line| line.contains("configuration in force"))?;
    Ok(())
}

/// A service that differs from one call to the next.
fn probe(number: usize) -> String {
    let host = format!("probe-{}.example", number % 7);
    let entry = ServiceEntry::new(&host)
        .port(80, "HTTP")
        .at([ELSEWHERE.v4()]);
    format!("# change {number}\n{}", documents(&[&entry]))
}

/// How many descriptors and threads the process has.
fn held(sidecar: &Proxy<'_>) -> anyhow::Result<(usize, usize)> {
    let count = |what| anyhow::Ok(fs::read_dir(format!("/proc/{}/{what}", sidecar.id()))?.count());
    Ok((count("fd")?, count("task")?))
}

#[test]
fn a_thousand_reloads_lose_nothing_and_leak_nothing() -> anyhow::Result<()> {
    let world = World::new("reload-thousand", Family::V4)?;
    let _http = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done\n")))?;
    let _echo = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    config.write("probe.yaml", &probe(0))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let clients = [Client::Kept, Client::Http2, Client::Stream];
    let load = Load::start(&pod, ELSEWHERE.v4(), &clients)?;
    load.await_answers(10)?;
    for number in 1..=WARM {
        reload(&sidecar, &config, "probe.yaml", &probe(number))?;
    }
    let (descriptors, threads) = held(&sidecar)?;
    let memory = resident(sidecar.id())?;
    for number in WARM + 1..=RELOADS {
        reload(&sidecar, &config, "probe.yaml", &probe(number))?;
    }
    load.await_answers(10)?;
    // Connections come and go: at some moment there are no more than there were.
    stage::until(|| {
        let (descriptors_now, threads_now) = held(&sidecar)?;
        Ok(descriptors_now <= descriptors && threads_now <= threads)
    })?;
    let memory_now = resident(sidecar.id())?;
    assert!(
        memory_now <= memory + GROWTH_MAX,
        "{memory} KiB after {WARM} reloads, {memory_now} KiB after {RELOADS}"
    );
    let reloads = sidecar.await_metrics(STATS, |_| true)?;
    let result = |result| reloads.sum("egret_reloads_total", &[("result", result)]);
    assert!(result("applied") >= RELOADS as f64, "{}", result("applied"));
    assert_eq!(result("rejected"), 0.0);
    let (answered, lost) = load.finish();
    assert_eq!(lost, 0, "of {answered}: {}", sidecar.everything());
    Ok(())
}

fn call(pod: &Host) -> anyhow::Result<u16> {
    Ok(curl(pod, &["http://elsewhere.example/"])?.status)
}

/// Connections and requests of the cluster so far.
fn counted(sidecar: &Proxy<'_>) -> anyhow::Result<(f64, f64)> {
    let metrics = sidecar.await_metrics(STATS, |_| true)?;
    let sum = |name| metrics.sum(name, &[CLUSTER]);
    Ok((
        sum("envoy_cluster_upstream_cx_total"),
        sum("envoy_cluster_upstream_rq_total"),
    ))
}

#[test]
fn what_is_known_of_an_unchanged_cluster_lives_on() -> anyhow::Result<()> {
    let world = World::new("reload-lives-on", Family::V4)?;
    let failing = at_once(|_| text(StatusCode::INTERNAL_SERVER_ERROR, ""));
    let bad = world.http(BAD, 80, &failing)?;
    let good = world.http(GOOD, 80, &at_once(|_| text(StatusCode::OK, "")))?;
    let pod = world.pod(SLEEP, "default")?;
    let policy = "loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 300s, \
                  maxEjectionPercent: 50}";
    let cluster = elsewhere(&[BAD.v4(), GOOD.v4()], policy);
    let config = stage::registered("elsewhere.yaml", &cluster)?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    // One worker has one pool.
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--threads", "1"])
        .start(&world, &pod)?;
    stage::until(|| {
        call(&pod)?;
        Ok(bad.requests.len() == 1 && good.requests.len() > 1)
    })?;
    sidecar.await_log(&["endpoint ejected"])?;
    assert_eq!(good.connections.len(), 1, "its connection is pooled");
    let (connections, mut requests) = counted(&sidecar)?;

    let moved = format!("# a line above what stays the same\n{cluster}");
    for (name, text) in [
        ("probe.yaml", probe(1)),
        ("elsewhere.yaml", moved),
        ("probe.yaml", probe(2)),
    ] {
        reload(&sidecar, &config, name, &text)?;
        for _ in 0..4 {
            assert_eq!(call(&pod)?, 200, "after a change of {name}");
        }
        let now = counted(&sidecar)?;
        assert_eq!(
            now,
            (connections, requests + 4.0),
            "after a change of {name}"
        );
        requests = now.1;
    }
    assert_eq!(bad.requests.len(), 1, "it is ejected still");
    assert_eq!(good.connections.len(), 1, "its connection is pooled still");

    // With another limit the cluster is another one; the ejection is that of the endpoint.
    let policy = format!("{policy}, connectionPool: {{tcp: {{maxConnections: 7}}}}");
    let changed = elsewhere(&[BAD.v4(), GOOD.v4()], &policy);
    reload(&sidecar, &config, "elsewhere.yaml", &changed)?;
    for _ in 0..4 {
        assert_eq!(call(&pod)?, 200);
    }
    assert_eq!(bad.requests.len(), 1, "it is ejected still");
    assert!(
        counted(&sidecar)?.1 >= requests + 4.0,
        "counters do not go back"
    );
    Ok(())
}
