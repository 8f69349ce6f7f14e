//! How much memory a snapshot takes, as the operating system counts it: `cargo bench -p egret-config --bench memory`.
//!
//! A program of its own and not a Criterion bench, since what is counted is the whole process.

use std::fmt::Write as _;

use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};

/// ServiceEntries with HTTP and HTTPS ports, as most are.
fn service_entries(count: usize) -> String {
    let mut yaml = String::new();
    for at in 0..count {
        let _ = write!(
            yaml,
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: external-{at}\n  \
             namespace: team-{}\nspec:\n  hosts:\n  - api-{at}.example.com\n  location: MESH_EXTERNAL\n  ports:\n  \
             - number: 80\n    name: http\n    protocol: HTTP\n  - number: 443\n    name: https\n    protocol: HTTPS\n  \
             resolution: DNS\n",
            at % 20
        );
    }
    yaml
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("VmRSS is a number")
}

fn main() {
    let workload = Workload {
        mode: Mode::Sidecar,
        namespace: "default".into(),
        labels: Default::default(),
        addresses: Vec::new(),
        own_ports: Vec::new(),
        redirect_ports: vec![15001, 15006],
        dns_capture: false,
    };
    let mut out = String::new();
    for count in [10_000_usize, 20_000, 40_000] {
        let before = resident();
        let texts = [Text {
            file: "mesh.yaml".into(),
            bytes: service_entries(count).into_bytes(),
        }];
        let (objects, _) = load(&texts, None);
        drop(texts);
        let loaded = resident();
        let (snapshot, _) = Snapshot::build(&objects, workload.clone());
        let built = resident();
        drop(objects);
        let kept = resident();
        let _ = writeln!(
            out,
            "{count} ServiceEntries: {} KiB with the objects, {} KiB more with the snapshot, {} KiB without the objects; \
             {:.1} KiB an entry, {} clusters",
            loaded - before,
            built - loaded,
            kept - before,
            (kept - before) as f64 / count as f64,
            snapshot.clusters.len(),
        );
        drop(snapshot);
        // Memory that the allocator keeps would not be counted.
        if std::env::args().any(|argument| argument == "--one") {
            break;
        }
    }
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())
        .expect("the report is written");
}
