//! One `use` for each module that a file takes from.

use std::collections::BTreeSet;
use std::path::Path;

use crate::floors::sources::rust_files;

/// Returns one line for each module that a file's head names in two `use` lines of the same visibility.
///
/// The head of a file ends with its first item that is neither a `use` nor a `mod`; imports inside of functions and
/// inline modules are not looked at.
#[must_use]
pub fn split_imports(src: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust_files(src) {
        let mut seen = BTreeSet::new();
        for import in text.lines().filter_map(import) {
            if !seen.insert(import) {
                let (visibility, module) = import;
                found.push(format!("{file}: `{visibility}use {module}` stands twice"));
            }
        }
    }
    found
}

/// The visibility and the module of a `use` line that stands at the margin; items in braces may go on below it.
fn import(line: &str) -> Option<(&str, &str)> {
    let at = line.find("use ")?;
    let (visibility, path) = (&line[..at], &line[at + "use ".len()..]);
    if !visibility.is_empty() && !visibility.starts_with("pub") {
        return None;
    }
    let (module, _) = path.rsplit_once("::{").or_else(|| path.rsplit_once("::"))?;
    // Modules of the crate's root stand a line each, where the floors can be seen.
    (module != "crate").then_some((visibility, module))
}
