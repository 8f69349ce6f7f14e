//! An access log whose disk is full, whose pipe nobody reads, or whose file is removed: calls do not wait for it, and each
//! call's line was either written or counted as dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use anyhow::Context;
use egret_tests::egret::{Proxy, STATS};
use egret_tests::exposition::Exposition;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::objects::{MeshConfig, ServiceEntry};
use egret_tests::origin::{Origin, at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use serde_json::Value;

use crate::helpers::calls::{Load, Target};
use crate::helpers::stage;

/// Calls that end between two steps.
const BETWEEN: u64 = 100;

/// Bytes that each call adds to its line, so that few calls fill the queue of lines.
const LONG: usize = 16 << 10;

/// A folder for logs that the proxy may write to, on a small disk of a pod.
fn small_disk(world: &World, pod: &Host) -> anyhow::Result<PathBuf> {
    let path = world.folder().join("logs");
    fs::create_dir(&path)?;
    mount(pod, &path, MsFlags::empty(), "size=256k,mode=777")?;
    Ok(path)
}

fn mount(pod: &Host, path: &Path, flags: MsFlags, options: &'static str) -> anyhow::Result<()> {
    let path = path.to_owned();
    pod.run(move || {
        let none = None::<&str>;
        nix::mount::mount(none, &path, Some("tmpfs"), flags, Some(options))
    })?;
    Ok(())
}

/// A world with an origin.
struct Stage {
    world: World,
    _origin: Origin,
}

impl Stage {
    fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name, Family::V4)?;
        let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "ok\n")))?;
        Ok(Self { world, _origin })
    }

    fn sidecar<'p>(&self, pod: &'p Host, file: &Path) -> anyhow::Result<(Proxy<'p>, Folder)> {
        let config = Folder::new()?;
        let mesh = MeshConfig::new()
            .set("outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
            .set(&format!("accessLogFile: {}", file.display()))
            .set("accessLogEncoding: JSON");
        config.write("mesh.yaml", &mesh.to_string())?;
        let entry = ServiceEntry::new(ELSEWHERE.name).port(80, "HTTP");
        config.write("entry.yaml", &entry.at([ELSEWHERE.v4()]).to_string())?;
        let sidecar = stage::sidecar(&self.world, pod, "default", &config)?;
        Ok((sidecar, config))
    }
}

/// Calls with long lines in the log.
fn long() -> Target {
    Target::elsewhere().with(&format!("user-agent: {}", "x".repeat(LONG)))
}

const WRITTEN: &str = "egret_access_log_lines_total";
const DROPPED: &str = "egret_access_log_dropped_lines_total";

fn number(metrics: &Exposition, name: &str) -> u64 {
    metrics.sum(name, &[]) as u64
}

/// Waits until lines are dropped.
fn await_drops(sidecar: &Proxy<'_>) -> anyhow::Result<()> {
    sidecar.await_metrics(STATS, |metrics| number(metrics, DROPPED) > 0)?;
    Ok(())
}

/// Waits until so many lines were written or dropped, which is all of them; gives those that were written.
fn await_all(sidecar: &Proxy<'_>, sent: u64) -> anyhow::Result<u64> {
    let all = |metrics: &Exposition| number(metrics, WRITTEN) + number(metrics, DROPPED);
    let metrics = sidecar.await_metrics(STATS, |metrics| all(metrics) >= sent)?;
    assert_eq!(all(&metrics), sent, "each call has one line");
    Ok(number(&metrics, WRITTEN))
}

/// How many lines of a log are whole, and how many are not.
fn lines(text: &str) -> (u64, u64) {
    let (whole, broken): (Vec<_>, Vec<_>) = text
        .lines()
        .filter(|line| !line.is_empty())
        .partition(|line| serde_json::from_str::<Value>(line).is_ok());
    (whole.len() as u64, broken.len() as u64)
}

/// The text of a file as a pod sees it.
fn read(pod: &Host, path: &Path) -> anyhow::Result<String> {
    let path = path.to_owned();
    Ok(pod.run(move || fs::read_to_string(path))?)
}

#[test]
fn a_full_disk_costs_lines_and_no_calls() -> anyhow::Result<()> {
    let stage = Stage::new("faults-log-full")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let disk = small_disk(&stage.world, &pod)?;
    let file = disk.join("access.log");
    let (sidecar, _config) = stage.sidecar(&pod, &file)?;
    let load = Load::start(&pod, &long());
    await_drops(&sidecar)?;
    sidecar.await_log(&["WARN", "access.log", "cannot be written to"])?;
    load.await_answers(200, BETWEEN)?;
    let full = read(&pod, &file)?;
    mount(&pod, &disk, MsFlags::MS_REMOUNT, "size=64m,mode=777")?;
    stage::until(|| Ok(lines(&read(&pod, &file)?).0 > lines(&full).0))?;
    load.await_answers(200, BETWEEN)?;
    let tally = load.finish();
    tally.assert_answered(&[200], "log disk full");
    let written = await_all(&sidecar, tally.sent)?;
    let (whole, broken) = lines(&read(&pod, &file)?);
    assert_eq!(whole, written, "what is counted is there");
    assert!(
        broken <= 1,
        "{broken} lines are broken: one at most where the disk was full"
    );
    Ok(())
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_calls() -> anyhow::Result<()> {
    let stage = Stage::new("faults-log-pipe")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let pipe = stage.world.folder().join("pipe");
    let reader = reader(&pipe)?;
    let (sidecar, _config) = stage.sidecar(&pod, &pipe)?;
    let load = Load::start(&pod, &long());
    await_drops(&sidecar)?;
    load.await_answers(200, BETWEEN)?;

    // The reader reads again: what waited comes, and what follows.
    let flags = nix::fcntl::FcntlArg::F_SETFL(OFlag::empty());
    nix::fcntl::fcntl(&reader, flags)?;
    let read = Ledger::default();
    let reading = collect(reader, read.clone());
    load.await_answers(200, BETWEEN)?;
    let tally = load.finish();
    tally.assert_answered(&[200], "log pipe blocked");
    let written = await_all(&sidecar, tally.sent)?;
    assert!(
        written > 0 && written < tally.sent,
        "{written} of {tally:?}"
    );
    sidecar.terminate()?;
    reading
        .join()
        .ok()
        .context("the reader ends with the pipe")?;
    let (whole, broken) = lines(&read.all().join("\n"));
    assert_eq!((whole, broken), (written, 0));
    Ok(())
}

/// Makes a pipe that the proxy may write to; its reader does not read yet.
fn reader(pipe: &Path) -> anyhow::Result<File> {
    nix::unistd::mkfifo(pipe, Mode::S_IRWXU)?;
    fs::set_permissions(pipe, fs::Permissions::from_mode(0o666))?;
    let mut options = File::options();
    let nonblocking = OFlag::O_NONBLOCK.bits();
    Ok(options.read(true).custom_flags(nonblocking).open(pipe)?)
}

fn collect(reader: File, into: Ledger<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let lines = BufReader::new(reader).lines();
        lines.map_while(Result::ok).for_each(|line| into.push(line));
    })
}

#[test]
fn a_pipe_whose_reader_left_costs_lines_and_no_calls() -> anyhow::Result<()> {
    let stage = Stage::new("faults-log-reader")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let pipe = stage.world.folder().join("pipe");
    let reader = reader(&pipe)?;
    let (sidecar, _config) = stage.sidecar(&pod, &pipe)?;
    let load = Load::start(&pod, &Target::elsewhere());
    load.await_answers(200, BETWEEN)?;
    drop(reader);
    await_drops(&sidecar)?;
    load.await_answers(200, BETWEEN)?;
    let tally = load.finish();
    tally.assert_answered(&[200], "log reader gone");
    await_all(&sidecar, tally.sent)?;
    sidecar.await_log(&["WARN", "pipe", "cannot be written to"])?;
    assert_eq!(sidecar.page("/ready")?.status, 200);
    Ok(())
}

#[test]
fn a_removed_file_is_made_again_on_demand() -> anyhow::Result<()> {
    let stage = Stage::new("faults-log-removed")?;
    let pod = stage.world.pod(SLEEP, "default")?;
    let folder = stage.world.folder().join("logs");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let file = folder.join("access.log");
    let (sidecar, _config) = stage.sidecar(&pod, &file)?;
    let load = Load::start(&pod, &Target::elsewhere());
    load.await_answers(200, BETWEEN)?;
    let before = File::open(&file)?;
    fs::remove_file(&file)?;
    load.await_answers(200, BETWEEN)?;
    sidecar.signal(Signal::SIGUSR1)?;
    stage::until(|| Ok(fs::read_to_string(&file).is_ok_and(|text| text.contains('\n'))))?;
    // Where no file can be made, the open one stays.
    let gone = folder.with_file_name("gone");
    fs::rename(&folder, &gone)?;
    sidecar.signal(Signal::SIGUSR1)?;
    sidecar.await_log(&["access.log", "cannot open"])?;
    load.await_answers(200, BETWEEN)?;
    let tally = load.finish();
    tally.assert_answered(&[200], "log file removed");
    assert_eq!(
        await_all(&sidecar, tally.sent)?,
        tally.sent,
        "no line is dropped"
    );
    sidecar.terminate()?;
    let after = fs::read_to_string(gone.join("access.log"))?;
    let before = std::io::read_to_string(before)?;
    let (whole, broken) = lines(&format!("{before}{after}"));
    assert_eq!((whole, broken), (tally.sent, 0));
    Ok(())
}
