//! How many instructions egret-proxy needs for a request, as valgrind counts them: the same number again on a machine that
//! is busy with other things, which times are not. The kernel's part is not in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use egret_tests::egret::PROXY_UID;
use egret_tests::process::Process;
use nix::sys::signal::Signal;

use crate::proxy::load;
use crate::proxy::machine::Processors;
use crate::proxy::sidecar::{Contestant, Stage, await_ready};

/// Requests of the two runs whose difference counts, so that start and end do not.
const REQUESTS: [u32; 2] = [1_000, 9_000];

/// The flows: their names, how `h2load` makes them, and where they go.
const FLOWS: [(&str, &[&str], &str); 2] = [
    (
        "HTTP/1.1, 32 connections",
        &["--h1", "-t1", "-c32"],
        "http://origin.example/",
    ),
    (
        "HTTP/2, 8 connections of 16 streams",
        &["-t1", "-c8", "-m16"],
        "http://origin.example:8080/",
    ),
];

/// Which programs are counted.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Programs egret-proxy; further ones are compared with the first.
    #[arg(required = true)]
    programs: Vec<PathBuf>,
}

/// Counts, and prints a table.
pub(crate) fn count(options: &Options) -> anyhow::Result<()> {
    let processors = Processors::share_out()?;
    let stage = Stage::build(&processors)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "| instructions per request | flow | to the first |")?;
    writeln!(out, "|---|---|---|")?;
    for (name, flags, url) in FLOWS {
        let mut first = None;
        for (index, program) in options.programs.iter().enumerate() {
            // Where the proxy's user can read it.
            let copy = stage.world.folder().join(format!("counted-{index}"));
            fs::copy(program, &copy).with_context(|| format!("{}", program.display()))?;
            let totals = REQUESTS.map(|requests| run(&stage, &copy, requests, flags, url));
            let [few, many] = totals;
            let per_request = (many? - few?) / f64::from(REQUESTS[1] - REQUESTS[0]);
            let ratio = per_request / *first.get_or_insert(per_request);
            let program = program.display();
            writeln!(out, "| {per_request:.0} | {name}, {program} | {ratio:.3} |")?;
        }
    }
    Ok(())
}

/// All instructions of a proxy from its start to its end, with so many requests between.
fn run(
    stage: &Stage<'_>,
    program: &Path,
    requests: u32,
    flags: &[&str],
    url: &str,
) -> anyhow::Result<f64> {
    let pod = stage.pod(Contestant::Egret);
    let counts = stage.world.folder().join("callgrind");
    fs::write(&counts, "")?;
    stage.let_write(&counts)?;
    let file = format!("--callgrind-out-file={}", counts.display());
    let (program, config) = (program.display().to_string(), stage.config());
    let words = [
        "--tool=callgrind",
        &file,
        &program,
        "run",
        "--config",
        &config,
        "--threads",
        "1",
        "--log-level",
        "error",
        "--drain-time",
        "0s",
    ];
    let command = pod.command(PROXY_UID, Path::new("valgrind"), &words);
    let mut process = Process::start(pod, command, None).context("valgrind is needed")?;
    let start = std::time::Instant::now();
    pod.run(move || await_ready(start))
        .with_context(|| process.everything())?;
    load::requests(stage, pod, url, requests, flags)?;
    process.signal(Signal::SIGTERM)?;
    process.wait()?;
    let text = fs::read_to_string(&counts)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = line.context("valgrind wrote no sum")?;
    Ok(total.trim().parse()?)
}
