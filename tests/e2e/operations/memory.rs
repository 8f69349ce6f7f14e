//! Memory is bounded, and what is no longer needed is given back to the kernel.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::resident;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

/// Enough that their memory is most of the process's.
const MANY: usize = 20_000;

/// An answer that no socket buffer holds whole.
const LARGE: usize = 8 << 20;

const URL: &str = "http://elsewhere.example/large";

/// Clients that do not read.
const STALLED: usize = 400;

/// What they may hold together, in KiB: 32 MiB shared by two workers, and 128 KiB each.
const STALLED_KIB: u64 = (32 << 10) + 128 * STALLED as u64;

fn entries(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = writeln!(
            text,
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e{number}}}\n\
             spec: {{hosts: [h{number}.example.com], ports: [{{number: 80, name: http, protocol: HTTP}}], \
             resolution: DNS}}"
        );
    }
    text
}

#[test]
fn memory_of_a_large_configuration_comes_back() -> anyhow::Result<()> {
    let world = World::new("memory-back", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("entries.yaml", &entries(1))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let small = resident(sidecar.id())?;
    config.write("entries.yaml", &entries(MANY))?;
    sidecar.await_log(&["configuration in force", "version=2"])?;
    let large = resident(sidecar.id())?;
    assert!(
        large > 2 * small,
        "{large} KiB with many, {small} KiB before"
    );
    config.write("entries.yaml", &entries(1))?;
    stage::until(|| Ok(resident(sidecar.id())?.saturating_sub(small) < (large - small) / 3))
}

/// Clients that ask for a large answer and read its beginning only.
#[test]
fn clients_that_do_not_read_hold_little() -> anyhow::Result<()> {
    let world = World::new("memory-stalled", Family::V4)?;
    let body = "x".repeat(LARGE);
    let _origin = world.http(
        ELSEWHERE,
        80,
        &at_once(move |_| text(StatusCode::OK, &body)),
    )?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &[URL])?.body.trim_end().len(), LARGE);
    let before = resident(sidecar.id())?;
    let stalled = pod.run(|| {
        let mut stalled = Vec::new();
        for _ in 0..STALLED {
            let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
            stream.write_all(b"GET /large HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n")?;
            stream.read_exact(&mut [0])?;
            stalled.push(stream);
        }
        anyhow::Ok(stalled)
    })?;
    for _ in 0..4 {
        assert_eq!(
            curl(&pod, &[URL])?.body.trim_end().len(),
            LARGE,
            "others are served"
        );
    }
    let grown = resident(sidecar.id())?.saturating_sub(before);
    assert!(grown < STALLED_KIB, "{grown} KiB for {STALLED} clients");
    drop(stalled);
    stage::until(|| Ok(resident(sidecar.id())?.saturating_sub(before) < grown / 2))
}
