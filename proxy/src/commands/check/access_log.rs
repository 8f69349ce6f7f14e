//! Whether the access log of the mesh can be written, on the machine of the check.

use std::path::Path;
use std::{fs, io};

use egret_config::model::mesh::Mesh;
use egret_config::problem::{Problem, Severity};
use nix::unistd::{AccessFlags, access};

/// A warning about `accessLogFile` when it is a file that cannot be written or created here. Nothing is created.
pub(super) fn unwritable(mesh: &Mesh) -> Option<Problem> {
    let meta = mesh.meta.as_ref()?;
    let path = &*mesh.access_log_file;
    let reason = match path {
        "" | "/dev/stdout" | "/dev/stderr" => return None,
        path => refusal(Path::new(path))?,
    };
    let message = (
        format!("on this machine the access log cannot be written: {reason}"),
        "write /dev/stdout, or a file in a folder that is there and writable where the proxy runs",
    );
    let problem = Problem::new(Severity::Warning, meta.location.clone(), message);
    Some(problem.of(meta.title_or_kind()).at("accessLogFile", path))
}

/// Why a file can be neither written nor created.
fn refusal(path: &Path) -> Option<String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Some("it is a folder".to_owned()),
        Ok(_) => {
            let refused = access(path, AccessFlags::W_OK).err()?;
            Some(refused.desc().to_lowercase())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            if !folder.is_dir() {
                return Some(format!("there is no folder {}", folder.display()));
            }
            access(folder, AccessFlags::W_OK | AccessFlags::X_OK).err()?;
            Some(format!("the folder {} is not writable", folder.display()))
        }
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwritable_files_are_reported() {
        let folder = tempfile::tempdir().expect("folder");
        let here = |name: &str| refusal(&folder.path().join(name));
        assert_eq!(here("new.log"), None);
        assert!(
            !folder.path().join("new.log").exists(),
            "a check creates nothing"
        );
        fs::write(folder.path().join("old.log"), "").expect("a file");
        assert_eq!(here("old.log"), None);
        assert_eq!(here("").as_deref(), Some("it is a folder"));
        assert!(
            here("missing/a.log").is_some_and(|message| message.contains("there is no folder"))
        );
        assert!(here("old.log/a.log").is_some());
        assert_eq!(refusal(Path::new("/dev/null")), None);
    }
}
