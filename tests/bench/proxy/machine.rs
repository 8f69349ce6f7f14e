//! Which processors do what, and what machine this is.

use std::fs;

use anyhow::Context;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// The processors of the load, of the origin and of the proxy.
pub(super) struct Processors {
    pub(super) load: usize,
    pub(super) origin: usize,
    pub(super) proxy: Vec<usize>,
}

impl Processors {
    /// With four or more processors, load and origin have one each and the proxy has the others; with two or three, load
    /// and origin share the first one.
    pub(super) fn share_out() -> anyhow::Result<Self> {
        let count = std::thread::available_parallelism()?.get();
        anyhow::ensure!(
            count >= 2,
            "a second processor is needed: the proxy and the load have one each"
        );
        let origin = usize::from(count >= 4);
        Ok(Self {
            load: 0,
            origin,
            proxy: (origin + 1..count).collect(),
        })
    }
}

/// Keeps all threads of a process on these processors.
pub(super) fn pin(process: u32, processors: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for &processor in processors {
        set.set(processor)?;
    }
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let name = thread?.file_name();
        let id: i32 = name.to_str().context("a thread has a number")?.parse()?;
        sched_setaffinity(Pid::from_raw(id), &set)?;
    }
    Ok(())
}

/// How many files a process that is started here may have open.
pub(super) fn open_files() -> anyhow::Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|line| line.split_whitespace().next())
        .context("the kernel states the limit of open files")?;
    match limit {
        "unlimited" => Ok(usize::MAX),
        number => Ok(number.parse()?),
    }
}

/// The processor's model, the number of processors, and the kernel.
pub(super) fn description() -> anyhow::Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    let count = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    Ok(format!("{model}, {count} cores, Linux {kernel}"))
}
