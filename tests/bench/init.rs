//! How long `egret-init` takes as a process, from start to end, beside the tools that load the same rules.
//!
//! Each run has a network namespace of its own, which nobody has touched. What is measured is a program that starts,
//! works and ends; the namespace is made before and dropped after.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use egret_tests::netns::Host;

/// Runs of which the median counts.
const RUNS: usize = 50;

/// What the injector passes without annotations.
const INJECTED: [&str; 8] = [
    "-u",
    "1337",
    "-i",
    "*",
    "-b",
    "*",
    "-d",
    "15090,15021,15020",
];

/// What a run with the injector's flags may take.
const GOAL: Duration = Duration::from_millis(5);
/// How many times faster than iptables-nft-restore it is to be.
const GOAL_TIMES: f64 = 5.0;
/// What a run with [`RANGES`] excluded ranges may take.
const GOAL_RANGES: Duration = Duration::from_millis(100);
const RANGES: u32 = 10_000;

/// Measures and prints a table; the exit code tells whether all goals are met.
pub(crate) fn measure(program: &Path) -> anyhow::Result<ExitCode> {
    let program = fs::canonicalize(program).context("the program to measure")?;
    let folder = tempfile::tempdir()?;
    let write = |output: &str| -> anyhow::Result<_> {
        let path = folder.path().join(output);
        let text = dry_run(&program, output)?;
        fs::write(&path, text)?;
        Ok(path)
    };
    let (nft, iptables) = (write("nft")?, write("iptables")?);
    let program = program.display().to_string();
    let ranges: Vec<String> = (0..RANGES)
        .map(|place| format!("1.{}.{}.0/25", place / 100, place % 100))
        .collect();
    let ranges = ranges.join(",");
    let nothing = Path::new("/dev/null");
    let run = |words: &[&str], input: &Path, runs| median(words, input, runs);
    let own = [&[program.as_str()], &INJECTED[..]].concat();
    let start = run(&[&program, "version"], nothing, RUNS)?;
    let ours = run(&own, nothing, RUNS)?;
    let mine = run(&[&own[..], &["-x", &ranges]].concat(), nothing, 10)?;
    let by_nft = run(&["nft", "-f", &nft.display().to_string()], nothing, RUNS)?;
    let by_flushing = run(&["iptables-nft-restore"], &iptables, RUNS)?;
    let by_restore = run(&["iptables-nft-restore", "--noflush"], &iptables, RUNS)?;
    let by_legacy = run(&["iptables-legacy-restore", "--noflush"], &iptables, RUNS)?;
    let mut out = std::io::stdout().lock();
    for (name, time) in [
        ("egret-init, the injector's flags", ours),
        ("nft -f", by_nft),
        (
            "iptables-nft-restore, which empties its tables first",
            by_flushing,
        ),
        ("iptables-nft-restore --noflush", by_restore),
        ("iptables-legacy-restore --noflush", by_legacy),
        ("egret-init, 10,000 excluded ranges more", mine),
        ("egret-init version: only start and end", start),
    ] {
        writeln!(out, "{:>9.2} ms  {name}", milliseconds(time))?;
    }
    let times = by_restore.as_secs_f64() / ours.as_secs_f64();
    let goals = [
        (
            ours <= GOAL,
            format!("at most {} ms with the injector's flags", GOAL.as_millis()),
        ),
        (
            times >= GOAL_TIMES,
            format!("at least {GOAL_TIMES} times as fast as iptables-nft-restore: {times:.1}"),
        ),
        (
            mine <= GOAL_RANGES,
            format!(
                "at most {} ms with {RANGES} excluded ranges",
                GOAL_RANGES.as_millis()
            ),
        ),
    ];
    for (is_met, goal) in &goals {
        writeln!(out, "{}: {goal}", if *is_met { "met" } else { "MISSED" })?;
    }
    let all = goals.iter().all(|(is_met, _)| *is_met);
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A pod's network: loopback, and an interface with an address.
fn pod() -> anyhow::Result<Host> {
    let host = Host::new("pod", Vec::new(), Vec::new())?;
    host.ip(
        "link add eth0 type veth peer name peer\naddr add 10.1.0.5/24 dev eth0\nlink set eth0 up\n",
    )?;
    Ok(host)
}

fn dry_run(program: &Path, output: &str) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new(program);
    command
        .args(INJECTED)
        .args(["--dry-run", "--output", output]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = pod()?.spawn(command)?.wait_with_output()?;
    ensure!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(done.stdout)
}

fn median(words: &[&str], input: &Path, runs: usize) -> anyhow::Result<Duration> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let host = pod()?;
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(File::open(input)?);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let (time, output) = host.run(move || {
            let start = Instant::now();
            let output = command
                .spawn()
                .and_then(std::process::Child::wait_with_output);
            (start.elapsed(), output)
        });
        let output = output.with_context(|| format!("cannot run {}", words[0]))?;
        ensure!(
            output.status.success(),
            "{}: {}",
            words[0],
            String::from_utf8_lossy(&output.stderr)
        );
        times.push(time);
    }
    times.sort();
    Ok(times[runs / 2])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
