//! Replays what the fuzzer of the YAML loader began with and found.

#[path = "../../tests/fuzz/checks/replay.rs"]
mod replay;
#[path = "../../tests/fuzz/checks/yaml.rs"]
mod yaml;

use crate::replay::replay;

#[test]
fn texts() {
    replay("yaml", yaml::check);
}
