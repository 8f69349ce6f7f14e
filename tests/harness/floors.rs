//! Checks that modules of a crate only use modules on the floors below them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Returns one line for every use of a module that is not on a lower floor, and for every grouped import from
/// the crate's root, which would hide such a use.
///
/// `floors` lists top-level module names from the ground up. Modules that share a floor
/// may not use each other, so a cycle cannot be written without failing this check.
/// `lib.rs`, `main.rs` and tests may use everything.
#[must_use]
pub fn violations(src: &Path, floors: &[&[&str]]) -> Vec<String> {
    let level: BTreeMap<&str, usize> = floors
        .iter()
        .enumerate()
        .flat_map(|(level, names)| names.iter().map(move |name| (*name, level)))
        .collect();
    let mut found = Vec::new();
    for (file, text) in rust_files(src) {
        let module = top_level_module(&file);
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let Some(own) = level.get(module) else {
            found.push(format!("{file}: module `{module}` has no floor"));
            continue;
        };
        for line in text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.starts_with("//"))
        {
            if line.contains("use crate::{") && (line.starts_with("use") || line.starts_with("pub"))
            {
                found.push(format!(
                    "{file}: `use crate::{{..}}` hides what is used; one module a line"
                ));
            }
            for used in modules_used(line) {
                if used != module && level.get(used).is_some_and(|other| other >= own) {
                    found.push(format!("{file}: `{module}` may not use `{used}`"));
                }
            }
        }
    }
    found
}

fn rust_files(src: &Path) -> Vec<(String, String)> {
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

fn top_level_module(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

/// Finds `crate::name`.
fn modules_used(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}
