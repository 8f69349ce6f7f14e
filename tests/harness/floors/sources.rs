//! The Rust files of a crate, without its tests.

use std::fs;
use std::path::Path;

/// Returns the path below `src` and the text of each Rust file, in order of their paths; `tests.rs` and what is below
/// a folder `tests` is left out.
pub(in crate::floors) fn rust_files(src: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![src.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the source folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.ends_with("tests") || path.ends_with("tests.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let name = path
                    .strip_prefix(src)
                    .expect("the path is below src")
                    .display()
                    .to_string();
                files.push((
                    name,
                    fs::read_to_string(&path).expect("the file is readable"),
                ));
            }
        }
    }
    files.sort();
    files
}

/// The lines of a file without comments and without the tests at its end.
pub(in crate::floors) fn code(text: &str) -> impl Iterator<Item = &str> {
    let mut behind_cfg_test = false;
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .take_while(move |line| {
            let tests = behind_cfg_test && line.starts_with("mod ") && line.ends_with('{');
            behind_cfg_test = *line == "#[cfg(test)]";
            !tests
        })
}
