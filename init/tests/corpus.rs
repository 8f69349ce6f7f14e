//! Replays what the fuzzer of flags and environment began with and found.

#[path = "../../tests/fuzz/checks/init_flags.rs"]
mod init_flags;
#[path = "../../tests/fuzz/checks/replay.rs"]
mod replay;

use crate::replay::replay;

#[test]
fn flags() {
    replay("init_flags", init_flags::check);
}
