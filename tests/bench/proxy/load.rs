//! The programs that make load, and what they print.

use std::fs;
use std::path::Path;

use anyhow::Context;
use egret_tests::netns::Host;
use egret_tests::process::{Finished, Process};

use crate::proxy::sidecar::Stage;

/// The user that calls; any but the proxies' own.
const CALLER: u32 = 1000;

/// Requests that were answered, and how long that took.
pub(super) struct Answered {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    pub(super) bytes: f64,
}

/// How much `wrk` loads.
pub(super) struct Load<'l> {
    pub(super) connections: u32,
    pub(super) secs: u32,
    /// Further words of its command line.
    pub(super) more: &'l [&'l str],
}

/// As many requests as 1 thread and some connections can make, by `wrk`.
pub(super) fn wrk(
    stage: &Stage<'_>,
    pod: &Host,
    url: &str,
    load: Load<'_>,
) -> anyhow::Result<Answered> {
    let Load { secs, more, .. } = load;
    let (connections, duration) = (load.connections.to_string(), format!("{secs}s"));
    let words = [
        &["-t1", "-c", &connections, "-d", &duration][..],
        more,
        &[url],
    ]
    .concat();
    let text = run(stage, pod, "wrk", &words)?.output;
    let errors = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    anyhow::ensure!(
        errors.is_none(),
        "wrk: {}",
        errors.unwrap_or_default().trim()
    );
    // `  12345 requests in 3.00s, 14.71MB read`
    let line = text
        .lines()
        .find(|line| line.contains(" requests in "))
        .with_context(|| format!("wrk printed no sum:\n{text}"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [requests, _, _, seconds, bytes, ..] = words[..] else {
        anyhow::bail!("wrk: {line}");
    };
    Ok(Answered {
        requests: requests.parse()?,
        seconds: seconds_of(seconds.trim_end_matches(','))?,
        bytes: bytes_of(bytes)?,
    })
}

/// As many requests as some HTTP/2 connections with some streams each can make, by `h2load`.
pub(super) fn h2load(
    stage: &Stage<'_>,
    pod: &Host,
    url: &str,
    secs: u32,
) -> anyhow::Result<Answered> {
    let duration = secs.to_string();
    let text = run(
        stage,
        pod,
        "h2load",
        &["-t1", "-c8", "-m16", "-D", &duration, url],
    )?
    .output;
    Ok(Answered {
        requests: succeeded(&text)?,
        seconds: f64::from(secs),
        bytes: 0.0,
    })
}

/// So many requests, by `h2load` with these flags.
pub(super) fn requests(
    stage: &Stage<'_>,
    pod: &Host,
    url: &str,
    count: u32,
    flags: &[&str],
) -> anyhow::Result<()> {
    let count = count.to_string();
    let words = [flags, &["-n", &count, url]].concat();
    succeeded(&run(stage, pod, "h2load", &words)?.output)?;
    Ok(())
}

/// Latencies, in microseconds, in ascending order.
pub(super) struct Latencies {
    pub(super) sorted: Vec<f64>,
}

impl Latencies {
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length"
        )]
        let at = (last as f64 * percent / 100.0).round() as usize;
        self.sorted.get(at).copied().unwrap_or_default()
    }
}

/// A steady rate of HTTP/1.1 requests over some connections, whatever the answers take, by `h2load`.
pub(super) fn steady(
    stage: &Stage<'_>,
    pod: &Host,
    url: &str,
    [connections, each]: [u32; 2],
    secs: u32,
) -> anyhow::Result<Latencies> {
    let log = stage.world.folder().join("latencies");
    fs::write(&log, "")?;
    stage.let_write(&log)?;
    let (connections, each, duration) =
        (connections.to_string(), each.to_string(), secs.to_string());
    let log_flag = format!("--log-file={}", log.display());
    let words = [
        "--h1",
        "-t1",
        "-c",
        &connections,
        "--rps",
        &each,
        "-D",
        &duration,
        &log_flag,
        url,
    ];
    succeeded(&run(stage, pod, "h2load", &words)?.output)?;
    let mut sorted = Vec::new();
    for line in fs::read_to_string(&log)?.lines() {
        let took = line
            .split('\t')
            .nth(2)
            .context("h2load's log has three columns")?;
        sorted.push(took.parse()?);
    }
    sorted.sort_by(f64::total_cmp);
    Ok(Latencies { sorted })
}

/// Bytes from the client to the origin over some streams, by `iperf3`. Gives bytes and seconds.
pub(super) fn iperf(
    stage: &Stage<'_>,
    pod: &Host,
    host: &str,
    streams: u32,
    secs: u32,
) -> anyhow::Result<(f64, f64)> {
    let (streams, duration) = (streams.to_string(), secs.to_string());
    let text = run(
        stage,
        pod,
        "iperf3",
        &["-J", "-c", host, "-P", &streams, "-t", &duration],
    )?
    .output;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let sum = &json["end"]["sum_received"];
    let number = |name: &str| {
        sum[name]
            .as_f64()
            .with_context(|| format!("iperf3: {name} in {sum}"))
    };
    Ok((number("bytes")?, number("seconds")?))
}

fn run(stage: &Stage<'_>, pod: &Host, program: &str, words: &[&str]) -> anyhow::Result<Finished> {
    let processor = stage.processors.load.to_string();
    let words = [&["-c", &processor, program][..], words].concat();
    let done = Process::run(pod, pod.command(CALLER, Path::new("taskset"), &words))
        .with_context(|| format!("{program} is needed"))?;
    anyhow::ensure!(
        done.code == 0,
        "{program} ended with {}:\n{}{}",
        done.code,
        done.errors,
        done.output
    );
    Ok(done)
}

/// `requests: 5 total, 5 started, 5 done, 5 succeeded, 0 failed, 0 errored, 0 timeout`
fn succeeded(text: &str) -> anyhow::Result<f64> {
    let line = text
        .lines()
        .find(|line| line.starts_with("requests: "))
        .with_context(|| format!("h2load printed no sum:\n{text}"))?;
    let count = |word: &str| -> anyhow::Result<f64> {
        let part = line.split(", ").find_map(|part| part.strip_suffix(word));
        let part = part.with_context(|| format!("h2load: {line}"))?;
        Ok(part.trim().parse()?)
    };
    anyhow::ensure!(count(" failed")? == 0.0, "h2load: {line}");
    count(" succeeded")
}

/// `3.00s` or `1.20m`.
fn seconds_of(text: &str) -> anyhow::Result<f64> {
    match text.strip_suffix('m') {
        Some(minutes) => Ok(minutes.parse::<f64>()? * 60.0),
        None => Ok(text.trim_end_matches('s').parse()?),
    }
}

/// `14.71MB`, in units of 1,024.
fn bytes_of(text: &str) -> anyhow::Result<f64> {
    let number = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[number.len()..] {
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    Ok(number.parse::<f64>()? * factor)
}
