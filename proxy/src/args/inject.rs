//! What `egret-proxy inject` and `egret-proxy uninject` are given.

use std::path::PathBuf;

use egret_inject::settings::NativeSidecar;

use crate::commands::inject::{Direction, InjectOptions, Options};

/// What the user typed, no more.
#[derive(clap::Args)]
pub(super) struct Inject {
    #[command(flatten)]
    files: Files,
    /// A file with settings, under the names of Istio's values; docs/injection.md lists them.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A setting, over the file's: global.proxy.logLevel=debug; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// A file with MeshConfig.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// Whether the proxy is an init container that goes on running: true, false, or auto, which is true from
    /// --kubernetes-version 1.32 on [default: auto].
    #[arg(long, value_name = "true|false|auto", value_parser = native)]
    native_sidecar: Option<NativeSidecar>,
    /// The version of the cluster's API server.
    #[arg(long, value_name = "1.N", value_parser = minor)]
    kubernetes_version: Option<u32>,
}

/// What the user typed, no more.
#[derive(clap::Args)]
pub(super) struct Uninject {
    #[command(flatten)]
    files: Files,
}

#[derive(clap::Args)]
struct Files {
    /// A file, a folder (.yaml, .yml, .json), or - for standard input; may be repeated.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Where the result goes [default: standard output].
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Inject {
    pub(super) fn options(self) -> Options {
        Options {
            paths: self.files.paths,
            output: self.files.output,
            direction: Direction::Inject(Box::new(InjectOptions {
                settings: self.settings,
                assignments: self.assignments,
                mesh_config: self.mesh_config,
                native: self.native_sidecar,
                kubernetes_minor: self.kubernetes_version,
            })),
        }
    }
}

impl Uninject {
    pub(super) fn options(self) -> Options {
        Options {
            paths: self.files.paths,
            output: self.files.output,
            direction: Direction::Uninject,
        }
    }
}

fn native(text: &str) -> Result<NativeSidecar, String> {
    NativeSidecar::parse(text).ok_or_else(|| "expected true, false or auto".to_owned())
}

/// Reads `1.29`, also as `v1.29.3` or `1.29+`.
fn minor(text: &str) -> Result<u32, String> {
    let rest = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.");
    let minor = rest.and_then(|rest| rest.split(['.', '+', '-']).next());
    let minor = minor.and_then(|minor| minor.parse().ok());
    minor.ok_or_else(|| "expected a version such as 1.29".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("1.29", 29),
            ("v1.32.1", 32),
            ("1.20+", 20),
            ("v1.36.0-rc.1", 36),
        ] {
            assert_eq!(minor(text), Ok(expected), "{text}");
        }
        assert!(minor("29").is_err());
        assert!(minor("2.1").is_err());
    }
}
