//! `--mode`.

use clap::ValueEnum;
use egret_config::snapshot::workload::Mode;

#[derive(Clone, Copy, ValueEnum)]
pub(in crate::args) enum TypedMode {
    Sidecar,
    Gateway,
}

impl From<TypedMode> for Mode {
    fn from(typed: TypedMode) -> Self {
        match typed {
            TypedMode::Sidecar => Self::Sidecar,
            TypedMode::Gateway => Self::Gateway,
        }
    }
}
