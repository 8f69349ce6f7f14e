//! Files that the papers name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// Folders whose files papers name; other words with a slash are no files of the repository.
const FOLDERS: &[&str] = &["config/", "proxy/", "init/", "tests/", "scripts/", "docs/"];

#[test]
fn papers_name_files_that_exist() {
    let root = root();
    let mut missing = Vec::new();
    let pages = papers(&root);
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).expect("a paper is readable");
        let folder = page.parent().unwrap_or(&root);
        for name in code_spans(&text).filter_map(named_file) {
            if !root.join(name).exists() {
                missing.push(format!("{}: `{name}`", page.display()));
            }
        }
        for link in links(&text) {
            if !folder.join(link).exists() {
                missing.push(format!("{}: ({link})", page.display()));
            }
        }
    }
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "papers name files that do not exist"
    );
}

/// All Markdown files of the repository's root, of `docs` and of `init`.
fn papers(root: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "init"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is readable");
        let files = entries.map(|entry| entry.expect("the entry is readable").path());
        pages.extend(
            files.filter(|path| path.extension().is_some_and(|extension| extension == "md")),
        );
    }
    pages.sort();
    pages
}

fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The file at the beginning of a code span; `NAME` stands for a name that the reader chooses.
fn named_file(span: &str) -> Option<&str> {
    let name = span.strip_prefix("./").unwrap_or(span).split(' ').next()?;
    let is_file = FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains("NAME");
    is_file.then_some(name)
}

/// Where links lead within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let target = target.split('#').next()?;
        (!target.is_empty() && !target.contains("://")).then_some(target)
    })
}
