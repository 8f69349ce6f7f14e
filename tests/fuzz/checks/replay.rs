//! The corpus of a target in ordinary tests: what the fuzzer began with and found.

use std::path::Path;

/// Runs a target's check on every file of its corpus. The last name printed is that of the file that fails.
#[expect(clippy::print_stderr, reason = "shown only of a test that fails")]
pub(crate) fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let files = std::fs::read_dir(folder.join(target)).expect("the corpus is part of the project");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        eprintln!("{}", path.display());
        check(&std::fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    assert!(count > 10, "only {count} files");
}
