//! Hostile clients: those that behave are served meanwhile, and what the hostile ones took is given back when they leave.

mod attack;
mod crowd;
mod good;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{Answer, at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use http_body_util::{BodyExt, Full};
use hyper::{Response, StatusCode};

use crate::helpers::stage;
use crate::operations::limits::hits;

use self::attack::Attack;
use self::crowd::Crowd;

/// Hostile clients, unless the variable says another number.
const CLIENTS: usize = 600;

/// Says how many hostile clients there are, for a measurement by hand.
const CLIENTS_VARIABLE: &str = "EGRET_HOSTILE_CLIENTS";

/// Names the one kind of hostile clients that come, for a measurement by hand.
const KIND_VARIABLE: &str = "EGRET_HOSTILE_KIND";

/// Requests of each client that behaves.
const REQUESTS: usize = 50;

/// How long it may take until all hostile clients have come: far more than it takes.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// How long the memory may take to come back.
const RETURN_MAX: Duration = Duration::from_secs(40);

/// The memory of a small pod, in KiB.
const POD: u64 = 128 << 10;

/// An answer that no buffer holds whole.
const LARGE: usize = 8 << 20;

fn answers() -> Answer {
    let large = Bytes::from(vec![b'l'; LARGE]);
    at_once(move |seen| match seen.target.as_str() {
        "/large" => Response::new(Full::new(large.clone()).boxed()),
        _ => text(StatusCode::OK, "done"),
    })
}

fn config() -> anyhow::Result<Folder> {
    let entry = ServiceEntry::new("elsewhere.example");
    let entry = entry.port(80, "HTTP").port(443, "TLS");
    let entry = entry.at([ELSEWHERE.v4()]);
    stage::registered("elsewhere.yaml", &entry.to_string())
}

/// The memory of a proxy, in KiB: its own pages, and its share of those that others have, too.
fn memory(proxy: &Proxy<'_>) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", proxy.id()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.context("a process has memory")?.trim();
    Ok(number.trim_end_matches("kB").trim().parse()?)
}

/// How many clients there are to be.
fn clients() -> anyhow::Result<usize> {
    match std::env::var(CLIENTS_VARIABLE) {
        Ok(number) => Ok(number.parse()?),
        Err(_) => Ok(CLIENTS),
    }
}

/// The kinds that come.
fn kinds() -> Vec<Attack> {
    let one = std::env::var(KIND_VARIABLE);
    let comes = |kind: &Attack| {
        one.as_ref()
            .map_or(true, |name| format!("{kind:?}") == *name)
    };
    Attack::MANY.into_iter().filter(comes).collect()
}

/// Waits until it is so, and gives the most memory that the proxy had meanwhile.
fn until(
    proxy: &Proxy<'_>,
    limit: Duration,
    mut is_so: impl FnMut(u64) -> bool,
) -> anyhow::Result<u64> {
    let end = Instant::now() + limit;
    let mut peak = 0;
    loop {
        let now = memory(proxy)?;
        peak = peak.max(now);
        if is_so(now) {
            return Ok(peak);
        }
        anyhow::ensure!(
            Instant::now() < end,
            "it did not become so in {limit:?}; {now} KiB now, {peak} KiB at most"
        );
    }
}

/// Clients that behave are served while hostile ones of these kinds are there; the memory that these take is bounded, and
/// comes back.
fn withstands(
    name: &str,
    count: usize,
    kinds: Vec<Attack>,
    are_there: impl Fn(&Proxy<'_>) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &answers())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = config()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let quiet = good::ask(&pod, REQUESTS)?;
    let before = memory(&sidecar)?;

    let crowd = Crowd::start(&pod, count, kinds);
    let arriving = until(&sidecar, ARRIVAL_MAX, |_| crowd.came() >= count);
    let arriving = arriving.with_context(|| format!("{} of {count} clients came", crowd.came()))?;
    let mut loud = Vec::new();
    let mut peak = arriving;
    stage::until(|| {
        peak = peak.max(memory(&sidecar)?);
        are_there(&sidecar)
    })?;
    for _ in 0..3 {
        loud.push(good::ask(&pod, REQUESTS)?);
        peak = peak.max(memory(&sidecar)?);
    }
    let ended = crowd.ended();
    drop(crowd);
    let left = memory(&sidecar)?;
    let gone = Instant::now();
    let mut last = left;
    let back = until(&sidecar, RETURN_MAX, |now| {
        last = now;
        now * 2 <= before * 3
    });
    let report = format!(
        "{count} clients, {ended} connections ended by the proxy\n\
         answers before: p50 {:?}, p99 {:?}\n\
         answers meanwhile: p50 {:?}, p99 {:?}\n\
         memory in KiB: {before} before, {peak} at most, {left} when they left, {last} after {:?}\n",
        quiet.percentile(50),
        quiet.percentile(99),
        loud.iter()
            .map(|times| times.percentile(50))
            .collect::<Vec<_>>(),
        loud.iter()
            .map(|times| times.percentile(99))
            .collect::<Vec<_>>(),
        gone.elapsed(),
    );
    fs::write(world.logs().join("figures.txt"), &report)?;
    back.with_context(|| report.clone())?;
    anyhow::ensure!(peak < POD, "too much memory: {report}");
    Ok(())
}

#[test]
fn hostile_clients_of_all_kinds() -> anyhow::Result<()> {
    withstands("hostile-all", clients()?, kinds(), |_| Ok(true))
}

#[test]
fn connections_with_many_streams() -> anyhow::Result<()> {
    // More streams came than may stall, so some were let go.
    let let_go = |proxy: &Proxy<'_>| Ok(hits(proxy, "stalled_clients")? >= 500.0);
    withstands("hostile-streams", 8, vec![Attack::ManyStreams], let_go)
}
