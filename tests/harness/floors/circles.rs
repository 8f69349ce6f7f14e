//! No files of a crate use each other in a circle, within a room either.
//!
//! A file uses another one when it
//! - names a path into it, from `crate::`, `super::` or `self::`, in a `use` or anywhere else; a path belongs to the
//!   deepest file on it, so `crate::a::Thing` is in `a.rs` even where `a.rs` only passes it on from `a/b.rs`, or
//! - declares it: `mod child;` in `parent.rs`.
//!
//! So `parent.rs` is above `parent/child.rs`, and a child that needs something of its parent shows that the thing
//! belongs into a file of its own, beside the child. `lib.rs` and `main.rs` are above everything. What tests use does
//! not count: neither `tests.rs`, `tests/`, nor a module behind `#[cfg(test)]` at the end of a file. A visibility such
//! as `pub(in crate::a)` is no use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::floors::sources::{code, rust_files};

/// Each file, by its path of modules, with those that it uses.
type Uses = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// Returns one line for each circle of files: their paths below `src` in order, with commas between.
#[must_use]
pub fn circles(src: &Path) -> Vec<String> {
    let uses = uses(&rust_files(src));
    let reached: BTreeMap<_, _> = uses.keys().map(|file| (file, reach(&uses, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, from_here) in &reached {
        if from_here.contains(*file) {
            let others = from_here
                .iter()
                .filter(|other| reached[*other].contains(*file));
            let files: Vec<_> = others
                .map(|other| format!("{}.rs", other.join("/")))
                .collect();
            circles.insert(files.join(", "));
        }
    }
    circles.into_iter().collect()
}

/// The files that a file uses, and those that they use, and so on.
fn reach(uses: &Uses, from: &[String]) -> BTreeSet<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(file) = left.pop() {
        for used in &uses[file] {
            if reached.insert(used.clone()) {
                left.push(used);
            }
        }
    }
    reached
}

fn uses(files: &[(String, String)]) -> Uses {
    let modules: BTreeMap<Vec<String>, &str> = files
        .iter()
        .filter(|(file, _)| file != "lib.rs" && file != "main.rs")
        .map(|(file, text)| (module(file), text.as_str()))
        .collect();
    let file_of = |path: &[String]| {
        (1..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|path| modules.contains_key(path))
    };
    modules
        .iter()
        .map(|(own, text)| {
            let paths = paths(&uses_only(text), own);
            let used = paths.iter().filter_map(|path| file_of(path));
            (own.clone(), used.filter(|used| used != own).collect())
        })
        .collect()
}

/// `a/b.rs` is `a::b`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    path.split('/').map(str::to_owned).collect()
}

/// The code of a file, without paths that only say who may see something.
fn uses_only(text: &str) -> String {
    let mut uses = String::new();
    for line in code(text) {
        let (before, rest) = line.split_once("pub(in ").unwrap_or((line, ""));
        uses.push_str(before);
        uses.push_str(rest.split_once(')').map_or("", |(_, after)| after));
        uses.push('\n');
    }
    uses
}

/// The paths from the crate's root that a file's code names or declares.
fn paths(code: &str, own: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (place, _) in code.match_indices("::") {
        let before = &code[..place];
        let start = before.rfind(|c: char| !is_name(c)).map_or(0, |at| at + 1);
        if before[..start].ends_with("::") || before[..start].ends_with('$') {
            continue;
        }
        let base = match &before[start..] {
            "crate" => &own[..0],
            "super" => &own[..own.len() - 1],
            "self" => own,
            _ => continue,
        };
        follow(&code[place + 2..], base.to_vec(), &mut paths);
    }
    for line in code
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
    {
        if let Some(child) = line
            .strip_prefix("mod ")
            .or(line.split_once(" mod ").map(|(_, name)| name))
            && child.chars().all(is_name)
        {
            paths.push([own, &[child.to_owned()]].concat());
        }
    }
    paths
}

/// Notes the path that goes on here, or all of them where it goes on in braces; gives what comes behind.
fn follow<'t>(text: &'t str, mut base: Vec<String>, paths: &mut Vec<Vec<String>>) -> &'t str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            // Behind the last comma.
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            rest = follow(rest, base.clone(), paths).trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name {
        "super" => drop(base.pop()),
        "self" | "" => {}
        name => base.push(name.to_owned()),
    }
    match rest.strip_prefix("::") {
        Some(rest) => follow(rest, base, paths),
        None => {
            paths.push(base);
            match rest.strip_prefix(" as ") {
                Some(renamed) => renamed.trim_start_matches(is_name),
                None => rest,
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
