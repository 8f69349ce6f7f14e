//! Reads the files of the configuration.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::{fs, io};

use egret_config::load;
use egret_config::load::Text;
use egret_config::problem::{Location, Problem, Severity};
use nix::fcntl::OFlag;

use crate::source::files::find::{Barren, Listing, Skipped, no_file};
use crate::source::files::options::{ReadError, Role};

/// The whole configuration as text.
#[derive(Debug)]
pub struct Texts {
    /// Files with objects, in the order of the flags, by name within a folder.
    pub objects: Vec<Text>,
    /// The MeshConfig that beats all others.
    pub mesh_config: Option<Text>,
    /// Warnings about what is where the configuration is and was not read.
    pub skipped: Vec<Problem>,
    /// Warnings about folders in which nothing can be read.
    pub barren: Vec<Problem>,
}

/// Reads what was found. A file that a folder lost in between is left out: its absence is what counts.
///
/// # Errors
/// A file that may not be read, or is none any more.
pub fn read(listing: &Listing) -> Result<Texts, ReadError> {
    let mut objects = Vec::with_capacity(listing.found.len());
    let mut mesh_config = None;
    for one in &listing.found {
        let bytes = match bounded(&one.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => {
                return Err(ReadError {
                    path: one.path.clone(),
                    role: one.role,
                    source,
                });
            }
        };
        let text = Text {
            file: one.path.display().to_string().into(),
            bytes,
        };
        match one.role {
            Role::Objects => objects.push(text),
            Role::MeshConfig => mesh_config = Some(text),
        }
    }
    Ok(Texts {
        objects,
        mesh_config,
        skipped: listing.skipped.iter().map(skipped).collect(),
        barren: listing.barren.iter().map(barren).collect(),
    })
}

/// The bytes of a file, one more than are ever parsed at the most: the parser refuses those in its own words. Never
/// waits for the other end of a FIFO.
pub(super) fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(no_file(&metadata));
    }
    let mut bytes = Vec::new();
    file.take(load::TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn skipped(one: &Skipped) -> Problem {
    let message = (
        format!("skipped: it is {}", one.what),
        "put a file in its place, or remove it",
    );
    Problem::new(Severity::Warning, location(&one.path), message)
}

pub(super) fn barren(one: &Barren) -> Problem {
    let mut others = one.others.join(", ");
    if one.count > one.others.len() {
        others.push_str(&format!(" and {} more", one.count - one.others.len()));
    }
    let reason = match one.count {
        0 => "nothing to read in this folder: it is empty".to_owned(),
        _ => format!("nothing to read in this folder; skipped: {others}"),
    };
    let message = (
        reason,
        "call files *.yaml, *.yml or *.json, or name the folder that has them",
    );
    Problem::new(Severity::Warning, location(&one.folder), message)
}

fn location(path: &Path) -> Location {
    Location::file(path.display().to_string(), 0)
}

/// Whether something is at `path`, if only a link to nowhere.
pub(super) fn is_occupied(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
