//! What is written in one place: how a poisoned lock is treated, and where chance comes from.

use std::fs;
use std::path::Path;

use egret_tests::floors::outside_home;

/// Words of the proxy, each with the one file that may write it.
const PROXY: &[(&str, &str)] = &[("PoisonError", "lock.rs"), ("fastrand::", "dice.rs")];

/// Words that a crate does without.
const OTHERS: &[(&str, &str)] = &[("PoisonError", "no file"), ("fastrand::", "no file")];

#[test]
fn each_word_is_written_at_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (folder, homes) in [("proxy", PROXY), ("config", OTHERS), ("init", OTHERS)] {
        let src = root.join(folder).join("src");
        assert_eq!(outside_home(&src, homes), Vec::<String>::new());
    }
    for (word, home) in PROXY {
        let text = fs::read_to_string(root.join("proxy/src").join(home)).unwrap();
        assert!(text.contains(word), "`{word}` is not in `{home}`");
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
