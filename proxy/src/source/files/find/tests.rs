use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::source::files::read::{Texts, read};

fn folder() -> TempDir {
    tempfile::tempdir().expect("folder")
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("parent")).expect("folders");
    fs::write(&path, text).expect("write");
    path
}

fn options(paths: &[&Path]) -> Options {
    Options {
        paths: paths.iter().map(|path| path.to_path_buf()).collect(),
        mesh_config: None,
    }
}

fn texts(options: &Options) -> Texts {
    read(&find(options).expect("find")).expect("read")
}

fn names(options: &Options, below: &Path) -> Vec<String> {
    let listing = find(options).expect("find");
    listing
        .found
        .iter()
        .map(|one| {
            one.path
                .strip_prefix(below)
                .expect("below")
                .display()
                .to_string()
        })
        .collect()
}

#[test]
fn a_folder_gives_its_documents_by_name() {
    let folder = folder();
    for name in [
        "b.yaml",
        "a.yml",
        "c.json",
        "sub/d.yaml",
        "README.md",
        "x.yaml.bak",
        ".hidden.yaml",
        ".git/e.yaml",
    ] {
        write(&folder, name, "");
    }
    assert_eq!(
        names(&options(&[folder.path()]), folder.path()),
        ["a.yml", "b.yaml", "c.json", "sub/d.yaml"]
    );
}

#[test]
fn a_file_is_read_whatever_its_name_and_once() {
    let folder = folder();
    let odd = write(&folder, "config.txt", "odd");
    let even = write(&folder, "even.yaml", "even");
    let read = texts(&options(&[&odd, &even, folder.path()]));
    let bytes: Vec<&[u8]> = read.objects.iter().map(|text| &*text.bytes).collect();
    assert_eq!(bytes, [&b"odd"[..], b"even"]);
    assert_eq!(*read.objects[0].file, odd.display().to_string());
}

#[test]
fn the_mesh_config_is_apart_even_when_it_is_in_the_folder_too() {
    let folder = folder();
    let mesh = write(&folder, "mesh.yaml", "accessLogFile: /dev/stdout");
    let read = texts(&Options {
        paths: vec![folder.path().to_path_buf()],
        mesh_config: Some(mesh),
    });
    assert_eq!(read.objects.len(), 1);
    assert_eq!(
        read.mesh_config.expect("mesh").bytes,
        b"accessLogFile: /dev/stdout"
    );
}

#[test]
fn a_config_map_mount_is_read_through_its_links() {
    let mount = folder();
    write(&mount, "..2026_01/a.yaml", "old");
    write(&mount, "..2026_02/a.yaml", "new");
    let data = mount.path().join("..data");
    symlink("..2026_01", &data).expect("link");
    symlink("..data/a.yaml", mount.path().join("a.yaml")).expect("link");
    let options = options(&[mount.path()]);
    let before = find(&options).expect("find");
    let (old, found) = (texts(&options), names(&options, mount.path()));
    assert_eq!(
        (found, &*old.objects[0].bytes),
        (vec!["a.yaml".to_owned()], &b"old"[..])
    );

    // As the kubelet does it: a link made aside takes the old one's place.
    let aside = mount.path().join("..data_tmp");
    symlink("..2026_02", &aside).expect("link");
    fs::rename(&aside, &data).expect("swap");
    assert_ne!(find(&options).expect("find"), before);
    let new = texts(&options);
    assert_eq!(&*new.objects[0].bytes, b"new");
    let folders = folders(&options, &find(&options).expect("find"));
    let target = mount.path().join("..2026_02").canonicalize().expect("path");
    assert!(
        folders.contains(mount.path()) && folders.contains(&target),
        "{folders:?}"
    );
}

#[test]
fn links_in_a_circle_end_and_links_to_nowhere_are_not_there() {
    let folder = folder();
    write(&folder, "a.yaml", "");
    symlink(".", folder.path().join("again")).expect("link");
    symlink("nowhere.yaml", folder.path().join("b.yaml")).expect("link");
    let listing = find(&options(&[folder.path()])).expect("find");
    assert_eq!(listing.found.len(), 1);
    let skipped = [Skipped {
        path: folder.path().join("b.yaml"),
        what: "a link to nowhere",
    }];
    assert_eq!(listing.skipped, skipped);
}

#[test]
fn what_is_no_file_is_skipped_and_named() {
    let folder = folder();
    write(&folder, "a.yaml", "");
    let at = |name: &str| folder.path().join(name);
    nix::unistd::mkfifo(&at("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    nix::unistd::mkfifo(&at("other"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    symlink("/dev/null", at("device.json")).expect("link");
    symlink("loop.yaml", at("loop.yaml")).expect("link");
    symlink("round", at("round")).expect("link");
    symlink("nowhere", at("gone")).expect("link");
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.yml")).expect("a socket");
    let listing = find(&options(&[folder.path()])).expect("find");
    let skipped: Vec<_> = listing
        .skipped
        .iter()
        .map(|one| {
            (
                one.path
                    .file_name()
                    .unwrap_or_default()
                    .display()
                    .to_string(),
                one.what,
            )
        })
        .collect();
    let circle = "a link that leads in a circle";
    assert_eq!(
        skipped,
        [
            ("device.json".to_owned(), "a device"),
            ("fifo.yaml".to_owned(), "a FIFO"),
            ("loop.yaml".to_owned(), circle),
            ("round".to_owned(), circle),
            ("socket.yml".to_owned(), "a socket"),
        ]
    );
    let texts = read(&listing).expect("read");
    assert_eq!((texts.objects.len(), texts.skipped.len()), (1, 5));
    assert!(
        texts.skipped[1]
            .to_string()
            .contains("fifo.yaml: skipped: it is a FIFO")
    );
}

#[test]
fn a_file_that_became_a_fifo_is_not_waited_for() {
    let folder = folder();
    let path = write(&folder, "a.yaml", "");
    let listing = find(&options(&[folder.path()])).expect("find");
    fs::remove_file(&path).expect("remove");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let error = read(&listing).expect_err("no file").to_string();
    assert!(
        error.contains("a.yaml") && error.contains("a FIFO"),
        "{error}"
    );
}

#[test]
fn a_folder_without_configuration_is_named_with_what_is_in_it() {
    let barren = folder();
    for name in ["README.md", "a.yaml.bak", "b.txt", "c"] {
        write(&barren, name, "");
    }
    let empty = folder();
    let good = folder();
    write(&good, "a.yaml", "");
    let texts = texts(&options(&[barren.path(), empty.path(), good.path()]));
    let told: Vec<_> = texts.barren.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("skipped: README.md, a.yaml.bak, b.txt and 1 more"),
        "{told:?}"
    );
    assert!(told[1].contains("it is empty"), "{told:?}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_flag() {
    let folder = folder();
    let missing = folder.path().join("missing.yaml");
    let error = find(&options(&[&missing]))
        .expect_err("missing")
        .to_string();
    assert!(
        error.contains("missing.yaml") && error.contains("--config") && error.contains("no such"),
        "{error}"
    );
    let options = Options {
        paths: Vec::new(),
        mesh_config: Some(folder.path().to_path_buf()),
    };
    let error = find(&options).expect_err("a folder").to_string();
    assert!(
        error.contains("--mesh-config") && error.contains("neither a file nor"),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_file_without_permission_is_named() {
    let folder = folder();
    let path = write(&folder, "secret.yaml", "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("mode");
    let outcome = find(&options(&[folder.path()])).and_then(|found| read(&found));
    // Root reads everything; everybody else is told.
    match outcome {
        Ok(read) => assert!(nix::unistd::Uid::effective().is_root() && read.objects.len() == 1),
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.contains("secret.yaml") && error.contains("permission denied"),
                "{error}"
            );
        }
    }
}
