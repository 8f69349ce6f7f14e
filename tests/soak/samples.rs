//! What the proxies use, second by second, and whether it stays flat.

use std::fs;

use anyhow::Context;

/// What a process uses at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// Proportional memory (PSS), in KiB.
    pub(crate) memory: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Use {
    /// Reads it from the kernel.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let number = |file: &str, key: &str| -> anyhow::Result<u64> {
            let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let line = line.with_context(|| format!("{key} in {file}"))?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        Ok(Self {
            memory: number("smaps_rollup", "Pss:")?,
            descriptors: descriptors as u64,
            threads: number("status", "Threads:")?,
        })
    }
}

/// One second.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Seconds since the start.
    pub(crate) at: f64,
    /// The sidecar and the gateway.
    pub(crate) used: [Use; 2],
    /// The 99th percentile of each flow's latency in this second, in microseconds; `None` without a call.
    pub(crate) latency: Vec<Option<u32>>,
}

/// One quantity of one process: its medians in the first and the last third after the warm-up.
#[derive(Clone, Debug)]
pub(crate) struct Trend {
    pub(crate) what: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) is_flat: bool,
}

/// What may be added to the first median: a share of it in percent, and a constant.
type Allowance = (u64, u64);

/// Something that must stay flat: its name, where a sample has it, and what it may grow by.
type Quantity = (&'static str, fn(&Use) -> u64, Allowance);

const MEMORY: Allowance = (10, 4 << 10);
const DESCRIPTORS: Allowance = (10, 8);
const THREADS: Allowance = (0, 1);

/// The trends of both processes.
pub(crate) fn trends(samples: &[Sample], warm_up: f64) -> Vec<Trend> {
    let warm: Vec<_> = samples.iter().filter(|one| one.at >= warm_up).collect();
    let third = (warm.len() / 3).max(1).min(warm.len());
    let quantities: [Quantity; 3] = [
        ("memory, KiB", |used| used.memory, MEMORY),
        ("descriptors", |used| used.descriptors, DESCRIPTORS),
        ("threads", |used| used.threads, THREADS),
    ];
    let mut trends = Vec::new();
    for (process, name) in ["sidecar", "gateway"].into_iter().enumerate() {
        for (what, read, (percent, constant)) in quantities {
            let values: Vec<_> = warm.iter().map(|one| read(&one.used[process])).collect();
            let first = median(&values[..third]);
            let last = median(&values[values.len() - third..]);
            trends.push(Trend {
                what: format!("{name} {what}"),
                first,
                last,
                is_flat: last <= first + first * percent / 100 + constant,
            });
        }
    }
    trends
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// A quantile of sorted values.
pub(crate) fn quantile(sorted: &[u32], share: f64) -> Option<u32> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}
