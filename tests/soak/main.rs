//! Runs egret for minutes under mixed traffic, with reloads and upstream restarts, and fails when a call is lost or when what
//! the proxies use grows. `scripts/soak` calls it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "real time passes here, and the result is printed"
)]

mod servers;
mod flows;
mod samples;
mod report;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use egret_tests::egret;
use egret_tests::egret::{Proxy, Settings};
use egret_tests::folder::{Folder, fixture};
use egret_tests::objects::ServiceEntry;
use egret_tests::places::{EGRESS_GATEWAY, Family, Located, SLEEP};
use egret_tests::topology::World;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::flows::{Flow, Flows};
use crate::samples::{Sample, Use, quantile, trends};
use crate::servers::Servers;

/// Sends mixed traffic through a sidecar and a gateway, while the configuration is reloaded every second and an upstream restarts
/// every three seconds: HTTP/1, HTTP/2, gRPC, WebSocket, TLS passthrough, TCP, and HTTP through the gateway with TLS origination.
///
/// Exit code: 0 when every call was answered and what the proxies use stayed flat, 1 otherwise, 2 for wrong usage. Flat: the
/// first quarter of the time, 60 seconds at most, is warm-up. Of the rest the median of the last third is compared with the
/// median of the first third. Memory (PSS) may be 10 % and 4 MiB larger, descriptors 10 % and 8, threads 1.
#[derive(Parser)]
#[command(name = "scripts/soak", verbatim_doc_comment)]
struct Options {
    /// How long traffic runs.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..))]
    seconds: u64,
    /// Where soak.md and soak.svg go.
    #[arg(long, default_value = "target/soak")]
    out: PathBuf,
}

/// Seconds between two restarts of upstreams.
const RESTART: u64 = 3;

/// Names of the entries that reloads put in turn.
const ROUNDS: u64 = 10;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make {}", options.out.display()))?;
    let run = soak(&options)?;
    let warm_up = (options.seconds as f64 / 4.0).min(60.0);
    let trends = trends(&run.samples, warm_up);
    let table = format!(
        "{} s, {} reloads, {} restarts of upstreams.\n\n{}",
        options.seconds,
        run.reloads,
        run.restarts,
        report::table(&run.flows, &trends)
    );
    print!("{table}");
    let (page, chart) = (options.out.join("soak.md"), options.out.join("soak.svg"));
    fs::write(&page, &table)?;
    fs::write(&chart, report::chart(&run.flows, &run.samples))?;
    println!("\nsaved: {} and {}", page.display(), chart.display());
    let mut failed = trends.iter().any(|trend| !trend.is_flat);
    for Flow { name, tally } in &run.flows {
        for reason in tally.reasons() {
            println!("lost, {name}: {reason}");
        }
        let answered = tally.answered.load(Ordering::Relaxed);
        failed |= answered == 0 || answered != tally.sent.load(Ordering::Relaxed);
    }
    println!("{}", if failed { "FAILED" } else { "passed" });
    Ok(ExitCode::from(u8::from(failed)))
}

/// What a run came to.
struct Run {
    flows: Vec<Flow>,
    samples: Vec<Sample>,
    reloads: u64,
    restarts: u64,
}

fn soak(options: &Options) -> anyhow::Result<Run> {
    let world = World::new("soak", Family::V4)?;
    let mut servers = Servers::start(&world)?;
    let config = Folder::new()?;
    config.write("soak.yaml", include_str!("soak.istio.yaml"))?;
    config.write("services.yaml", &fixture("kubernetes/services.yaml")?)?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let gateway = Settings::gateway("istio=egressgateway")
        .pod_ip(EGRESS_GATEWAY.v4())
        .config(config.path())
        .start(&world, &gateway_pod)?;
    let pod = world.pod(SLEEP, "default")?;
    egret::redirect(&world, &pod, &egret::INJECTED, &[])?;
    let sidecar = Settings::sidecar("default")
        .pod_ip(SLEEP.v4())
        .config(config.path())
        .start(&world, &pod)?;
    let flows = Flows::start(&pod, &client_tls(&world)?)?;
    let begin = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    let mut measured = vec![0; flows.all.len()];
    for second in 1..=options.seconds {
        let next = begin + Duration::from_secs(second);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let name = format!("round-{}.example", second % ROUNDS);
        let entry = ServiceEntry::new(&name).port(80, "HTTP").resolution("NONE");
        config.write("round.yaml", &entry.to_string())?;
        if second % RESTART == 0 {
            servers.restart_next(&world.internet)?;
        }
        samples.push(sample(begin, [&sidecar, &gateway], &flows, &mut measured)?);
    }
    let (reloads, restarts) = (reloads(&sidecar)?, servers.restarts);
    anyhow::ensure!(reloads >= options.seconds / 2, "only {reloads} reloads");
    let flows = flows.finish()?;
    Ok(Run {
        flows,
        samples,
        reloads,
        restarts,
    })
}

fn sample(
    begin: Instant,
    [sidecar, gateway]: [&Proxy<'_>; 2],
    flows: &Flows,
    measured: &mut [usize],
) -> anyhow::Result<Sample> {
    let mut latency = Vec::new();
    for (flow, start) in flows.all.iter().zip(measured) {
        let sorted = flow.tally.latencies_from(*start);
        *start = flow.tally.measured().min(*start + sorted.len());
        latency.push(quantile(&sorted, 0.99));
    }
    let used = |proxy: &Proxy<'_>| {
        Use::of(proxy.id()).with_context(|| format!("a proxy ended:\n{}", proxy.everything()))
    };
    Ok(Sample {
        at: begin.elapsed().as_secs_f64(),
        used: [used(sidecar)?, used(gateway)?],
        latency,
    })
}

/// How often a configuration was applied.
fn reloads(sidecar: &Proxy<'_>) -> anyhow::Result<u64> {
    let metrics = sidecar.await_metrics(egret::STATS, |_| true)?;
    Ok(metrics.sum("egret_reloads_total", &[("result", "applied")]) as u64)
}

fn client_tls(world: &World) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let pem = world.authority.pem().as_bytes();
    roots.add(CertificateDer::from_pem_slice(pem)?)?;
    let config = ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}
