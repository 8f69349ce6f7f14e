//! Measures egret's programs. `scripts/bench` calls it.

use std::process::ExitCode;

mod init;

fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["init", program] => init::measure(program.as_ref()),
        _ => anyhow::bail!("usage: egret-bench init PROGRAM"),
    }
}
