//! What is written in one place: how a poisoned lock is treated, where chance comes from, and what headers, statuses of
//! gRPC and well-known ports are called.

use std::fs;
use std::path::Path;

use egret_tests::floors::outside_home;

/// Words of the crates, each with the one file of the crate that may write it.
const CONFIG: &[(&str, &str)] = &[
    ("HeaderName::from_static", "header_names.rs"),
    ("\"grpc-status\"", "header_names.rs"),
    ("\"UNAVAILABLE\"", "grpc.rs"),
    ("15000", "port/well_known.rs"),
    ("15001", "port/well_known.rs"),
    ("15002", "port/well_known.rs"),
    ("15006", "port/well_known.rs"),
    ("15008", "port/well_known.rs"),
    ("15020", "port/well_known.rs"),
    ("15021", "port/well_known.rs"),
    ("15053", "port/well_known.rs"),
    ("15090", "port/well_known.rs"),
];
const PROXY: &[(&str, &str)] = &[("PoisonError", "lock.rs"), ("fastrand::", "dice.rs")];
const INIT: &[(&str, &str)] = &[];
const INJECT: &[(&str, &str)] = &[];

#[test]
fn each_word_is_written_at_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = [
        ("config", CONFIG),
        ("proxy", PROXY),
        ("init", INIT),
        ("inject", INJECT),
    ];
    for (folder, own) in crates {
        let src = root.join(folder).join("src");
        for (word, home) in own {
            let text = fs::read_to_string(src.join(home)).unwrap();
            assert!(
                text.contains(word),
                "`{word}` is not in `{folder}/src/{home}`"
            );
        }
        // What is at home in another crate is at home in no file of this one.
        let others = crates.iter().filter(|(other, _)| *other != folder);
        let others =
            others.flat_map(|(_, words)| words.iter().map(|(word, _)| (*word, "another crate")));
        let homes: Vec<_> = own.iter().copied().chain(others).collect();
        assert_eq!(outside_home(&src, &homes), Vec::<String>::new());
    }
}

#[test]
fn planted_words_are_found() {
    let planted = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(planted.path().join(name), text).unwrap();
    write("home.rs", "use std::sync::PoisonError;\n");
    write("away.rs", "fn f() { PoisonError::into_inner }\n");
    write(
        "fine.rs",
        "// PoisonError\n#[cfg(test)]\nmod tests {\n    use std::sync::PoisonError;\n}\n",
    );
    write("tests.rs", "use std::sync::PoisonError;\n");
    assert_eq!(
        outside_home(planted.path(), &[("PoisonError", "home.rs")]),
        ["away.rs: `PoisonError` belongs into `home.rs`"]
    );
}
