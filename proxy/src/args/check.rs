//! The flags of `egret-proxy check`.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::args::variables::{IGNORE_POLICIES, boolean};
use crate::commands::check::{Options, Output};
use crate::source::files;

/// The flags as they were typed.
#[derive(clap::Args)]
pub(super) struct Check {
    /// Files or folders with Istio and Kubernetes objects (.yaml, .yml, .json); may be repeated.
    #[arg(long = "config", value_name = "PATH", num_args = 1.., required_unless_present = "mesh_config")]
    config: Vec<PathBuf>,
    /// A file with MeshConfig; it replaces a MeshConfig under --config.
    #[arg(long, value_name = "FILE")]
    mesh_config: Option<PathBuf>,
    /// Report AuthorizationPolicies, which are not enforced, as warnings, not as errors
    /// [env: EGRET_IGNORE_AUTHORIZATION_POLICIES].
    #[arg(long)]
    ignore_authorization_policies: bool,
    /// Print the NetworkPolicy for a namespace instead of the problems: name servers, the cluster, and the addresses of
    /// external ServiceEntries, so that what goes round the sidecar gets no further than through it.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "output")]
    network_policy: Option<String>,
    /// Form of the problems.
    #[arg(long, value_enum, default_value_t = TypedOutput::Text)]
    output: TypedOutput,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum TypedOutput {
    Text,
    Json,
}

impl Check {
    pub(super) fn validate(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Options, String> {
        let set = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let ignored = set(IGNORE_POLICIES).map(|value| boolean(IGNORE_POLICIES, &value));
        Ok(Options {
            ignore_authorization_policies: self.ignore_authorization_policies
                || ignored.transpose()?.unwrap_or(false),
            source: files::Options {
                paths: self.config,
                mesh_config: self.mesh_config,
            },
            output: match (self.network_policy, self.output) {
                (Some(namespace), _) => Output::NetworkPolicy(namespace),
                (None, TypedOutput::Text) => Output::Text,
                (None, TypedOutput::Json) => Output::Json,
            },
        })
    }
}
