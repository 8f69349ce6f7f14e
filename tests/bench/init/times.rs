//! Programs run in fresh pods, and how long they take.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use egret_tests::netns::Host;

use crate::init::milliseconds;

/// Which addresses a pod has.
#[derive(Clone, Copy)]
pub(super) enum Pod {
    Ipv4,
    Dual,
}

impl Pod {
    /// A pod's network: loopback, and an interface with addresses.
    pub(super) fn make(self) -> anyhow::Result<Host> {
        let host = Host::new("pod", Vec::new(), Vec::new())?;
        host.ip(
            "link add eth0 type veth peer name peer\naddr add 10.1.0.5/24 dev eth0\nlink set eth0 up\n",
        )?;
        if let Self::Dual = self {
            host.ip("addr add fd00:1::5/64 dev eth0 nodad\n")?;
        }
        Ok(host)
    }
}

/// Programs that run one after the other.
#[derive(Clone)]
pub(super) struct Job(Vec<(Vec<String>, PathBuf)>);

impl Job {
    /// One program with its arguments, which reads nothing.
    pub(super) fn new(words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self(vec![(words, PathBuf::from("/dev/null"))])
    }

    /// Lets the last program read a file.
    pub(super) fn input(mut self, file: &Path) -> Self {
        if let Some((_, input)) = self.0.last_mut() {
            *input = file.to_owned();
        }
        self
    }

    /// Runs another job behind this one.
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Runs all programs in a pod. Gives the time from each start to each end, and what the last one printed, if it
    /// `is_heard`.
    ///
    /// What they print goes to files, since waiting for the end of a pipe would add to the time of each.
    fn run(&self, pod: &Host, is_heard: bool) -> anyhow::Result<(Duration, Vec<u8>)> {
        let mut took = Duration::ZERO;
        let mut printed = Vec::new();
        for (words, input) in &self.0 {
            let (mut heard, mut errors) = (tempfile::tempfile()?, tempfile::tempfile()?);
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).stdin(File::open(input)?);
            let stdout = if is_heard {
                Stdio::from(heard.try_clone()?)
            } else {
                Stdio::null()
            };
            command.stdout(stdout).stderr(errors.try_clone()?);
            let (time, status) = pod.run(move || {
                let start = Instant::now();
                let status = command.spawn().and_then(|mut child| child.wait());
                (start.elapsed(), status)
            });
            let status = status.with_context(|| format!("cannot run {}", words[0]))?;
            if !status.success() {
                bail!(
                    "{}: {}",
                    words[0],
                    String::from_utf8_lossy(&read(&mut errors)?)
                );
            }
            took += time;
            printed = read(&mut heard)?;
        }
        Ok((took, printed))
    }
}

/// All that was written to a file.
fn read(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a job prints in a fresh pod.
pub(super) fn output(pod: Pod, job: &Job) -> anyhow::Result<Vec<u8>> {
    Ok(job.run(&pod.make()?, true)?.1)
}

/// The times of a number of runs, in ascending order.
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub(super) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    /// One row of a table: median and minimum. The minimum is what a machine without other work would show.
    pub(super) fn print(&self, name: &str) -> anyhow::Result<()> {
        let (median, least) = (milliseconds(self.median()), milliseconds(self.0[0]));
        writeln!(
            std::io::stdout().lock(),
            "  {median:>7.2} {least:>7.2}  {name}"
        )?;
        Ok(())
    }
}

/// Runs each job a number of times, in turns, each run in a pod of its own in which `before` has run, and prints a table.
pub(super) fn measure_in_turns<const N: usize>(
    title: &str,
    pod: Pod,
    before: Option<&Job>,
    jobs: &[(&str, Job); N],
    runs: usize,
) -> anyhow::Result<[Times; N]> {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..runs {
        for ((_, job), times) in jobs.iter().zip(&mut times) {
            let host = pod.make()?;
            if let Some(before) = before {
                before.run(&host, false)?;
            }
            times.push(job.run(&host, false)?.0);
        }
    }
    writeln!(
        std::io::stdout().lock(),
        "\n{title}\n   median     min  milliseconds, {runs} runs"
    )?;
    let times = times.map(Times::new);
    for ((name, _), times) in jobs.iter().zip(&times) {
        times.print(name)?;
    }
    Ok(times)
}
