//! The program `egret-init`; see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    egret_init::run::run()
}
