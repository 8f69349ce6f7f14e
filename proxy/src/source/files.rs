//! Finds and reads the files of the configuration. Knows nothing of what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use egret_config::load;
use egret_config::load::Text;
use thiserror::Error;

/// Where the configuration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Files and folders with objects (`--config`).
    pub paths: Vec<PathBuf>,
    /// A file with MeshConfig, which beats one found under `paths` (`--mesh-config`).
    pub mesh_config: Option<PathBuf>,
}

/// A file of the configuration, found but not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path as the user named it, or below the folder that the user named.
    pub path: PathBuf,
    /// What it is for.
    pub role: Role,
    /// Changes when the file does, nearly always: two writes within one tick of the kernel's clock look alike.
    mark: Mark,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Objects.
    Objects,
    /// The MeshConfig that beats all others.
    MeshConfig,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The whole configuration as text.
#[derive(Debug)]
pub struct Texts {
    /// Files with objects, in the order of the flags, by name within a folder.
    pub objects: Vec<Text>,
    /// The MeshConfig that beats all others.
    pub mesh_config: Option<Text>,
    /// Hash of names and contents: two readings with the same one are the same configuration.
    pub fingerprint: u64,
}

/// A file or folder that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {path:?} (--{}): {}", flag(.role), advice(.source))]
pub struct ReadError {
    path: PathBuf,
    role: Role,
    source: io::Error,
}

/// Every file that belongs to the configuration now.
///
/// Of a folder these are the files called `*.yaml`, `*.yml` and `*.json`, in it and in folders below it; hidden names
/// are skipped, and with them the `..data` folders through which a ConfigMap mount's links lead.
///
/// # Errors
/// A path of `options` that is not there, or a file or folder that may not be read.
pub fn find(options: &Options) -> Result<Vec<Found>, ReadError> {
    let mut found = Vec::new();
    let mut visited = BTreeSet::new();
    for path in &options.paths {
        let error = |source| ReadError {
            path: path.clone(),
            role: Role::Objects,
            source,
        };
        let metadata = fs::metadata(path).map_err(error)?;
        if metadata.is_dir() {
            descend(path, &metadata, &mut visited, &mut found)?;
        } else {
            found.push(regular(path, Role::Objects, &metadata).map_err(error)?);
        }
    }
    if let Some(path) = &options.mesh_config {
        let error = |source| ReadError {
            path: path.clone(),
            role: Role::MeshConfig,
            source,
        };
        let metadata = fs::metadata(path).map_err(error)?;
        found.push(regular(path, Role::MeshConfig, &metadata).map_err(error)?);
    }
    // A file named twice, say by a flag and by its folder, is one file.
    let mut seen = BTreeSet::new();
    found.retain(|one| {
        seen.insert((
            one.mark.device,
            one.mark.inode,
            one.role == Role::MeshConfig,
        ))
    });
    Ok(found)
}

/// Reads what was found. A file that a folder lost in between is left out: its absence is what counts.
///
/// # Errors
/// A file that may not be read.
pub fn read(found: &[Found]) -> Result<Texts, ReadError> {
    let mut hasher = DefaultHasher::new();
    let mut objects = Vec::with_capacity(found.len());
    let mut mesh_config = None;
    for one in found {
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
        (&one.path, one.role == Role::MeshConfig, &bytes).hash(&mut hasher);
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
        fingerprint: hasher.finish(),
    })
}

/// The folders in which a change may change the configuration: those named, those below them, and those in which files
/// and the targets of links are.
pub fn folders(options: &Options, found: &[Found]) -> BTreeSet<PathBuf> {
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
    for one in found {
        folders.extend(parent(&one.path));
        // Where the links end; links in between are covered by looking again every second.
        folders.extend(fs::canonicalize(&one.path).ok().as_deref().and_then(parent));
    }
    folders
}

/// Adds what is in a folder. One that was visited before, as links in a circle lead to, is passed over.
fn descend(
    folder: &Path,
    metadata: &fs::Metadata,
    visited: &mut BTreeSet<(u64, u64)>,
    found: &mut Vec<Found>,
) -> Result<(), ReadError> {
    if !visited.insert((metadata.dev(), metadata.ino())) {
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
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // Gone since the folder was listed, or a link that leads nowhere: not there.
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(error(&path, source)),
        };
        if metadata.is_dir() {
            descend(&path, &metadata, visited, found)?;
        } else if metadata.is_file() && is_configuration(&path) {
            found.push(
                regular(&path, Role::Objects, &metadata).map_err(|source| error(&path, source))?,
            );
        }
    }
    Ok(())
}

/// The bytes of a file, one more than are ever parsed at the most: the parser refuses those in its own words.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(load::TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension == *known)
    })
}

fn regular(path: &Path, role: Role, metadata: &fs::Metadata) -> io::Result<Found> {
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is neither a file nor a folder",
        ));
    }
    Ok(Found {
        path: path.to_path_buf(),
        role,
        mark: Mark {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        },
    })
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

#[cfg(test)]
mod tests;
