//! What `egret-proxy check` is told.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::check::Options;
use crate::check::Output;
use crate::source::files;

/// What the user typed, no more.
#[derive(clap::Args)]
pub(super) struct Check {
    /// Files or folders with Istio and Kubernetes objects (.yaml, .yml, .json); may be repeated.
    #[arg(long = "config", value_name = "PATH", num_args = 1.., required_unless_present = "mesh_config")]
    config: Vec<PathBuf>,
    /// A file with MeshConfig; it beats a MeshConfig found under --config.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// Form of the findings.
    #[arg(long, value_enum, default_value_t = TypedOutput::Text)]
    output: TypedOutput,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum TypedOutput {
    Text,
    Json,
}

impl Check {
    pub(super) fn validate(self) -> Options {
        Options {
            source: files::Options {
                paths: self.config,
                mesh_config: self.mesh_config,
            },
            output: match self.output {
                TypedOutput::Text => Output::Text,
                TypedOutput::Json => Output::Json,
            },
        }
    }
}
