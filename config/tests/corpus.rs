//! Replays what the fuzzers of the YAML loader and the trace headers began with and found.

#[path = "../../tests/fuzz/checks/replay.rs"]
mod replay;
#[path = "../../tests/fuzz/checks/trace.rs"]
mod trace;
#[path = "../../tests/fuzz/checks/yaml.rs"]
mod yaml;

use crate::replay::replay;

#[test]
fn texts() {
    replay("yaml", yaml::check);
}

#[test]
fn headers_of_traces() {
    replay("trace", trace::check);
}
