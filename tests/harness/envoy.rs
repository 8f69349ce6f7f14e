//! A real Envoy in a pod, to compare with.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::Context;

use crate::DEADLINE;
use crate::netns::Host;
use crate::process::Process;
use crate::topology::{ENVOY_BIN, World};

/// The user that Envoy runs as, which the redirect rules leave alone.
const UID: u32 = 1337;

/// Envoy's admin address inside its pod; the bootstrap must say the same.
const ADMIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 15000);

/// How long to wait before asking again, if it says nothing meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whether there is an Envoy to compare with. Says why the comparison is skipped when there is none.
///
/// # Errors
/// When there is none where there must be one: in CI, or where [`ENVOY_BIN`] names no file.
pub fn is_there() -> anyhow::Result<bool> {
    match std::env::var_os(ENVOY_BIN) {
        Some(path) => {
            anyhow::ensure!(
                fs::metadata(&path).is_ok_and(|file| file.is_file()),
                "{ENVOY_BIN} names {}, which is no file",
                path.display()
            );
            Ok(true)
        }
        None => {
            anyhow::ensure!(
                std::env::var_os("CI").is_none(),
                "{ENVOY_BIN} must name an Envoy in CI; `scripts/test` installs one"
            );
            Ok(false)
        }
    }
}

/// Starts Envoy in `pod` with a bootstrap and waits until it is ready.
///
/// # Errors
/// When it ends, or is not ready in time; carries what it said.
pub fn start(world: &World, pod: &Host, bootstrap: &str) -> anyhow::Result<Process> {
    let file = world.folder().join(format!("{}.envoy.yaml", pod.name()));
    fs::write(&file, bootstrap)?;
    let file = file.display().to_string();
    let arguments = [
        "-c",
        &file,
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "-l",
        "error",
        // The access log at once.
        "--file-flush-interval-msec",
        "1",
    ];
    let program = world.folder().join("bin/envoy");
    let log_file = world.logs().join(format!("{}.envoy.log", pod.name()));
    let command = pod.command(UID, &program, &arguments);
    let mut process = Process::start(pod, command, Some(&log_file)).context("Envoy")?;
    let end = Instant::now() + DEADLINE;
    loop {
        let known = process.errors.len();
        if is_ready(pod) {
            return Ok(process);
        }
        let ended = process.has_ended()?;
        anyhow::ensure!(
            !ended && Instant::now() < end,
            "Envoy in {} {}:\n{}",
            pod.name(),
            if ended { "ended" } else { "is not ready" },
            process.everything()
        );
        process.errors.await_growth(known, LOOK_AGAIN);
    }
}

/// Asks in HTTP/1.1: Envoy's admin port refuses older versions.
fn is_ready(pod: &Host) -> bool {
    let answered = pod.run(|| -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&ADMIN, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /ready HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    answered.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
