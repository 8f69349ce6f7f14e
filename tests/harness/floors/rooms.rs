//! Modules of a crate use only modules on the floors below them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::floors::sources::rust_files;

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
