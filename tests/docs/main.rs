//! The pages under `docs/` that are made from the code: each must be what the code says now. `EGRET_BLESS=1` rewrites
//! them. And what all papers say about files: each that they name exists.

#![allow(
    clippy::disallowed_methods,
    reason = "the runner gives its settings in the environment"
)]

mod flags;
mod ports;
mod admin;
mod access_log;
mod fields;
mod differences;
mod files;
mod metrics;
mod limits;
mod dashboard;

use std::fs;
use std::path::{Path, PathBuf};

/// The name of a page below `docs/`, and what makes it.
type Page = (&'static str, fn() -> String);

const PAGES: &[Page] = &[
    ("flags.md", flags::page),
    ("ports.md", ports::page),
    ("admin.md", admin::page),
    ("access-log.md", access_log::page),
    ("fields.md", fields::page),
    ("metrics.md", metrics::page),
    ("limits.md", limits::page),
    ("differences.md", differences::page),
];

const HEADER: &str = "<!-- Made from the code by `EGRET_BLESS=1 cargo test --package egret-proxy --test docs`. -->\n\n";

#[test]
fn generated_pages_say_what_the_code_says() {
    let stale: Vec<&str> = PAGES
        .iter()
        .filter(|(name, page)| {
            let file = root().join("docs").join(name);
            let text = format!("{HEADER}{}", page());
            if std::env::var_os("EGRET_BLESS").is_some() {
                fs::write(&file, &text).expect("docs/ can be written");
            }
            fs::read_to_string(file).unwrap_or_default() != text
        })
        .map(|(name, _)| *name)
        .collect();
    assert!(
        stale.is_empty(),
        "not what the code says: docs/{}; `EGRET_BLESS=1 cargo test --package egret-proxy --test docs` rewrites them",
        stale.join(", docs/")
    );
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A row of a table: cells with `|` escaped.
fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    format!("| {} |\n", cells.join(" | "))
}

/// The first two lines of a table.
fn header<const N: usize>(cells: [&str; N]) -> String {
    format!("{}|{}\n", row(cells), "---|".repeat(N))
}
