//! From the command line to the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::accounts::Accounts;
use crate::addresses;
use crate::apply;
use crate::args::{Flags, Request};
use crate::intent::{Intent, Surroundings};
use crate::plan::plan;
use crate::render::nftables::render;

/// Does what the process's command line asks for. The exit code is 0 when all went well, 1 for bad values and when the
/// kernel refuses, 2 for wrong usage.
pub fn run() -> ExitCode {
    let result = match Request::from_process() {
        Ok(Request::Version) => print(&format!("egret-init {}", env!("CARGO_PKG_VERSION"))),
        Ok(Request::Cleanup { dry_run }) => clean_up(dry_run),
        Ok(Request::Apply(flags)) => apply(&flags),
        Err(usage) => {
            // clap writes help to stdout and errors to stderr; when even that fails there is nobody to tell.
            let _ = usage.print();
            return if usage.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => {
            for line in lines {
                warn(&line);
            }
            ExitCode::FAILURE
        }
    }
}

/// The lines that tell a user what went wrong.
type Lines = Vec<String>;

fn apply(flags: &Flags) -> Result<(), Lines> {
    let addresses =
        addresses::of_machine().map_err(|errno| vec![format!("cannot list addresses: {errno}")])?;
    let surroundings = Surroundings {
        accounts: Accounts::of_machine(),
        addresses,
    };
    let intent = Intent::new(flags, &surroundings)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Lines>())?;
    for warning in intent.warnings() {
        warn(&format!("warning: {warning}"));
    }
    let rules = plan(&intent);
    if flags.dry_run {
        return print(render(&rules).trim_end());
    }
    if flags.skip_rule_apply {
        say("egret-init: nothing applied, as asked (--skip-rule-apply)");
        return Ok(());
    }
    apply::apply(&intent, &rules).map_err(|refusal| vec![refusal.to_string()])?;
    say(&format!(
        "{intent}\negret-init: {} rules applied",
        rules.rule_count()
    ));
    Ok(())
}

fn clean_up(dry_run: bool) -> Result<(), Lines> {
    if dry_run {
        return print("table inet egret\ndelete table inet egret");
    }
    apply::clean_up().map_err(|refusal| vec![refusal.to_string()])?;
    say("egret-init: all rules removed");
    Ok(())
}

/// Writes what was asked for.
fn print(text: &str) -> Result<(), Lines> {
    writeln!(io::stdout(), "{text}")
        .map_err(|error| vec![format!("cannot write to stdout: {error}")])
}

/// Tells what was done. A closed output must not make it look undone.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn warn(line: &str) {
    let _ = writeln!(io::stderr(), "egret-init: {line}");
}
