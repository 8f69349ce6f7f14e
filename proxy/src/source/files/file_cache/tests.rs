use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::source::files::find::find;
use crate::source::files::options::Options;

fn entry(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{host}]\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: DNS\n---\n"
    )
}

struct World {
    folder: TempDir,
    cache: FileCache,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("folder"),
            cache: FileCache::default(),
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("write");
        path
    }

    fn listing(&self) -> Listing {
        let paths = vec![self.folder.path().to_path_buf()];
        find(&Options {
            paths,
            mesh_config: None,
        })
        .expect("find")
    }

    fn read(&mut self, depth: Depth) {
        let listing = self.listing();
        self.cache.read(listing, depth).expect("read");
    }

    /// Names of the objects, and the identities of what was read of them.
    fn documents(&self) -> Vec<(String, usize)> {
        let list = self.cache.input().documents.list;
        let documents = list.iter().map(|document| {
            let name = document.meta.name.name.to_string();
            (name, Arc::as_ptr(&document.meta).addr())
        });
        documents.collect()
    }
}

#[test]
fn the_fingerprint_shows_names_and_contents() {
    let mut world = World::new();
    let path = world.write("a.yaml", "one");
    let mut fingerprint = || {
        world.read(Depth::Changed);
        world.cache.fingerprint()
    };
    let first = fingerprint();
    assert_eq!(fingerprint(), first);
    fs::write(&path, "two").expect("write");
    let second = fingerprint();
    assert_ne!(second, first);
    fs::rename(&path, path.with_file_name("b.yaml")).expect("rename");
    assert_ne!(fingerprint(), second);
}

#[test]
fn documents_that_stay_the_same_are_not_read_again() {
    let mut world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| entry(name, &format!("{name}.test")));
    world.write("1.yaml", &format!("{a}{b}"));
    world.write("2.yaml", &c);
    world.read(Depth::Changed);
    let first = world.documents();
    world.write("1.yaml", &format!("{a}{}", entry("b", "other.test")));
    world.read(Depth::Changed);
    let second = world.documents();
    assert_eq!((&second[0], &second[2]), (&first[0], &first[2]));
    assert_ne!(second[1], first[1], "b was changed");

    // A file before the others, and one that is gone.
    world.write("0.yaml", &entry("z", "z.test"));
    world.read(Depth::Changed);
    assert_eq!(world.documents()[1..], second);
    fs::remove_file(world.folder.path().join("1.yaml")).expect("remove");
    world.read(Depth::Changed);
    assert_eq!(world.documents()[1..], second[2..]);
}

#[test]
fn a_document_that_moves_within_its_file_has_its_new_line() {
    let mut world = World::new();
    let good = entry("a", "a.test").replace("hosts:", "hots: 1\n  hosts:");
    world.write("1.yaml", &good);
    world.read(Depth::Changed);
    world.write(
        "1.yaml",
        &format!("# one\n# two\n{}{good}", entry("b", "b.test")),
    );
    world.read(Depth::Changed);
    let documents = world.cache.input().documents;
    let lines: Vec<u32> = documents
        .list
        .iter()
        .map(|document| document.meta.location.line())
        .collect();
    assert_eq!(lines, [3, 11]);
    assert_eq!(documents.problems[0].location.line(), 15);
}

#[test]
fn a_change_within_one_tick_of_the_clock_is_not_missed() {
    let mut world = World::new();
    for host in ["a.test", "b.test", "c.test"] {
        world.write("1.yaml", &entry("a", host));
        world.read(Depth::Changed);
        let list = world.cache.input().documents.list;
        assert!(format!("{list:?}").contains(host), "{list:?}");
    }
}

#[test]
fn a_file_that_is_long_unchanged_is_not_opened() {
    let mut world = World::new();
    let path = world.write("1.yaml", &entry("a", "a.test"));
    let listing = world.listing();
    assert!(!listing.found[0].is_settled(SystemTime::now()));
    assert!(listing.found[0].is_settled(SystemTime::now() + Duration::from_secs(10)));
    world
        .cache
        .read(listing.clone(), Depth::Changed)
        .expect("read");
    for file in world.cache.files.iter_mut().flatten() {
        file.settled = true;
    }
    // The listing is that of the file while it was there.
    fs::remove_file(&path).expect("remove");
    world
        .cache
        .read(listing.clone(), Depth::Changed)
        .expect("read");
    assert_eq!(world.cache.files().count(), 1);
    world.cache.read(listing, Depth::All).expect("read");
    assert_eq!(world.cache.files().count(), 0);
}

#[test]
fn a_file_that_cannot_be_read_leaves_the_others_as_they_were() {
    let mut world = World::new();
    world.write("1.yaml", &entry("a", "a.test"));
    let path = world.write("2.yaml", &entry("b", "b.test"));
    world.read(Depth::Changed);
    let before = world.documents();
    let listing = world.listing();
    fs::remove_file(&path).expect("remove");
    fs::create_dir(&path).expect("a folder");
    world
        .cache
        .read(listing, Depth::All)
        .expect_err("a folder is no file");
    assert_eq!(world.documents(), before);
}
