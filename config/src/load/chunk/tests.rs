use super::{Chunk, documents};

fn cut(text: &str) -> Vec<(u32, Option<u32>, &str)> {
    documents(text)
        .map(|chunk| (chunk.line, chunk.first_line(), chunk.text))
        .collect()
}

#[test]
fn separators_at_column_zero_cut() {
    assert_eq!(cut(""), []);
    assert_eq!(cut("a: 1"), [(1, Some(1), "a: 1")]);
    assert_eq!(
        cut("a: 1\n---\nb: 2\n"),
        [(1, Some(1), "a: 1\n"), (2, Some(3), "---\nb: 2\n"),]
    );
    assert_eq!(
        cut("---\r\n# only words\r\n---\r\nb: 2\r\n"),
        [
            (1, None, "---\r\n# only words\r\n"),
            (3, Some(4), "---\r\nb: 2\r\n"),
        ]
    );
    assert_eq!(
        cut("%YAML 1.2\n--- {a: 1}\n...\nb: 2\n"),
        [
            (1, None, "%YAML 1.2\n"),
            (2, Some(2), "--- {a: 1}"),
            (4, Some(4), "b: 2\n"),
        ]
    );
}

#[test]
fn what_only_looks_like_a_separator_does_not_cut() {
    for text in [
        "a: |\n  ---\n  b\n",
        "a: x---y\n----\n",
        "a: \"---\"\n ---\n",
    ] {
        assert_eq!(cut(text), [(1, Some(1), text)], "{text:?}");
    }
}

#[test]
fn a_key_is_found_when_it_stands_once() {
    let chunk = Chunk {
        text: "spec:\n  - rout: 1\n    route: 2\n  {\"b\": 3}\n  - route: 4\n",
        line: 10,
    };
    for (key, line) in [
        ("rout", Some(11)),
        ("route", None),
        ("b", Some(13)),
        ("x", None),
    ] {
        assert_eq!(chunk.line_of_key(key), line, "{key}");
    }
}
