//! Measures egret's programs. `scripts/bench` calls it.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "real time is what is measured, and the command line is read here"
)]

mod init;
mod proxy;

use std::path::PathBuf;

use clap::Parser;

/// Measures egret's programs beside others.
#[derive(Parser)]
#[command(name = "egret-bench", version)]
enum Command {
    /// egret-init as a process, beside nft and iptables loading the same rules.
    Init {
        /// The program to measure.
        program: PathBuf,
        /// A static program that does nothing.
        nothing: PathBuf,
    },
    /// egret-proxy as a sidecar, beside Envoy with the same configuration.
    Proxy(proxy::Options),
    /// Instructions of egret-proxy for a request, by valgrind: the same on a busy machine.
    Instructions(proxy::instructions::Options),
    /// Write the table and the chart of results that `proxy` has saved.
    Report {
        /// The file with results.
        results: PathBuf,
        /// A Markdown file; the table goes between its lines `<!-- bench: begin -->` and `<!-- bench: end -->`.
        #[arg(long)]
        table: PathBuf,
        /// Where the chart goes, as SVG.
        #[arg(long)]
        chart: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Init { program, nothing } => init::measure(&program, &nothing),
        Command::Proxy(options) => proxy::measure(&options),
        Command::Instructions(options) => proxy::instructions::count(&options),
        Command::Report {
            results,
            table,
            chart,
        } => proxy::report::write(&results, &table, &chart),
    }
}
