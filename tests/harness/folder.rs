//! Configuration as users keep it: a folder of YAML files, or a ConfigMap mounted into a pod.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// YAML as users publish it, below `tests/fixtures`.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// A folder of files that a test writes, changes and removes. Any user may read it.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
}

impl Folder {
    /// An empty folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("egret-config-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        Ok(Self { folder })
    }

    /// A folder with the named fixtures.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn with(fixtures: &[&str]) -> anyhow::Result<Self> {
        let folder = Self::new()?;
        folder.add(fixtures)?;
        Ok(folder)
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies fixtures into the folder; `003/service-entry.yaml` becomes `003-service-entry.yaml`.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn add(&self, fixtures: &[&str]) -> anyhow::Result<()> {
        fixtures
            .iter()
            .try_for_each(|name| self.write(&flat(name), &fixture(name)?))
    }

    /// Takes fixtures out of the folder again.
    ///
    /// # Errors
    /// When one is not there.
    pub fn remove(&self, fixtures: &[&str]) -> anyhow::Result<()> {
        fixtures.iter().try_for_each(|name| {
            let path = self.path().join(flat(name));
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
        })
    }

    /// Writes a file in place, as an editor or `cp` does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.path().join(name), text)?)
    }
}

/// A folder that changes the way the kubelet changes a mounted ConfigMap: the files are links through `..data`,
/// which is swapped in one step for a link to a new folder.
#[derive(Debug)]
pub struct MountedConfigMap {
    folder: Folder,
    generation: u32,
}

impl MountedConfigMap {
    /// A mounted ConfigMap with these files, by name and text.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn new(files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut mounted = Self {
            folder: Folder::new()?,
            generation: 0,
        };
        mounted.publish(files)?;
        Ok(mounted)
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces all files at once.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn publish(&mut self, files: &[(&str, &str)]) -> anyhow::Result<()> {
        let root = self.path().to_owned();
        let previous = fs::read_link(root.join("..data")).ok();
        self.generation += 1;
        let data = format!("..2026_01_01_00_00_00.{}", self.generation);
        fs::create_dir(root.join(&data))?;
        for (name, text) in files {
            fs::write(root.join(&data).join(name), text)?;
        }
        symlink(&data, root.join("..data_tmp"))?;
        fs::rename(root.join("..data_tmp"), root.join("..data"))?;
        for name in visible(&root)? {
            if !files.iter().any(|(kept, _)| *kept == name) {
                fs::remove_file(root.join(name))?;
            }
        }
        for (name, _) in files {
            if !root.join(name).is_symlink() {
                symlink(Path::new("..data").join(name), root.join(name))?;
            }
        }
        if let Some(previous) = previous {
            fs::remove_dir_all(root.join(previous))?;
        }
        Ok(())
    }
}

/// The text of a fixture, by its path below `tests/fixtures`.
///
/// # Errors
/// When there is none.
pub fn fixture(name: &str) -> anyhow::Result<String> {
    let path = PathBuf::from(FIXTURES).join(name);
    fs::read_to_string(&path).with_context(|| format!("fixture {}", path.display()))
}

fn flat(name: &str) -> String {
    name.replace('/', "-")
}

fn visible(root: &Path) -> anyhow::Result<Vec<String>> {
    let names =
        fs::read_dir(root)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with(".."))
        .collect())
}
