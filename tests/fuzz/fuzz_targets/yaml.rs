//! Any text as configuration: it is read, told about and built without a panic, whatever it says.

#![no_main]

use egret_config::load::Text;
use egret_config::load::load;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Mode;
use egret_config::snapshot::workload::Workload;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = Text {
        file: "fuzz.yaml".into(),
        bytes: bytes.to_vec(),
    };
    let (objects, _) = load(&[text.clone()], Some(&text));
    for mode in [Mode::Sidecar, Mode::Gateway] {
        let workload = Workload {
            mode,
            namespace: "default".into(),
            labels: Default::default(),
            addresses: vec!["10.0.0.1".parse().expect("an address")],
            own_ports: Vec::new(),
            redirect_ports: vec![15001],
            dns_capture: false,
        };
        let _ = Snapshot::build(&objects, workload);
    }
});
