//! Any text as calls: lines of JSON as `explain --calls` reads them when the text begins with `{`, else a query of the
//! admin page. Each is decided and told about, or refused in words, without a panic.

use std::fs;
use std::path::PathBuf;

use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};
use egret_proxy::commands::explain::{Calls, Options, Output, live};
use egret_proxy::source::files;

/// A configuration with something of every kind that calls can meet.
const WORLD: &str = include_str!("calls.yaml");

thread_local! {
    static SNAPSHOTS: Vec<Snapshot> = [Mode::Sidecar, Mode::Gateway].map(snapshot).into();
    static FOLDER: Folder = Folder::new();
}

pub(crate) fn check(bytes: &[u8]) {
    if bytes.starts_with(b"{") {
        FOLDER.with(|folder| folder.lines(bytes));
    } else if let Ok(query) = std::str::from_utf8(bytes) {
        SNAPSHOTS.with(|snapshots| {
            for snapshot in snapshots {
                for output in [Output::Text, Output::Json] {
                    match live::explain(snapshot, &|_| None, query, output, &[]) {
                        Ok(told) => assert!(!told.is_empty()),
                        Err(wrong) => assert!(!wrong.to_string().is_empty()),
                    }
                }
            }
        });
    }
}

/// Where files are that `explain` reads; gone with the thread.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("egret-calls-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder can be made");
        fs::write(path.join("world.yaml"), WORLD).expect("a file can be written");
        Self(path)
    }

    fn lines(&self, bytes: &[u8]) {
        let calls = self.0.join("calls");
        fs::write(&calls, bytes).expect("a file can be written");
        for mode in [Mode::Sidecar, Mode::Gateway] {
            let output = match mode {
                Mode::Sidecar => Output::Text,
                Mode::Gateway => Output::Json,
            };
            let options = Options {
                source: files::Options {
                    paths: vec![self.0.join("world.yaml")],
                    mesh_config: None,
                },
                workload: workload(mode),
                dns_capture: true,
                calls: Calls::File(calls.clone()),
                output,
            };
            let (mut out, mut complaints) = (Vec::new(), Vec::new());
            let _ = egret_proxy::commands::explain::run(&options, &mut out, &mut complaints);
            assert!(std::str::from_utf8(&out).is_ok());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn snapshot(mode: Mode) -> Snapshot {
    let text = Text {
        file: "world.yaml".into(),
        bytes: WORLD.into(),
    };
    let (objects, problems) = load(&[text], None);
    assert_eq!(problems.len(), 0, "{problems:?}");
    Snapshot::build(&objects, workload(mode)).0
}

fn workload(mode: Mode) -> Workload {
    Workload {
        mode,
        namespace: "default".into(),
        labels: [("app", "egress")].into_iter().collect(),
        addresses: vec![[10, 0, 0, 9].into()],
        own_ports: vec![15000],
        redirect_ports: vec![15001],
        dns_capture: true,
    }
}
