use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use egret_config::model::outbound_policy::OutboundPolicy;
use egret_config::problem::Severity;
use egret_config::snapshot::workload::{Mode, Workload};
use tempfile::TempDir;
use tokio::task::LocalSet;

use super::*;

fn entry(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{host}]\n  \
         ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: DNS\n---\n"
    )
}

const BROKEN_ENTRY: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec:\n  \
                            hosts: [a.test]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: SOMEHOW\n";

const REGISTRY_ONLY: &str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";

struct World {
    folder: TempDir,
    source: FileSource,
    current: Arc<Current>,
    status: Status,
}

fn terms() -> Terms {
    Terms {
        workload: Workload::new(Mode::Sidecar, "default"),
        ignore_authorization_policies: false,
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("write");
    path
}

fn start(folder: TempDir, mesh_config: Option<PathBuf>) -> World {
    let options = Options {
        paths: vec![folder.path().to_path_buf()],
        mesh_config,
    };
    let status = Status::default();
    let (source, snapshot) = FileSource::load(options, terms(), status.clone()).expect("load");
    World {
        folder,
        source,
        current: Arc::new(Current::new(snapshot)),
        status,
    }
}

fn world(files: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().expect("folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    start(folder, None)
}

impl World {
    fn write(&self, name: &str, text: &str) {
        write(self.folder.path(), name, text);
    }

    fn look(&mut self) {
        self.source.look(Some(Depth::Changed), &self.current);
    }

    /// Hosts of the ServiceEntries in force.
    fn entries(&self) -> Vec<String> {
        let state = self.status.state();
        let objects = &state.loaded.expect("loaded").objects;
        let mut names: Vec<String> = objects
            .iter()
            .filter_map(|(title, _)| title.strip_prefix("ServiceEntry default/"))
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    fn rejections(&self) -> Vec<String> {
        self.status
            .state()
            .rejected
            .map(|rejected| rejected.reasons.clone())
            .unwrap_or_default()
    }
}

#[test]
fn no_configuration_allows_everything() {
    let status = Status::default();
    let (_, snapshot) =
        FileSource::load(Options::default(), terms(), status.clone()).expect("load");
    assert_eq!(snapshot.mesh.outbound_policy, OutboundPolicy::AllowAny);
    assert!(snapshot.clusters.is_empty());
    assert!(status.state().loaded.expect("loaded").problems.is_empty());
}

#[test]
fn at_the_start_good_documents_load_beside_bad_ones() {
    let world = world(&[
        (
            "a.yaml",
            &(entry("a", "a.test") + "{ not: yaml\n---\n" + &entry("b", "b.test")),
        ),
        ("c.yaml", BROKEN_ENTRY),
        ("d.yaml", &entry("d", "d.test")),
    ]);
    assert!(world.entries().contains(&"b".to_owned()) && world.entries().contains(&"d".to_owned()));
    let loaded = world.status.state().loaded.expect("loaded");
    let errors = loaded
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    assert!(errors >= 2, "{:?}", loaded.problems);
    assert!(world.rejections().is_empty());
}

#[test]
fn additions_changes_and_deletions_take_effect() {
    let mut world = world(&[("a.yaml", &entry("a", "a.test"))]);
    world.write("b.yaml", &entry("b", "b.test"));
    world.look();
    assert_eq!(world.entries(), ["a", "b"]);
    world.write("b.yaml", &entry("c", "c.test"));
    world.look();
    assert_eq!(world.entries(), ["a", "c"]);
    fs::remove_file(world.folder.path().join("a.yaml")).expect("remove");
    world.look();
    assert_eq!(world.entries(), ["c"]);
    assert_eq!(world.status.state().loaded.expect("loaded").version, 4);
    assert!(world.rejections().is_empty());
}

#[test]
fn looking_at_what_did_not_change_publishes_nothing() {
    let mut world = world(&[("a.yaml", &entry("a", "a.test"))]);
    let changes = world.current.changes();
    world.look();
    world.write("a.yaml", &entry("a", "a.test"));
    world.look();
    assert!(!changes.has_changed().expect("open"));
}

#[test]
fn a_broken_edit_keeps_the_last_good_configuration_until_mended() {
    for broken in [BROKEN_ENTRY, "kind: [ServiceEntry\n", "hosts: {\n"] {
        let mut world = world(&[
            ("a.yaml", &entry("a", "a.test")),
            ("b.yaml", &entry("b", "b.test")),
        ]);
        let changes = world.current.changes();
        world.write("a.yaml", broken);
        // Edits beside the broken one wait for it to be mended.
        world.write("c.yaml", &entry("c", "c.test"));
        world.look();
        assert_eq!(world.entries(), ["a", "b"], "{broken}");
        assert!(
            world
                .rejections()
                .iter()
                .any(|reason| reason.contains("a.yaml")),
            "{:?}",
            world.rejections()
        );
        assert!(!changes.has_changed().expect("open"));
        world.write("a.yaml", &entry("a", "a.test"));
        world.look();
        assert_eq!(world.entries(), ["a", "b", "c"]);
        assert!(world.rejections().is_empty());
    }
}

#[test]
fn undoing_a_broken_edit_ends_the_rejection_without_a_reload() {
    let mut world = world(&[("a.yaml", &entry("a", "a.test"))]);
    world.write("a.yaml", BROKEN_ENTRY);
    world.look();
    assert!(!world.rejections().is_empty());
    world.write("a.yaml", &entry("a", "a.test"));
    world.look();
    assert!(world.rejections().is_empty());
    assert_eq!(world.status.state().loaded.expect("loaded").version, 1);
}

#[test]
fn a_new_file_that_is_broken_stops_nothing() {
    let mut world = world(&[("a.yaml", &entry("a", "a.test"))]);
    world.write("b.yaml", "hosts: {\n");
    world.write("c.yaml", &entry("c", "c.test"));
    world.look();
    assert_eq!(world.entries(), ["a", "c"]);
    let loaded = world.status.state().loaded.expect("loaded");
    assert!(
        loaded
            .problems
            .iter()
            .any(|problem| problem.location.to_string().contains("b.yaml")),
        "{:?}",
        loaded.problems
    );
}

#[test]
fn breaking_the_mesh_config_does_not_open_the_mesh() {
    let mut world = world(&[("mesh.yaml", REGISTRY_ONLY)]);
    assert_eq!(
        world.current.load().mesh.outbound_policy,
        OutboundPolicy::RegistryOnly
    );
    for broken in [
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY\n",
        "outboundTrafficPolicy: {mode: SOMETIMES}\n",
    ] {
        world.write("mesh.yaml", broken);
        world.look();
        assert_eq!(
            world.current.load().mesh.outbound_policy,
            OutboundPolicy::RegistryOnly,
            "{broken}"
        );
        assert!(!world.rejections().is_empty(), "{broken}");
    }
}

#[test]
fn the_mesh_config_flag_beats_the_folder() {
    let apart = tempfile::tempdir().expect("folder");
    let folder = tempfile::tempdir().expect("folder");
    write(
        folder.path(),
        "mesh.yaml",
        "outboundTrafficPolicy: {mode: ALLOW_ANY}\n",
    );
    let mesh = write(apart.path(), "mesh.yaml", REGISTRY_ONLY);
    let mut world = start(folder, Some(mesh.clone()));
    assert_eq!(
        world.current.load().mesh.outbound_policy,
        OutboundPolicy::RegistryOnly
    );
    // A file that a flag names is not one that may be deleted at will.
    fs::remove_file(&mesh).expect("remove");
    world.look();
    assert_eq!(
        world.current.load().mesh.outbound_policy,
        OutboundPolicy::RegistryOnly
    );
    assert!(
        world.rejections()[0].contains("--mesh-config"),
        "{:?}",
        world.rejections()
    );
    fs::write(&mesh, REGISTRY_ONLY).expect("write");
    world.look();
    assert!(world.rejections().is_empty());
}

#[test]
fn a_config_map_swap_is_seen_without_reading() {
    let mount = tempfile::tempdir().expect("folder");
    for (version, text) in [("..1", entry("a", "a.test")), ("..2", entry("b", "b.test"))] {
        fs::create_dir(mount.path().join(version)).expect("folder");
        write(mount.path(), &format!("{version}/entries.yaml"), &text);
    }
    symlink("..1", mount.path().join("..data")).expect("link");
    symlink("..data/entries.yaml", mount.path().join("entries.yaml")).expect("link");
    let mut world = start(mount, None);
    assert_eq!(world.entries(), ["a"]);
    symlink("..2", world.folder.path().join("..data_tmp")).expect("link");
    fs::rename(
        world.folder.path().join("..data_tmp"),
        world.folder.path().join("..data"),
    )
    .expect("swap");
    assert!(world.source.look(None, &world.current));
    assert_eq!(world.entries(), ["b"]);
}

/// Puts something that is no file in the place of a file.
type Replacement = fn(&Path);

#[test]
fn a_file_that_is_no_file_any_more_keeps_what_it_said() {
    let replacements: [(&str, Replacement); 5] = [
        ("empty", |path| fs::write(path, " \n").expect("write")),
        ("a FIFO", |path| {
            fs::remove_file(path).expect("remove");
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        }),
        ("not a file", |path| {
            fs::remove_file(path).expect("remove");
            fs::create_dir(path).expect("a folder");
        }),
        ("a device", |path| {
            fs::remove_file(path).expect("remove");
            symlink("/dev/null", path).expect("a link");
        }),
        ("a link to nowhere", |path| {
            fs::remove_file(path).expect("remove");
            symlink("nowhere", path).expect("a link");
        }),
    ];
    let good = entry("a", "a.test");
    for (name, text) in [("mesh.yaml", REGISTRY_ONLY), ("entry.yaml", good.as_str())] {
        for (what, replace) in replacements {
            let mut world = world(&[("mesh.yaml", REGISTRY_ONLY), ("entry.yaml", &good)]);
            let path = world.folder.path().join(name);
            replace(&path);
            world.look();
            let policy = world.current.load().mesh.outbound_policy;
            assert_eq!(policy, OutboundPolicy::RegistryOnly, "{name} is {what}");
            assert_eq!(world.entries(), ["a"], "{name} is {what}");
            let told = world.rejections();
            assert_eq!(told.len(), 1, "{name} is {what}: {told:?}");
            assert!(
                told[0].contains(name) && told[0].contains(&format!("is now {what};")),
                "{told:?}"
            );
            if path.is_dir() {
                fs::remove_dir(&path).expect("remove");
            } else {
                fs::remove_file(&path).expect("remove");
            }
            fs::write(&path, text).expect("write");
            world.look();
            assert_eq!(world.rejections(), Vec::<String>::new(), "{name} is back");
        }
    }
}

#[test]
fn a_mesh_config_flag_that_is_emptied_keeps_the_policy() {
    let apart = tempfile::tempdir().expect("folder");
    let folder = tempfile::tempdir().expect("folder");
    let mesh = write(apart.path(), "mesh", REGISTRY_ONLY);
    let mut world = start(folder, Some(mesh.clone()));
    fs::write(&mesh, "").expect("write");
    world.look();
    let policy = world.current.load().mesh.outbound_policy;
    assert_eq!(policy, OutboundPolicy::RegistryOnly);
    assert!(
        world.rejections()[0].contains("is now empty"),
        "{:?}",
        world.rejections()
    );
}

#[test]
fn a_mesh_config_that_is_gone_stays_in_force_while_others_change() {
    let mut world = world(&[
        ("mesh.yaml", REGISTRY_ONLY),
        ("a.yaml", &entry("a", "a.test")),
    ]);
    fs::remove_file(world.folder.path().join("mesh.yaml")).expect("remove");
    for name in ["b", "c"] {
        world.write(
            &format!("{name}.yaml"),
            &entry(name, &format!("{name}.test")),
        );
        world.look();
        let policy = world.current.load().mesh.outbound_policy;
        assert_eq!(policy, OutboundPolicy::RegistryOnly);
        assert_eq!(world.rejections(), Vec::<String>::new());
        let loaded = world.status.state().loaded.expect("loaded");
        let about = |problem: &&egret_config::problem::Problem| problem.object == "MeshConfig";
        let told = loaded
            .problems
            .iter()
            .find(about)
            .expect("a warning")
            .to_string();
        assert!(
            told.contains("mesh.yaml") && told.contains("stays in force"),
            "{told}"
        );
    }
    assert_eq!(world.entries(), ["a", "b", "c"]);
    world.write("mesh.yaml", "outboundTrafficPolicy: {mode: ALLOW_ANY}\n");
    world.look();
    let policy = world.current.load().mesh.outbound_policy;
    assert_eq!(policy, OutboundPolicy::AllowAny, "another one counts");
}

const POLICY: &str =
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\nspec: {}\n";

#[test]
fn a_policy_that_is_not_enforced_stops_the_start_and_a_reload() {
    let folder = tempfile::tempdir().expect("folder");
    write(folder.path(), "p.yaml", POLICY);
    let options = Options {
        paths: vec![folder.path().to_path_buf()],
        mesh_config: None,
    };
    let refused = FileSource::load(options.clone(), terms(), Status::default());
    let words = refused.map(|_| ()).expect_err("refused").to_string();
    assert!(
        words.contains("p.yaml:1: AuthorizationPolicy default/p: "),
        "{words}"
    );
    assert!(
        words.contains("--ignore-authorization-policies") && !words.contains('\n'),
        "{words}"
    );
    let accepting = Terms {
        ignore_authorization_policies: true,
        ..terms()
    };
    let status = Status::default();
    FileSource::load(options, accepting, status.clone()).expect("accepted");
    let loaded = status.state().loaded.expect("loaded");
    let told: Vec<_> = loaded
        .problems
        .iter()
        .map(|problem| problem.severity)
        .collect();
    assert_eq!(told, [Severity::Warning], "{:?}", loaded.problems);

    let mut world = world(&[("a.yaml", &entry("a", "a.test"))]);
    world.write("p.yaml", POLICY);
    world.write("b.yaml", &entry("b", "b.test"));
    world.look();
    assert_eq!(
        world.entries(),
        ["a"],
        "a restart would not start with it either"
    );
    assert!(
        world.rejections()[0].contains("AuthorizationPolicy default/p"),
        "{:?}",
        world.rejections()
    );
}

#[test]
fn following_picks_a_change_up_within_two_seconds() {
    let world = world(&[("a.yaml", &entry("a", "a.test"))]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    LocalSet::new().block_on(&runtime, async {
        let World {
            folder,
            source,
            current,
            status,
        } = world;
        let mut changes = current.changes();
        task::spawn_local(source.follow(Arc::clone(&current), Arc::new(Notify::new())));
        for name in ["b", "c", "d"] {
            write(
                folder.path(),
                &format!("{name}.yaml"),
                &entry(name, &format!("{name}.test")),
            );
            time::timeout(Duration::from_secs(2), changes.changed())
                .await
                .expect("in time")
                .expect("open");
        }
        assert_eq!(
            status
                .state()
                .loaded
                .expect("loaded")
                .counts
                .values()
                .sum::<usize>(),
            4
        );
    });
}
