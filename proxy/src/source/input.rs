//! What a source yields.

use std::sync::Arc;

use egret_config::load::Documents;

/// A whole configuration, as a source had it at one moment.
#[derive(Debug)]
pub struct Input {
    /// Its documents, and what is wrong with those that could not be read.
    pub documents: Documents,
    /// Changes when the configuration does: two inputs with the same one are the same configuration.
    pub fingerprint: u64,
    /// The files that it was read from, with their sizes in bytes.
    pub files: Vec<(Arc<str>, usize)>,
}
