//! Modules use only modules on lower floors, in every crate.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use egret_tests::floors::violations;

const CONFIG: &[&[&str]] = &[
    &["name", "host", "cidr", "port", "labels", "value"],
    &["problem"],
    &["wire"],
    &["model"],
    &["load"],
    &["snapshot"],
    &["decide"],
    &["lint"],
];

const PROXY: &[&[&str]] = &[
    &["sys", "life", "current", "failure"],
    &["report"],
    &["sniff", "relay", "tls", "dns", "message"],
    &["upstream"],
    &["proxy"],
    &["tcp"],
    &["http"],
    &["identify"],
    &["connection"],
    &["listen", "source"],
    &["explain", "check"],
    &["admin"],
    &["settings"],
    &["args"],
    &["app"],
];

const INIT: &[&[&str]] = &[
    &["args", "accounts", "addresses", "rules"],
    &["intent"],
    &["netlink", "render"],
    &["plan", "routes", "leftovers"],
    &["explain", "programs"],
    &["apply", "verify", "probe"],
    &["run"],
];

const HARNESS: &[&[&str]] = &[
    &[
        "privilege",
        "ledger",
        "certs",
        "names",
        "folder",
        "floors",
        "places",
    ],
    &["netns", "origin"],
    &["topology"],
    &["process"],
    &["scrape", "client", "frames", "nginx"],
    &["egret", "envoy"],
];

#[test]
fn config_looks_only_down() {
    assert_eq!(
        violations(&source("config/src"), CONFIG),
        Vec::<String>::new()
    );
}

#[test]
fn proxy_looks_only_down() {
    assert_eq!(
        violations(&source("proxy/src"), PROXY),
        Vec::<String>::new()
    );
}

#[test]
fn init_looks_only_down() {
    assert_eq!(violations(&source("init/src"), INIT), Vec::<String>::new());
}

#[test]
fn harness_looks_only_down() {
    assert_eq!(
        violations(&source("tests/harness"), HARNESS),
        Vec::<String>::new()
    );
}

#[test]
fn planted_faults_are_found() {
    let planted = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(planted.path().join(name), text).unwrap();
    write("low.rs", "use crate::high::Thing;\n");
    write("high.rs", "use crate::low::Fine;\n/// See crate::higher.\n");
    write(
        "beside.rs",
        "fn f() { crate::high::g() }\npub use crate::{low};\n",
    );
    write("nowhere.rs", "");
    write("lib.rs", "pub use crate::high::Thing;\n");
    assert_eq!(
        violations(planted.path(), &[&["low"], &["high", "beside"]]),
        [
            "beside.rs: `beside` may not use `high`",
            "beside.rs: `use crate::{..}` hides what is used; one module a line",
            "low.rs: `low` may not use `high`",
            "nowhere.rs: module `nowhere` has no floor",
        ]
    );
}

fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder)
}
