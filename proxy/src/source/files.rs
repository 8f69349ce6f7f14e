//! Files and folders as a source: found, read, watched.

pub mod options;
pub mod find;
pub mod read;
pub mod file_cache;
pub mod watch;
pub mod follow;

use crate::source::files::find::find;
pub use crate::source::files::options::Options;
use crate::source::files::options::ReadError;
use crate::source::files::read::{Texts, read};

/// The whole configuration, read once.
///
/// # Errors
/// A path of `options` that is not there, or a file or folder that may not be read.
pub fn texts(options: &Options) -> Result<Texts, ReadError> {
    read(&find(options)?)
}
