//! egret-proxy as a sidecar beside Envoy with the same configuration, flow by flow.
//!
//! Both proxies run in a pod of their own, each with one worker, and take turns within each round, so that whatever else
//! the machine does meets both. The load and the origin have a processor of their own where there are two or more.

mod flows;
pub(crate) mod instructions;
mod load;
mod machine;
mod meter;
pub(crate) mod report;
mod results;
mod sidecar;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use crate::proxy::flows::FLOWS;
use crate::proxy::machine::Processors;
use crate::proxy::results::{Measurement, Results};
use crate::proxy::sidecar::{Contestant, Stage};

/// What to measure, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds of load for each measurement.
    #[arg(long, default_value_t = 5)]
    secs: u32,
    /// How often each flow is measured; medians count.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Flows to measure, separated by commas; all without it.
    #[arg(long, value_delimiter = ',')]
    flows: Vec<String>,
    /// Where the results go, as JSON.
    #[arg(long)]
    out: PathBuf,
}

/// Measures, prints each measurement, and saves them all.
pub(crate) fn measure(options: &Options) -> anyhow::Result<()> {
    let flows: Vec<_> = FLOWS
        .iter()
        .filter(|flow| {
            options.flows.is_empty() || options.flows.iter().any(|name| name == flow.name)
        })
        .collect();
    let known = |name: &String| FLOWS.iter().any(|flow| flow.name == name);
    if let Some(unknown) = options.flows.iter().find(|name| !known(name)) {
        let names: Vec<_> = FLOWS.iter().map(|flow| flow.name).collect();
        anyhow::bail!(
            "there is no flow {unknown:?}; the flows are {}",
            names.join(", ")
        );
    }
    let processors = Processors::share_out()?;
    let stage = Stage::build(&processors)?;
    let mut results = Results::new(options.secs, options.rounds)?;
    let mut out = std::io::stdout().lock();
    for round in 0..options.rounds {
        let mut proxies = Contestant::BOTH.map(|contestant| (contestant, None));
        for flow in &flows {
            for (contestant, running) in &mut proxies {
                let values = flow
                    .measure(&stage, *contestant, running, options.secs)
                    .with_context(|| format!("{} through {}", flow.name, contestant.name()))?;
                let words: Vec<_> = values
                    .iter()
                    .map(|(name, value)| format!("{name} {value:.2}"))
                    .collect();
                writeln!(
                    out,
                    "round {}  {:14} {:5}  {}",
                    round + 1,
                    flow.name,
                    contestant.name(),
                    words.join("  ")
                )?;
                results.measurements.push(Measurement {
                    flow: flow.name.to_owned(),
                    proxy: contestant.name().to_owned(),
                    values,
                });
            }
        }
    }
    let text = serde_json::to_string_pretty(&results)?;
    fs::write(&options.out, text + "\n")
        .with_context(|| format!("cannot write {}", options.out.display()))?;
    writeln!(out, "\n{}", report::table(&results))?;
    Ok(())
}
