//! Any text as configuration: it is read, told about and built without a panic, with a bounded number of problems.

use egret_config::load::{Text, load};
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::{Mode, Workload};

/// Problems of one small text.
const PROBLEMS_MAX: usize = 1_000;

pub(crate) fn check(bytes: &[u8]) {
    let text = Text {
        file: "fuzz.yaml".into(),
        bytes: bytes.to_vec(),
    };
    let (objects, problems) = load(std::slice::from_ref(&text), Some(&text));
    assert!(problems.len() < PROBLEMS_MAX, "{} problems", problems.len());
    for problem in &problems {
        assert!(!problem.to_string().is_empty());
    }
    for mode in [Mode::Sidecar, Mode::Gateway] {
        let workload = Workload {
            mode,
            namespace: "default".into(),
            labels: Default::default(),
            addresses: vec![[10, 0, 0, 1].into()],
            own_ports: Vec::new(),
            redirect_ports: vec![15001],
            dns_capture: false,
        };
        let (_, problems) = Snapshot::build(&objects, workload);
        assert!(problems.len() < PROBLEMS_MAX, "{} problems", problems.len());
    }
}
