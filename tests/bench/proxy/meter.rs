//! What a process used: processor time and memory.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use nix::time::ClockId;
use nix::unistd::Pid;

/// The processor time that all threads of a process have used since its start.
pub(super) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let process = Pid::from_raw(i32::try_from(process)?);
    let clock = ClockId::pid_cpu_clock_id(process)?;
    Ok(Duration::from(clock.now()?))
}

/// The anonymous memory of a process, in KiB: what it allocated, without its program and without kernel buffers.
pub(super) fn memory_kib(process: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .context("the kernel states RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
