//! Which files are the configuration, and why one cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Where the configuration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Files and folders with objects (`--config`).
    pub paths: Vec<PathBuf>,
    /// A file with MeshConfig, which beats one found under `paths` (`--mesh-config`).
    pub mesh_config: Option<PathBuf>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Objects.
    Objects,
    /// The MeshConfig that beats all others.
    MeshConfig,
}

/// A file or folder that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {path:?} (--{}): {}", flag(.role), advice(.source))]
pub struct ReadError {
    pub(super) path: PathBuf,
    pub(super) role: Role,
    pub(super) source: io::Error,
}

fn flag(role: &Role) -> &'static str {
    match role {
        Role::Objects => "config",
        Role::MeshConfig => "mesh-config",
    }
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no such file or folder; correct the path or create it".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "permission denied; make it readable for uid {}",
                nix::unistd::Uid::effective()
            )
        }
        _ => error.to_string(),
    }
}
