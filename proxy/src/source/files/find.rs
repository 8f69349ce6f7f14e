//! Finds the files of the configuration. Knows nothing of what is in them.

use std::collections::BTreeSet;
use std::fs::FileType;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use nix::errno::Errno;

use crate::source::files::options::{Options, ReadError, Role};

/// How many names of files that a folder has, and that are not read, are kept.
const OTHERS_MAX: usize = 3;

/// A file that changed so many seconds ago has another time when it changes again.
const SETTLED_SECONDS: i64 = 3;

/// What is where the configuration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files, in the order of the flags, by name within a folder.
    pub found: Vec<Found>,
    /// What has the name of such a file and is none.
    pub skipped: Vec<Skipped>,
    /// Folders that the user named in which there is no such file.
    pub barren: Vec<Barren>,
}

/// A file of the configuration, found but not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path as the user named it, or below the folder that the user named.
    pub path: PathBuf,
    /// What it is for.
    pub role: Role,
    /// It may be a link to a file in another folder.
    linked: bool,
    /// Changes when the file does, nearly always: two writes within one tick of the kernel's clock look alike.
    mark: Mark,
}

impl Found {
    /// Whether the file had been unchanged for so long `now` that a later change shows in its times, however coarse the
    /// clock of its file system is.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, _) = self.mark.changed;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).is_ok_and(|now| seconds + SETTLED_SECONDS <= now)
    }
}

/// Something in a folder that is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Below the folder that the user named.
    pub path: PathBuf,
    /// What it is, as a phrase: `a FIFO`, `a link to nowhere`.
    pub what: &'static str,
}

/// A folder without files of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barren {
    /// As the user named it.
    pub folder: PathBuf,
    /// The first of the files in it, by name.
    pub others: Vec<String>,
    /// How many there are.
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Every file that belongs to the configuration now.
///
/// Of a folder these are the files called `*.yaml`, `*.yml` and `*.json`, in it and in folders below it; hidden names
/// are skipped, and with them the `..data` folders through which a ConfigMap mount's links lead.
///
/// # Errors
/// A path of `options` that is not there, or a file or folder that may not be read.
pub fn find(options: &Options) -> Result<Listing, ReadError> {
    let mut walk = Walk::default();
    for path in &options.paths {
        let error = |source| ReadError {
            path: path.clone(),
            role: Role::Objects,
            source,
        };
        let metadata = fs::metadata(path).map_err(error)?;
        if metadata.is_dir() {
            walk.named(path, &metadata)?;
        } else {
            let file = regular(path, Role::Objects, &metadata).map_err(error)?;
            walk.listing.found.push(file);
        }
    }
    let mut listing = walk.listing;
    if let Some(path) = &options.mesh_config {
        let error = |source| ReadError {
            path: path.clone(),
            role: Role::MeshConfig,
            source,
        };
        let metadata = fs::metadata(path).map_err(error)?;
        let file = regular(path, Role::MeshConfig, &metadata).map_err(error)?;
        listing.found.push(file);
    }
    // A file named twice, say by a flag and by its folder, is one file.
    let mut seen = BTreeSet::new();
    listing.found.retain(|one| {
        seen.insert((
            one.mark.device,
            one.mark.inode,
            one.role == Role::MeshConfig,
        ))
    });
    Ok(listing)
}

/// The folders in which a change may change the configuration: those named, those below them, and those in which files
/// and the targets of links are.
pub fn folders(options: &Options, listing: &Listing) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
        parent => parent.map(Path::to_path_buf),
    };
    for path in options.paths.iter().chain(&options.mesh_config) {
        folders.extend(parent(path));
        if path.is_dir() {
            folders.insert(path.clone());
        }
    }
    for one in &listing.found {
        folders.extend(parent(&one.path));
        // Where the links end; links in between are covered by looking again every second.
        if one.linked {
            folders.extend(fs::canonicalize(&one.path).ok().as_deref().and_then(parent));
        }
    }
    folders
}

/// A walk through the folders that the user named.
#[derive(Default)]
struct Walk {
    listing: Listing,
    /// Folders by device and inode.
    visited: BTreeSet<(u64, u64)>,
    /// Files that are not read, of the folder that the user named.
    others: Vec<String>,
    others_count: usize,
}

impl Walk {
    /// Adds what is in a folder that the user named.
    fn named(&mut self, folder: &Path, metadata: &fs::Metadata) -> Result<(), ReadError> {
        let before = self.listing.found.len();
        let again = self.visited.contains(&(metadata.dev(), metadata.ino()));
        (self.others, self.others_count) = (Vec::new(), 0);
        self.descend(folder, metadata)?;
        if self.listing.found.len() == before && !again {
            self.listing.barren.push(Barren {
                folder: folder.to_path_buf(),
                others: std::mem::take(&mut self.others),
                count: self.others_count,
            });
        }
        Ok(())
    }

    /// Adds what is in a folder. One that was visited before, as links in a circle lead to, is passed over.
    fn descend(&mut self, folder: &Path, metadata: &fs::Metadata) -> Result<(), ReadError> {
        if !self.visited.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        let error = |path: &Path, source| ReadError {
            path: path.to_path_buf(),
            role: Role::Objects,
            source,
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| error(folder, source))? {
            let entry = entry.map_err(|source| error(folder, source))?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                paths.push((entry.path(), linked));
            }
        }
        paths.sort();
        for (path, linked) in paths {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.descend(&path, &metadata)?,
                Ok(metadata) => self
                    .entry(&path, &metadata, linked)
                    .map_err(|source| error(&path, source))?,
                Err(cause) => match unreachable(&path, &cause) {
                    Unreachable::Gone => {}
                    Unreachable::Link(what) => self.skip(&path, Some(what)),
                    Unreachable::Unreadable => return Err(error(&path, cause)),
                },
            }
        }
        Ok(())
    }

    /// Adds what is no folder.
    fn entry(&mut self, path: &Path, metadata: &fs::Metadata, linked: bool) -> io::Result<()> {
        if !is_configuration(path) {
            self.others_count += 1;
            if self.others.len() < OTHERS_MAX {
                let name = path.file_name().unwrap_or_default();
                self.others.push(name.display().to_string());
            }
        } else if metadata.is_file() {
            let file = regular(path, Role::Objects, metadata)?;
            self.listing.found.push(Found { linked, ..file });
        } else {
            self.skip(path, Some(kind(metadata.file_type())));
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path, what: Option<&'static str>) {
        if let Some(what) = what {
            self.listing.skipped.push(Skipped {
                path: path.to_path_buf(),
                what,
            });
        }
    }
}

/// A path that leads to no file.
enum Unreachable {
    /// Nothing is there, or nothing to mention.
    Gone,
    /// A link without an end, in words.
    Link(&'static str),
    /// Something is there that cannot be looked at.
    Unreadable,
}

/// What a path is whose metadata cannot be read.
fn unreachable(path: &Path, cause: &io::Error) -> Unreachable {
    if cause.raw_os_error() == Some(Errno::ELOOP as i32) {
        return Unreachable::Link("a link that leads in a circle");
    }
    if cause.kind() != io::ErrorKind::NotFound {
        return Unreachable::Unreadable;
    }
    // Gone since the folder was listed, or a link that leads nowhere.
    if is_configuration(path) && fs::symlink_metadata(path).is_ok() {
        Unreachable::Link("a link to nowhere")
    } else {
        Unreachable::Gone
    }
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension == *known)
    })
}

/// What something is that is neither a file nor a folder.
fn kind(of: FileType) -> &'static str {
    if of.is_fifo() {
        "a FIFO"
    } else if of.is_socket() {
        "a socket"
    } else if of.is_char_device() || of.is_block_device() {
        "a device"
    } else {
        "not a file"
    }
}

/// The error of what is not a file, where a file is needed.
pub(super) fn no_file(metadata: &fs::Metadata) -> io::Error {
    let what = match metadata.is_dir() {
        true => "a folder",
        false => kind(metadata.file_type()),
    };
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is neither a file nor a folder with files, but {what}"),
    )
}

fn regular(path: &Path, role: Role, metadata: &fs::Metadata) -> io::Result<Found> {
    if !metadata.is_file() {
        return Err(no_file(metadata));
    }
    Ok(Found {
        path: path.to_path_buf(),
        role,
        linked: true,
        mark: Mark {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        },
    })
}

#[cfg(test)]
mod tests;
