//! Texts that are no texts, too large or too deep, and those that hold secrets.

use super::*;
use crate::load::limits::JSON_BREAKS_MAX;

#[test]
fn secrets_stay_secret() {
    for broken in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: VERYSECRET\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: [VERYSECRET\n",
        "data: {a: [VERYSECRET]}\napiVersion: v1\nkind: Secret\n",
    ] {
        let (documents, problems) = read(&[text("f", broken)]);
        assert_eq!((documents.len(), problems.len()), (0, 1), "{broken}");
        assert!(
            !format!("{problems:?}").contains("VERYSECRET"),
            "{problems:?}"
        );
    }
    let (documents, _) = read(&[text(
        "f",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: VERYSECRET}\n",
    )]);
    assert!(!format!("{documents:?}").contains("VERYSECRET"));
}

#[test]
fn texts_that_are_no_texts() {
    let (documents, problems) = read(&[Text {
        file: "f".into(),
        bytes: b"a: 1\nb: \xff\n".to_vec(),
    }]);
    assert_eq!(documents.len(), 0);
    assert_eq!(
        problems[0].to_string(),
        "f:2: not UTF-8, the file is left out"
    );
    for empty in ["", "\n\n", "# words\n---\n---\n", "\u{feff}"] {
        check(empty, &[], &[]);
    }
    check(
        "\u{feff}apiVersion: v1\r\nkind: Service\r\nmetadata:\r\n  name: a\r\n",
        &["Service /a @ 1"],
        &[],
    );
}

#[test]
fn an_alias_bomb_is_refused_and_hides_nothing() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            [below.as_str(); 9].join(", ")
        ));
    }
    let content = format!(
        "{ENTRY}  {}---\n{}",
        bomb.replace('\n', "\n  ").trim_end_matches(' '),
        entry("  hosts: [a]\n")
    );
    let (documents, problems) = outcome("f.yaml", &content);
    assert_eq!(documents.len(), 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("refused"), "{problems:?}");
    check(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: &l {app: a}}\nspec: {selector: *l}\n",
        &["Service /a @ 1"],
        &[],
    );
}

#[test]
fn deep_nesting_is_refused() {
    for deep in [
        "[".repeat(20_000),
        "{\"a\":".repeat(20_000),
        "{a: ".repeat(20_000),
    ] {
        let (documents, problems) = read(&[text("f", &deep)]);
        assert_eq!((documents.len(), problems.len()), (0, 1), "{problems:?}");
    }
}

#[test]
fn a_large_file_is_read_in_proportion_to_its_size() {
    let many = format!("{}---\n", entry("  hosts: [a.b]\n")).repeat(3_000);
    let (documents, problems) = outcome("f.yaml", &many);
    assert_eq!((documents.len(), problems.len()), (3_000, 0));
    assert_eq!(
        documents[2_999],
        format!("ServiceEntry /a @ {}", 2_999 * 6 + 1)
    );
}

#[test]
fn what_is_too_much_is_refused_in_one_problem() {
    let large = entry(&format!(
        "  hosts:\n{}",
        "  - a.example.com\n".repeat(DOCUMENT_BYTES_MAX / 16)
    ));
    check(
        &format!("{large}---\n{}", entry("  hosts: [a]\n")),
        &[&format!("ServiceEntry /a @ {}", large.lines().count() + 2)],
        &["f.yaml:1: a document larger than 8 MiB, left out; no API server would store it"],
    );
    let (documents, problems) = outcome("f.json", &"{\n".repeat(1_000));
    assert_eq!((documents.len(), problems.len()), (0, JSON_BREAKS_MAX + 1));
    let (documents, problems) = outcome("f.yaml", &"---\na: 1\n".repeat(DOCUMENTS_MAX + 10));
    assert_eq!((documents.len(), problems.len()), (0, DOCUMENTS_MAX + 1));
    let unknown: String = (0..1_000).map(|n| format!("  x{n}: 1\n")).collect();
    let (documents, problems) = outcome("f.yaml", &entry(&unknown));
    assert_eq!((documents.len(), problems.len()), (1, 50));
}
