//! Words that are written in one file of a crate and nowhere else.

use std::path::Path;

use crate::floors::sources::{code, rust_files};

/// Returns one line for each file that writes a word outside the word's home. `homes` has each word with the file, as a
/// path below `src`, that may write it. Tests may write everything.
#[must_use]
pub fn outside_home(src: &Path, homes: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust_files(src) {
        for (word, home) in homes {
            if file != *home && code(&text).any(|line| line.contains(word)) {
                found.push(format!("{file}: `{word}` belongs into `{home}`"));
            }
        }
    }
    found
}
