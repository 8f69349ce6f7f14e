//! The demo: two stories of egress control, step by step, in a small world of network namespaces. Each step shows
//! what changed, the command, the answer, whom the origin saw, and the access-log line. It ends with 0 only if
//! every step was as expected.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests wait for real programs, and the runner gives its settings in the environment"
)]

mod stage;
mod story;
mod tell;

use std::process::ExitCode;

use clap::Parser;

use crate::stage::Stage;
use crate::tell::Teller;

/// Walks through egress control with egret in a small world that vanishes afterwards.
#[derive(Parser)]
#[command(name = "egret-demo", version)]
struct Arguments {
    /// Leave the world up after the last step and say how to look around in it, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let teller = Teller::new();
    match play(&arguments, &teller) {
        Ok(0) => {
            teller.line("every step was as expected");
            ExitCode::SUCCESS
        }
        Ok(failed) => {
            teller.line(&format!("{failed} steps were not as expected"));
            ExitCode::FAILURE
        }
        Err(error) => {
            teller.line(&format!("the demo stopped: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays all stories; gives the number of steps that were not as expected.
fn play(arguments: &Arguments, teller: &Teller) -> anyhow::Result<usize> {
    teller.title("The small world");
    let set = stage::Set::build()?;
    let stage = Stage::start(&set, teller)?;
    teller.world(&stage)?;
    let mut failed = story::open_to_governed(&stage)?;
    failed += story::tls_from_the_gateway(&stage)?;
    if arguments.keep {
        story::leave_something_to_play_with(&stage)?;
        teller.cheat_sheet(&stage);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(tokio::signal::ctrl_c())?;
    }
    teller.title("Removed: namespaces, processes, files");
    Ok(failed)
}
