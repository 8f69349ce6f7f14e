//! Modules use only modules on lower floors, and no files use each other in a circle, in every crate.

use std::fs;
use std::path::{Path, PathBuf};

use egret_tests::floors::{circles, split_imports, violations};

const CONFIG: &[&[&str]] = &[
    &[
        "name",
        "host",
        "cidr",
        "port",
        "address",
        "header_names",
        "headers",
        "grpc",
        "labels",
        "value",
        "fast_map",
    ],
    &["problem", "re2"],
    &["expression", "trace"],
    &["log_format"],
    &["wire"],
    &["model"],
    &["load"],
    &["snapshot"],
    &["view", "decide"],
    &["lint", "network_policy"],
];

const INJECT: &[&[&str]] = &[
    &["names", "scalar", "notice"],
    &["tree", "yaml"],
    &["json"],
    &["proxy_config"],
    &["mesh", "annotations"],
    &["settings"],
    &["record"],
    &[
        "decide",
        "plan",
        "probes",
        "prometheus",
        "volumes",
        "overrides",
    ],
    &["containers", "uninject"],
    &["inject", "workload"],
    &["manifest"],
];

const PROXY: &[&[&str]] = &[
    &["lock", "dice"],
    &["warning_interval", "logging", "failure"],
    &["sys", "life", "current"],
    &["report", "own_sockets"],
    &["sniff", "relay", "tls", "dns", "codec"],
    &["dial"],
    &["client"],
    &["upstream"],
    &["proxy"],
    &["http"],
    &["connection"],
    &["listen", "source", "trace"],
    &["commands"],
    &["admin", "bounds"],
    &["settings"],
    &["args"],
    &["app"],
];

const INIT: &[&[&str]] = &[
    &["args", "accounts", "addresses", "rules"],
    &["intent"],
    &["netlink", "render"],
    &["plan", "routes", "stale_rules"],
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
        "objects",
        "floors",
        "places",
        "exposition",
    ],
    &["netns", "origin"],
    &["topology"],
    &["process", "seccomp"],
    &["scrape", "client", "frames", "nginx"],
    &["egret", "envoy", "browser"],
];

#[test]
fn config_looks_only_down() {
    assert_eq!(
        violations(&source("config/src"), CONFIG),
        Vec::<String>::new()
    );
}

#[test]
fn inject_looks_only_down() {
    assert_eq!(
        violations(&source("inject/src"), INJECT),
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
fn no_files_use_each_other_in_a_circle() {
    for folder in [
        "config/src",
        "inject/src",
        "proxy/src",
        "init/src",
        "tests/harness",
    ] {
        assert_eq!(circles(&source(folder)), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn each_module_is_imported_by_one_use() {
    for folder in [
        "config/src",
        "inject/src",
        "proxy/src",
        "init/src",
        "tests/harness",
    ] {
        assert_eq!(split_imports(&source(folder)), Vec::<String>::new());
    }
}

#[test]
fn planted_imports_are_found() {
    let planted = tempfile::tempdir().unwrap();
    let text = "use a::b::C;\nuse a::b::{D, E};\npub use a::b::F;\nuse a::B;\n\nfn f() {\n    use a::b::G;\n}\n";
    fs::write(planted.path().join("file.rs"), text).unwrap();
    assert_eq!(
        split_imports(planted.path()),
        ["file.rs: `use a::b` stands twice"]
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

#[test]
fn planted_circles_are_found() {
    let planted = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = planted.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod one;\nmod other;\n");
    // Siblings, one of them in the middle of its code and one in braces.
    write("one.rs", "fn f() -> crate::other::Thing {}\n");
    write(
        "other.rs",
        "use crate::{\n    fine::Fine,\n    third::{self, X as Y},\n};\n",
    );
    write("third.rs", "use crate::one;\n");
    // A child that uses its parent, by either name.
    write(
        "parent.rs",
        "pub(crate) mod child;\npub use crate::parent::child::Thing;\n",
    );
    write("parent/child.rs", "use super::Other;\n");
    write("father.rs", "mod son;\n");
    write("father/son.rs", "use crate::father::Other;\n");
    // A list of children that ends in a comma does not name their parent.
    write("list.rs", "mod first;\nmod second;\n");
    write("list/first.rs", "use crate::list::{\n    second,\n};\n");
    write("list/second.rs", "");
    // What is no circle: comments, tests, visibility, siblings below a parent, and a macro's crate.
    write(
        "fine.rs",
        "mod low;\nmod high;\n#[cfg(test)]\nmod tests;\n// crate::third\n",
    );
    write(
        "fine/low.rs",
        "pub(in crate::fine) struct Low;\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::fine::high;\n}\n",
    );
    write(
        "fine/high.rs",
        "use super::low::Low;\nmacro_rules! m { () => { $crate::fine } }\n",
    );
    write("fine/tests.rs", "use crate::one;\n");
    assert_eq!(
        circles(planted.path()),
        [
            "father.rs, father/son.rs",
            "one.rs, other.rs, third.rs",
            "parent.rs, parent/child.rs",
        ]
    );
}

fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder)
}
