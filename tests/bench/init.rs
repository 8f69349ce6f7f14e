//! How long `egret-init` takes as a process, from start to end, beside the tools that load the same rules.
//!
//! Each run has a network namespace of its own, which nobody has touched. What is measured is programs that start, work
//! and end, one after the other; the namespace is made before and dropped after. Programs that are compared take turns,
//! so that whatever else the machine does meets all of them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use self::kernel::transaction;
use self::times::{Job, Pod, Times, measure_in_turns, output};

mod kernel;
mod times;

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
/// Runs with that many ranges.
const RUNS_RANGES: usize = 10;

/// Measures and prints tables, and which goals are met. `nothing` is a static program that does nothing.
pub(crate) fn measure(program: &Path, nothing: &Path) -> anyhow::Result<()> {
    let tools = Tools::new(program, nothing)?;
    let fresh = fresh(&tools)?;
    let both = both_families(&tools)?;
    again(&tools)?;
    let ranges = parts(&tools, &fresh)?;
    let ours = fresh.ours.median();
    let times =
        |theirs: &Times, ours: &Times| theirs.median().as_secs_f64() / ours.median().as_secs_f64();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\ngoals:")?;
    let mut goal = |is_met: bool, words: String| {
        writeln!(
            out,
            "  {:7}  {words}",
            if is_met { "met" } else { "NOT MET" }
        )
    };
    goal(
        ours <= GOAL,
        format!("at most {} ms with the injector's flags", GOAL.as_millis()),
    )?;
    for (words, times) in [
        (
            "for one family, with the injector's flags",
            times(&fresh.restore, &fresh.ours),
        ),
        (
            "run for each family, as istio-iptables does, with the injector's flags",
            times(&fresh.restores, &fresh.ours),
        ),
        (
            "run for each family of a dual-stack pod",
            times(&both.restores, &both.ours),
        ),
    ] {
        goal(
            times >= GOAL_TIMES,
            format!(
                "at least {GOAL_TIMES} times as fast as iptables-nft-restore {words}: {times:.1}"
            ),
        )?;
    }
    goal(
        ranges.median() <= GOAL_RANGES,
        format!(
            "at most {} ms with {RANGES} excluded ranges",
            GOAL_RANGES.as_millis()
        ),
    )?;
    Ok(())
}

/// The programs, and the files they read.
struct Tools {
    program: String,
    nothing: String,
    folder: tempfile::TempDir,
}

impl Tools {
    fn new(program: &Path, nothing: &Path) -> anyhow::Result<Self> {
        let path = |path: &Path| -> anyhow::Result<String> {
            let path = fs::canonicalize(path)
                .with_context(|| format!("the program {}", path.display()))?;
            Ok(path.display().to_string())
        };
        Ok(Self {
            program: path(program)?,
            nothing: path(nothing)?,
            folder: tempfile::tempdir()?,
        })
    }

    /// A run of `egret-init` with the injector's flags and more.
    fn ours(&self, more: &[&str]) -> Job {
        Job::new(&[&[self.program.as_str()], &INJECTED[..], more].concat())
    }

    /// A file with what a dry run with these flags prints.
    fn dry_run(&self, pod: Pod, more: &[&str], output_as: &str) -> anyhow::Result<PathBuf> {
        let flags = [more, &["--dry-run", "--output", output_as]].concat();
        let text = output(pod, &self.ours(&flags))?;
        let file = tempfile::Builder::new()
            .disable_cleanup(true)
            .tempfile_in(self.folder.path())?;
        fs::write(file.path(), text)?;
        Ok(file.path().to_owned())
    }

    fn nft(&self, pod: Pod, more: &[&str]) -> anyhow::Result<Job> {
        let file = self.dry_run(pod, more, "nft")?;
        Ok(Job::new(&["nft", "-f", &file.display().to_string()]))
    }
}

/// What a first run in an IPv4 pod takes.
struct Fresh {
    ours: Times,
    restore: Times,
    restores: Times,
}

fn fresh(tools: &Tools) -> anyhow::Result<Fresh> {
    let text = tools.dry_run(Pod::Ipv4, &[], "iptables")?;
    let restore = Job::new(&["iptables-nft-restore", "--noflush"]).input(&text);
    let jobs = [
        ("egret-init", tools.ours(&[])),
        ("nft -f", tools.nft(Pod::Ipv4, &[])?),
        ("iptables-nft-restore, IPv4 alone", restore.clone()),
        (
            "iptables-nft-restore, then ip6tables-nft-restore of nothing",
            restore
                .clone()
                .then(Job::new(&["ip6tables-nft-restore", "--noflush"])),
        ),
        (
            "iptables-legacy-restore, IPv4 alone",
            Job::new(&["iptables-legacy-restore", "--noflush"]).input(&text),
        ),
        (
            "all that istio-iptables starts, without itself",
            istio_iptables(&restore),
        ),
    ];
    let title = "the injector's flags, in an IPv4 pod where nothing is yet";
    let [ours, _, restore, restores, ..] = measure_in_turns(title, Pod::Ipv4, None, &jobs, RUNS)?;
    Ok(Fresh {
        ours,
        restore,
        restores,
    })
}

/// The programs that istio-iptables runs before and while it applies rules where none are: for each family it looks for
/// legacy rules, tries out nf_tables with a rule that never matches, and compares; then it restores.
fn istio_iptables(restore: &Job) -> Job {
    let mut all: Option<Job> = None;
    let mut add = |job: Job| {
        all = Some(match all.take() {
            Some(before) => before.then(job),
            None => job,
        });
    };
    for family in ["iptables", "ip6tables"] {
        let nft = format!("{family}-nft");
        let save = format!("{nft}-save");
        add(Job::new(&[&format!("{family}-legacy-save")]));
        add(Job::new(&[&save]));
        for command in ["-A", "-D"] {
            add(Job::new(&[
                &nft, "-t", "nat", command, "INPUT", "-p", "255", "-j", "RETURN",
            ]));
        }
        add(Job::new(&[&save]));
    }
    add(restore.clone());
    add(Job::new(&["ip6tables-nft-restore", "--noflush"]));
    all.unwrap_or_else(|| restore.clone())
}

/// What a first run in a dual-stack pod takes.
struct BothFamilies {
    ours: Times,
    restores: Times,
}

fn both_families(tools: &Tools) -> anyhow::Result<BothFamilies> {
    let dual = ["--dual-stack"];
    let text = tools.dry_run(Pod::Dual, &dual, "iptables")?;
    let restore = |program: &str| Job::new(&[program, "--noflush"]).input(&text);
    let jobs = [
        ("egret-init --dual-stack", tools.ours(&dual)),
        ("nft -f", tools.nft(Pod::Dual, &dual)?),
        (
            "iptables-nft-restore, then ip6tables-nft-restore",
            restore("iptables-nft-restore").then(restore("ip6tables-nft-restore")),
        ),
        (
            "iptables-legacy-restore, then ip6tables-legacy-restore",
            restore("iptables-legacy-restore").then(restore("ip6tables-legacy-restore")),
        ),
    ];
    let title = "the same in a dual-stack pod, both families";
    let [ours, _, restores, _] = measure_in_turns(title, Pod::Dual, None, &jobs, RUNS)?;
    Ok(BothFamilies { ours, restores })
}

/// What another run takes where the rules are already.
fn again(tools: &Tools) -> anyhow::Result<()> {
    let text = tools.dry_run(Pod::Ipv4, &[], "iptables")?;
    let jobs = [
        (
            "egret-init, the same flags: looks and keeps them",
            tools.ours(&[]),
        ),
        (
            "egret-init --force-apply: replaces them all the same",
            tools.ours(&["--force-apply"]),
        ),
        (
            "egret-init, other flags: replaces them",
            tools.ours(&["-o", "22"]),
        ),
        ("egret-init verify", tools.ours(&["verify"])),
        ("egret-init cleanup", tools.ours(&["cleanup"])),
        ("nft -f", tools.nft(Pod::Ipv4, &[])?),
    ];
    measure_in_turns(
        "once more, where egret-init's rules are. Who deletes any waits, on ending, until no processor uses them",
        Pod::Ipv4,
        Some(&tools.ours(&[])),
        &jobs,
        RUNS,
    )?;
    let restore = Job::new(&["iptables-nft-restore"]).input(&text);
    let jobs = [(
        "iptables-nft-restore, which empties its tables first",
        restore.clone(),
    )];
    let title = "once more, where iptables-nft-restore's rules are";
    measure_in_turns(title, Pod::Ipv4, Some(&restore), &jobs, RUNS)?;
    Ok(())
}

/// What of a run cannot be saved, and what ten thousand ranges add. Gives the latter.
fn parts(tools: &Tools, fresh: &Fresh) -> anyhow::Result<Times> {
    let jobs = [
        (
            "a static program that does nothing",
            Job::new(&[&tools.nothing]),
        ),
        (
            "egret-init version: its start and its end",
            Job::new(&[&tools.program, "version"]),
        ),
    ];
    let title = "what a run is made of";
    let [start, _] = measure_in_turns(title, Pod::Ipv4, None, &jobs, RUNS)?;
    let kernel = transaction(&INJECTED, RUNS)?;
    kernel.print("the transaction alone, sent by a program that runs already")?;
    let mut out = std::io::stdout().lock();
    let floor = start.median() + kernel.median();
    writeln!(
        out,
        "  nothing is faster than the first and the last of these: {:.2} ms; iptables-nft-restore for one family takes \
         {:.1} times as long",
        milliseconds(floor),
        fresh.restore.median().as_secs_f64() / floor.as_secs_f64()
    )?;
    drop(out);
    let ranges: Vec<String> = (0..RANGES)
        .map(|place| format!("1.{}.{}.0/25", place / 100, place % 100))
        .collect();
    let jobs = [(
        "egret-init -x with 10,000 ranges",
        tools.ours(&["-x", &ranges.join(",")]),
    )];
    let [ranges] = measure_in_turns("many ranges", Pod::Ipv4, None, &jobs, RUNS_RANGES)?;
    Ok(ranges)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
