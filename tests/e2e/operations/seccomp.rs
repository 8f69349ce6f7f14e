//! The seccomp profile of deploy/seccomp: a proxy under it, as user 1337, without capabilities and with a root that cannot be
//! written to, does all that it does otherwise; and what the profile does not list is refused.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use anyhow::Context;
use egret_tests::client::curl;
use egret_tests::egret::{Proxy, STATS};
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{CNN, ELSEWHERE, Family, GOOGLE, HTTPBIN_COM, Located, SLEEP, Site};
use egret_tests::process::Process;
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret, seccomp};
use hyper::StatusCode;
use nix::mount::MsFlags;
use nix::sys::signal::Signal;

use crate::helpers::calls::Target;
use crate::helpers::stage;

const PROFILE: &str = "egret-proxy.json";

/// System calls that the profile does not list. Without it none is answered with EPERM.
const FORBIDDEN: [&str; 8] = [
    "ptrace",
    "unshare",
    "setns",
    "memfd_create",
    "process_vm_readv",
    "personality",
    "msgget",
    "setpriority",
];

/// Where bytes are served.
const BYTES: Site = HTTPBIN_COM;

const EPERM: &str = "1";

fn filter(world: &World) -> anyhow::Result<PathBuf> {
    let filter = world.folder().join("filter");
    seccomp::compile(PROFILE, &filter)?;
    Ok(filter)
}

/// Makes the root of a pod read-only, with all that is mounted below it as it was.
fn protect_root(pod: &Host) -> anyhow::Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    let none = None::<&str>;
    pod.run(move || nix::mount::mount(none, "/", none, flags, none))
        .context("the root becomes read-only")
}

fn entries() -> String {
    let cnn = ServiceEntry::new(CNN.name).port_to(80, "HTTP", 443);
    let google = ServiceEntry::new(GOOGLE.name).port(443, "TLS");
    let bytes = ServiceEntry::new("bytes.example").port(7000, "TCP");
    let bytes = format!("{bytes}  addresses: ['{}']\n", BYTES.v4());
    let bytes = bytes.replace("resolution: DNS", "resolution: NONE");
    documents(&[
        &ServiceEntry::new(ELSEWHERE.name).port(80, "HTTP"),
        &bytes,
        &cnn,
        &google,
        &DestinationRule::new(CNN.name, "{tls: {mode: SIMPLE}}"),
    ])
}

#[test]
fn a_proxy_under_the_profile_does_all_that_it_does_otherwise() -> anyhow::Result<()> {
    let world = World::new("seccomp", Family::V4)?;
    let page = at_once(|_| text(StatusCode::OK, "ok\n"));
    let _plain = world.http(ELSEWHERE, 80, &page)?;
    let _echo = world.echo(&world.internet, &[BYTES.v4()], 7000, b"hello")?;
    let _origins =
        [CNN, GOOGLE].map(|site| world.https(site, world.authority.server(&[site.name])?, &page));
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("entries.yaml", &entries())?;
    let flags = [&egret::INJECTED[..], &["--redirect-dns"]].concat();
    stage::redirect(&world, &pod, &flags)?;
    protect_root(&pod)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--dns-capture"])
        .filtered(&filter(&world)?)
        .start(&world, &pod)?;
    let status = fs::read_to_string(format!("/proc/{}/status", sidecar.id()))?;
    for line in [
        "Seccomp:\t2",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "Uid:\t1337\t1337\t1337\t1337",
    ] {
        assert!(status.contains(line), "{line}:\n{status}");
    }
    calls_are_served(&pod, &sidecar)?;

    let later = ServiceEntry::new("later.example").port(80, "HTTP");
    config.write("later.yaml", &later.at([ELSEWHERE.v4()]).to_string())?;
    stage::until(|| Ok(Target::named("later.example").call(&pod, 1).of(200) == 1))?;
    for path in [
        "/",
        "/config_dump",
        "/clusters",
        "/stats",
        "/memory",
        "/server_info",
    ] {
        assert_eq!(sidecar.page(path)?.status, 200, "{path}");
    }
    let served = |metrics: &egret_tests::exposition::Exposition| {
        metrics.sum("istio_requests_total", &[("response_code", "200")]) > 2.0
    };
    sidecar.await_metrics(STATS, served)?;
    sidecar.signal(Signal::SIGUSR1)?;
    sidecar.signal(Signal::SIGHUP)?;
    calls_are_served(&pod, &sidecar)?;
    assert_eq!(sidecar.terminate()?, 0);
    Ok(())
}

/// HTTP, TLS from the proxy, TLS that passes through, bytes, and names.
fn calls_are_served(pod: &Host, sidecar: &Proxy<'_>) -> anyhow::Result<()> {
    for url in [
        "http://elsewhere.example/",
        "http://edition.cnn.com/",
        "https://www.google.com/",
    ] {
        let answer = curl(pod, &[url])?;
        assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.everything());
    }
    let greeting = pod.run(|| -> std::io::Result<_> {
        let mut stream = TcpStream::connect((BYTES.v4(), 7000))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut both = [0; 8];
        stream.read_exact(&mut both[..5])?;
        stream.write_all(b"you")?;
        stream.read_exact(&mut both[5..])?;
        Ok(both)
    })?;
    assert_eq!(&greeting, b"helloyou");
    Ok(())
}

/// The number of the error with which the kernel answers a system call, as root.
fn answer(pod: &Host, filter: &Path, call: &str) -> anyhow::Result<String> {
    let number = seccomp::number(call)?.to_string();
    let (loader, arguments) = seccomp::under(filter, &["--errno".to_owned(), number]);
    let finished = Process::run(pod, pod.command(0, loader, &arguments))?;
    anyhow::ensure!(finished.code == 0, "{call}: {finished:?}");
    Ok(finished.output.trim().to_owned())
}

#[test]
fn what_the_profile_does_not_list_is_refused() -> anyhow::Result<()> {
    let world = World::new("seccomp-refused", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let (filter, none) = (filter(&world)?, world.folder().join("none"));
    fs::write(&none, "")?;
    for call in FORBIDDEN {
        assert_ne!(
            answer(&pod, &none, call)?,
            EPERM,
            "{call} without a profile"
        );
        assert_eq!(answer(&pod, &filter, call)?, EPERM, "{call}");
    }
    let allowed = answer(&pod, &filter, "getpid")?;
    assert_eq!(allowed, "0", "what is listed is not refused");
    Ok(())
}
