//! Configuration that is deleted, halved, replaced without a pause, swapped, unreadable, too large, or on a full disk, while
//! clients call: no call is lost, the last good configuration stays in force, and the next good one is taken.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use egret_tests::egret;
use egret_tests::folder::fixture;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::process::resident;
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::mount::MsFlags;

use crate::helpers::calls::{Load, Target};
use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

/// The name whose registration shows that a good configuration is taken again.
const LATER: &str = "later.example";

/// Calls that end between two steps of a fault.
const BETWEEN: u64 = 100;

/// How much memory may grow while a fault is read: the unit is KiB.
const GROWTH_MAX: u64 = 192 << 10;

fn entry(host: &str) -> String {
    let entry = ServiceEntry::new(host).port(80, "HTTP");
    entry.at([ELSEWHERE.v4()]).to_string()
}

/// A folder of configuration below a small disk of its own, in a pod.
struct Disk<'p> {
    pod: &'p Host,
    path: PathBuf,
}

/// Bytes of the disk. A configuration takes a page for each file.
const DISK: &str = "size=128k,mode=755";

impl<'p> Disk<'p> {
    fn new(world: &World, pod: &'p Host) -> anyhow::Result<Self> {
        let path = world.folder().join("disk");
        fs::create_dir(&path)?;
        let disk = Self { pod, path };
        fs_in(pod, disk.path.clone(), |path| {
            let (none, tmpfs) = (None::<&str>, Some("tmpfs"));
            Ok(nix::mount::mount(
                none,
                path,
                tmpfs,
                MsFlags::empty(),
                Some(DISK),
            )?)
        })?;
        fs_in(pod, disk.folder(), |folder| fs::create_dir(folder))?;
        disk.write("mesh.yaml", &fixture(REGISTRY_ONLY)?)?;
        disk.write("elsewhere.yaml", &entry(ELSEWHERE.name))?;
        Ok(disk)
    }

    /// What the proxy reads.
    fn folder(&self) -> PathBuf {
        self.path.join("config")
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let text = text.to_owned();
        fs_in(self.pod, self.folder().join(name), move |path| {
            fs::write(path, text)
        })
    }

    /// Does something with a file of the configuration.
    fn file(
        &self,
        name: &str,
        act: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        fs_in(self.pod, self.folder().join(name), act)
    }
}

/// Does something with a path as a pod sees it.
fn fs_in(
    pod: &Host,
    path: PathBuf,
    act: impl FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let name = path.display().to_string();
    pod.run(move || act(&path)).context(name)
}

/// What happens to the configuration while the load runs, and the statuses that calls to a registered host may have.
struct Fault {
    name: &'static str,
    act: fn(&Disk<'_>, &Load) -> anyhow::Result<()>,
    statuses: &'static [u16],
    /// What the log says about it.
    logged: &'static [&'static str],
    /// Brings back what a write of the same files would not.
    mend: fn(&Disk<'_>) -> anyhow::Result<()>,
}

const NOTHING: fn(&Disk<'_>) -> anyhow::Result<()> = |_| Ok(());

const FAULTS: [Fault; 10] = [
    Fault {
        name: "a file is deleted",
        act: |disk, load| {
            disk.file("elsewhere.yaml", |path| fs::remove_file(path))?;
            load.await_answers(502, BETWEEN)
        },
        statuses: &[200, 502],
        logged: &[],
        mend: NOTHING,
    },
    Fault {
        name: "the folder is deleted",
        act: |disk, load| {
            disk.file("", |path| fs::remove_dir_all(path))?;
            load.await_calls(BETWEEN)
        },
        statuses: &[200, 502],
        logged: &["config"],
        mend: |disk| disk.file("", |path| fs::create_dir(path)),
    },
    Fault {
        name: "a file is halved",
        act: |disk, load| {
            let text = entry(ELSEWHERE.name);
            disk.write("elsewhere.yaml", &text[..text.len() / 2])?;
            load.await_calls(BETWEEN)
        },
        statuses: &[200],
        logged: &["elsewhere.yaml"],
        mend: NOTHING,
    },
    Fault {
        name: "a file is replaced without a pause",
        act: |disk, load| {
            for round in 0..300 {
                let other = entry(&format!("round-{round}.example"));
                disk.write("new", &format!("{}---\n{other}", entry(ELSEWHERE.name)))?;
                disk.file("new", |path| {
                    fs::rename(path, path.with_file_name("elsewhere.yaml"))
                })?;
                load.await_calls(2)?;
            }
            Ok(())
        },
        statuses: &[200],
        logged: &[],
        mend: NOTHING,
    },
    Fault {
        name: "a file is rewritten in place without a pause",
        act: |disk, load| {
            for round in 0..300 {
                let other = entry(&format!("round-{round}.example"));
                disk.write(
                    "elsewhere.yaml",
                    &format!("{}---\n{other}", entry(ELSEWHERE.name)),
                )?;
                load.await_calls(2)?;
            }
            Ok(())
        },
        statuses: &[200],
        logged: &[],
        mend: NOTHING,
    },
    Fault {
        name: "the folder is swapped",
        act: |disk, load| {
            for round in ["a", "b", "c"] {
                let texts = [
                    ("mesh.yaml", fixture(REGISTRY_ONLY)?),
                    ("elsewhere.yaml", entry(ELSEWHERE.name)),
                ];
                disk.file("", move |path| {
                    let (new, old) = (path.with_file_name("new"), path.with_file_name(round));
                    fs::create_dir(&new)?;
                    for (name, text) in texts {
                        fs::write(new.join(name), text)?;
                    }
                    fs::rename(path, old)?;
                    fs::rename(new, path)
                })?;
                load.await_calls(BETWEEN)?;
            }
            Ok(())
        },
        statuses: &[200],
        logged: &[],
        mend: NOTHING,
    },
    Fault {
        name: "the disk is full",
        act: |disk, load| {
            let long = format!("hosts: ['{}.example', ", "x".repeat(1 << 20));
            let text = entry(ELSEWHERE.name).replace("hosts: [", &long);
            let full = disk.write("elsewhere.yaml", &text);
            let error = full.err().context("the disk is small")?;
            anyhow::ensure!(format!("{error:#}").contains("No space left"), "{error:#}");
            load.await_calls(BETWEEN)?;
            // What is left of this one is a comment.
            let comment = format!("# {}\n{}", "x".repeat(1 << 20), fixture(REGISTRY_ONLY)?);
            let empty = disk.write("mesh.yaml", &comment);
            anyhow::ensure!(empty.is_err(), "the disk is full");
            load.await_calls(BETWEEN)
        },
        statuses: &[200],
        logged: &["elsewhere.yaml", "unclosed quote"],
        mend: NOTHING,
    },
    Fault {
        name: "permission is lost",
        act: |disk, load| {
            for (name, mode) in [("elsewhere.yaml", 0o000), ("", 0o000)] {
                disk.file(name, move |path| {
                    fs::set_permissions(path, fs::Permissions::from_mode(mode))
                })?;
                load.await_calls(BETWEEN)?;
            }
            Ok(())
        },
        statuses: &[200],
        logged: &["permission denied"],
        mend: |disk| {
            for (name, mode) in [("", 0o755), ("elsewhere.yaml", 0o644)] {
                disk.file(name, move |path| {
                    fs::set_permissions(path, fs::Permissions::from_mode(mode))
                })?;
            }
            Ok(())
        },
    },
    Fault {
        name: "50 MB of aliases",
        act: |disk, load| {
            // Too large for the small disk, so the file there is a link to it.
            let large = disk.path.with_file_name("aliases.yaml");
            let aliases = "*a,".repeat(50_000_000 / 3);
            fs::write(&large, format!("a: &a [x]\nb: [{aliases}]\n"))?;
            disk.file("new", move |link| {
                symlink(large, link)?;
                fs::rename(link, link.with_file_name("elsewhere.yaml"))
            })?;
            load.await_calls(BETWEEN)
        },
        statuses: &[200],
        logged: &["elsewhere.yaml", "8 MiB"],
        mend: |disk| disk.file("elsewhere.yaml", |path| fs::remove_file(path)),
    },
    Fault {
        name: "aliases that multiply",
        act: |disk, load| {
            let mut bomb = entry(ELSEWHERE.name) + "  a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
            for level in 1..9 {
                let below = format!("*a{}, ", level - 1).repeat(9);
                bomb.push_str(&format!("  a{level}: &a{level} [{below}]\n"));
            }
            disk.write("elsewhere.yaml", &bomb)?;
            load.await_calls(BETWEEN)
        },
        statuses: &[200],
        logged: &["elsewhere.yaml", "refused"],
        mend: NOTHING,
    },
];

#[test]
fn each_call_is_answered_and_the_next_good_configuration_is_taken() -> anyhow::Result<()> {
    for fault in FAULTS {
        suffer(&fault).with_context(|| fault.name)?;
    }
    Ok(())
}

fn suffer(fault: &Fault) -> anyhow::Result<()> {
    let world = World::new("faults-configuration", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "ok\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let disk = Disk::new(&world, &pod)?;
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(&disk.folder())
        .start(&world, &pod)?;
    let load = Load::start(&pod, &Target::elsewhere());
    load.await_answers(200, BETWEEN)?;
    let memory = resident(sidecar.id())?;
    (fault.act)(&disk, &load)?;
    if !fault.logged.is_empty() {
        sidecar.await_log(fault.logged)?;
    }
    load.await_calls(BETWEEN)?;
    let grown = resident(sidecar.id())?.saturating_sub(memory);
    assert!(grown < GROWTH_MAX, "{}: {grown} KiB", fault.name);
    let later = Target::named(LATER);
    assert_eq!(later.call(&pod, 1).of(502), 1, "{}", fault.name);

    (fault.mend)(&disk)?;
    let both = format!("{}---\n{}", entry(ELSEWHERE.name), entry(LATER));
    disk.write("elsewhere.yaml", &both)?;
    disk.write("mesh.yaml", &fixture(REGISTRY_ONLY)?)?;
    stage::until(|| Ok(later.call(&pod, 1).of(200) == 1))?;
    load.await_answers(200, BETWEEN)?;
    load.finish().assert_answered(fault.statuses, fault.name);
    assert_eq!(sidecar.page("/ready")?.status, 200, "{}", fault.name);
    Ok(())
}
