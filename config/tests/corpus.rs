//! Replays what the fuzzer of the YAML loader began with and found: whatever a text says, it is read, told about and built
//! without a panic, in bounded time, with a bounded number of problems.

use std::path::Path;

use egret_config::load::Text;
use egret_config::load::load;
use egret_config::snapshot::Snapshot;
use egret_config::snapshot::workload::Mode;
use egret_config::snapshot::workload::Workload;

#[test]
fn every_text_of_the_corpus_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus/yaml");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("the corpus is part of the project") {
        let path = file.expect("the folder can be listed").path();
        let bytes = std::fs::read(&path).expect("the file can be read");
        let text = Text {
            file: path.display().to_string().into(),
            bytes,
        };
        let (objects, problems) = load(std::slice::from_ref(&text), Some(&text));
        assert!(problems.len() < 1_000, "{}", path.display());
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
            let (_, told) = Snapshot::build(&objects, workload);
            assert!(told.len() < 1_000, "{}", path.display());
        }
        count += 1;
    }
    assert!(count > 20, "only {count} texts");
}
