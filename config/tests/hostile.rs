//! Hostile texts: each ends in a clear problem, or is read, within bounded time and memory, and hides no
//! good document beside it.

#![allow(clippy::disallowed_types, reason = "bounds of real time, and no tokio")]

use std::time::{Duration, Instant};

use egret_config::load::{Text, documents};
use egret_config::problem::Problem;

/// What the slowest of these may take on a busy machine, without optimisation; most take milliseconds.
const TIME_MAX: Duration = Duration::from_secs(60);

/// The most bytes that the process may ever have had at once, the texts themselves included.
const MEMORY_MAX: u64 = 1 << 30;

const GOOD: &str = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: good}\nspec: {hosts: [a.b]}\n";
const BEGUN: &str =
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: bad}\nspec:\n";

/// Reads a text between two good documents. Those are found, with `others` beside them, and the problems contain these
/// texts, in order.
#[track_caller]
fn between(text: &[u8], others: usize, expected: &[&str]) {
    let good = GOOD.as_bytes();
    let whole = [good, b"---\n", text, b"\n---\n", good].concat();
    check(whole, others + 2, expected);
}

#[track_caller]
fn check(bytes: Vec<u8>, expected_documents: usize, expected: &[&str]) {
    let begins: String = bytes
        .iter()
        .take(300)
        .map(|byte| char::from(*byte))
        .collect();
    let begun = Instant::now();
    let text = Text {
        file: "f".into(),
        bytes,
    };
    let read = documents(std::slice::from_ref(&text), None);
    let took = begun.elapsed();
    assert_eq!(read.list.len(), expected_documents, "{begins:?}");
    let messages: Vec<String> = read.problems.iter().map(Problem::to_string).collect();
    assert_eq!(messages.len(), expected.len(), "{begins:?}: {messages:?}");
    for (problem, part) in messages.iter().zip(expected) {
        assert!(problem.len() < 1_000, "{begins:?}: {} bytes", problem.len());
        assert!(problem.contains(part), "{begins:?}: {problem}");
    }
    assert!(took < TIME_MAX, "{begins:?}: {took:?}");
    let memory = peak_memory();
    assert!(memory < MEMORY_MAX, "{begins:?}: {memory} bytes");
}

/// The most memory that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = number
        .and_then(|number| number.parse().ok())
        .expect("a number of KiB");
    kib << 10
}

/// A ServiceEntry whose specification is this.
fn spec(text: &str) -> Vec<u8> {
    let mut whole = BEGUN.to_owned();
    for line in text.lines() {
        whole.push_str("  ");
        whole.push_str(line);
        whole.push('\n');
    }
    whole.into()
}

const REFUSED: &str =
    "refused: nested too deep, or aliases would multiply it beyond all proportion";

#[test]
fn aliases_that_multiply_are_refused() {
    let mut laughs = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    let mut merged = String::from("a0: &a0 {x0: 1, y0: 1}\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        merged.push_str(&format!(
            "a{level}: &a{level} {{<<: [{below}], x{level}: 1}}\n"
        ));
    }
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..5_000 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    let items = "x, ".repeat(30_000);
    let wide = format!("a: &a [{items}]\nb:\n{}", "- *a\n".repeat(10_000));
    for text in [laughs, merged, chain, wide] {
        between(&spec(&text), 0, &[REFUSED]);
    }
    between(&spec("a: &a [*a]"), 0, &["recursive references"]);
    between(&spec("a: *nobody"), 0, &["not well-formed YAML, left out"]);
}

#[test]
fn depth_is_refused() {
    let indented = |depth: usize| format!("{}a:\n", " ".repeat(depth));
    let block: String = (0..2_000).map(indented).collect();
    for (text, expected) in [
        (block, REFUSED),
        ("- ".repeat(100_000), REFUSED),
        ("? ".repeat(100_000), REFUSED),
        ("[".repeat(100_000), "recursion limit exceeded"),
        ("{a: ".repeat(100_000), "recursion limit exceeded"),
        ("!a ".repeat(100_000), "not well-formed YAML, left out"),
    ] {
        between(&spec(&text), 0, &[expected]);
    }
    let expected = "not well-formed JSON, left out";
    check("[".repeat(1 << 20).into(), 0, &[expected]);
    check("{\"a\":".repeat(1 << 20).into(), 0, &[expected]);
}

#[test]
fn large_values_are_read_in_time() {
    let large = "x".repeat(4 << 20);
    between(&spec(&format!("hosts: [{large}]")), 1, &[]);
    between(&spec(&format!("hosts: [\"{large}\"]")), 1, &[]);
    between(&spec(&format!("{large}: 1")), 1, &["spec.xxxx"]);
    let lines = "  x\n".repeat(1 << 20);
    between(&spec(&format!("hosts: |\n{lines}")), 0, &["spec.hosts"]);
}

#[test]
fn a_text_of_a_hundred_megabytes_is_refused_where_it_is_too_large() {
    const LARGE: usize = 100 << 20;
    let expected = "a document larger than 8 MiB, left out";
    between(&vec![b'x'; LARGE], 0, &[expected]);
    between(&vec![b'['; LARGE], 0, &[expected]);
    between(&vec![b'#'; LARGE], 0, &[]);
    check(
        vec![b' '; (256 << 20) + 1],
        0,
        &["larger than 256 MiB, left out; split it"],
    );
}

#[test]
fn many_lines_take_time_in_proportion() {
    const LARGE: usize = 9 << 20;
    let expected = "a document larger than 8 MiB, left out";
    between(&"- a\n".repeat(LARGE / 4).into_bytes(), 0, &[expected]);
    between(&vec![b'\n'; LARGE / 8], 0, &[]);
    between(&vec![b' '; LARGE], 0, &[]);
    between(&"---\n".repeat(LARGE / 32).into_bytes(), 0, &[]);
    check(vec![b'{'; LARGE], 0, &["not well-formed JSON, left out"]);
}

#[test]
fn a_hundred_thousand_documents_are_read() {
    check(format!("---\n{GOOD}").repeat(100_000).into(), 100_000, &[]);
    let wrong = vec!["apiVersion and kind are missing"; 100_000];
    check("{}\n".repeat(100_000).into(), 0, &wrong);
}

#[test]
fn what_is_not_utf8_is_reported_with_its_line() {
    for text in [
        &b"a: \xff"[..],
        b"\xff\xfea\0:\0",
        b"\xc0\x80",
        b"\xed\xa0\x80",
    ] {
        let whole = [GOOD.as_bytes(), text].concat();
        check(whole, 0, &["f:5: not UTF-8, the file is left out"]);
    }
}

#[test]
fn odd_bytes_spoil_their_document_alone() {
    for (text, expected) in [
        (&b"a: \0b"[..], "unexpected character"),
        (b"\0", "unexpected character"),
        (b"a: \"b\0\"", "unexpected character"),
        (b"a: \x1b[2J", "unexpected character"),
        (
            b"\xef\xbb\xbfa: 1",
            "a BOM must not appear inside a document",
        ),
        (b"a:\n\t- b", "f:7: "),
        (
            b"a: 1\na: 2",
            "f:7: \"a: 2\": not well-formed YAML, left out: this key is set twice",
        ),
        (b"a: 1\rb: 2", "f:6: neither apiVersion and kind"),
        (b"a: !!binary x", "invalid !!binary base64"),
        (b"a: 'b", "not well-formed YAML, left out"),
        (b"a: \"\\ud800\"", "high surrogate"),
        (b"a: 1e999999999", "f:6: neither apiVersion and kind"),
    ] {
        between(text, 0, &[expected]);
    }
    between(
        &spec("hosts: [a]\nhosts: [b]"),
        0,
        &[
            "f:11: ServiceEntry default/bad: \"hosts: [b]\": not well-formed YAML, left out: this key is set twice",
        ],
    );
    between(
        &spec("hosts: [a]\n\tports: []"),
        0,
        &["f:11: ServiceEntry default/bad: "],
    );
}

#[test]
fn marks_and_line_ends_of_windows_are_read() {
    let text = format!("\u{feff}{GOOD}---\n{GOOD}").replace('\n', "\r\n");
    check(text.into(), 2, &[]);
}
