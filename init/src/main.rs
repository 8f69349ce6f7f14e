//! The program `egret-init`; see the library of the same name.

use std::process::ExitCode;

/// Musl's own allocator is made for long runs, and allocates and frees the kernel's memory again and again.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    egret_init::run::run()
}
