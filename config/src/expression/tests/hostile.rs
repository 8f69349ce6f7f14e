//! Whatever is written, nothing panics, and the stack stays small.

use proptest::prelude::*;

use super::*;

#[test]
fn chains_may_be_long_and_nesting_may_not() {
    let many = |one: &str, joint: &str, times: usize| vec![one; times].join(joint);
    for joint in ["||", "&&"] {
        let long = many("connection.mtls", joint, 800);
        assert_eq!(value(&long), "false", "{joint}");
    }
    assert_eq!(value(&many("1", "+", 32)), "32");
    assert_eq!(
        value(&format!("{}1{}", "(".repeat(32), ")".repeat(32))),
        "1"
    );
    assert_eq!(value(&format!("{}true", "!".repeat(32))), "true");
    let nested = "nested too deeply";
    for text in [
        format!("{}1{}", "(".repeat(200), ")".repeat(200)),
        format!("{}1{}", "[".repeat(200), "]".repeat(200)),
        format!("{}true", "!".repeat(200)),
        format!("{}request.size", "-".repeat(200)),
        format!("request.path{}", "[0]".repeat(200)),
        format!("request.path{}", ".size()".repeat(200)),
        format!("{}1{}", "size(".repeat(200), ")".repeat(200)),
        format!("{}1", "true ? 1 : ".repeat(200)),
        many("request.size", "+", 200),
        many("request.size", "==", 200),
        many("(true", "||", 200),
    ] {
        assert!(
            value(&text).contains(nested),
            "{}: {}",
            &text[..20],
            value(&text)
        );
    }
    assert!(value(&"(".repeat(16 << 10)).contains(nested));
    let long = format!("'{}'", "a".repeat(16 << 10));
    assert_eq!(
        value(&long),
        "parse error: `'aaaaaaaaaaaaaaaaaaa`: longer than 16 KiB"
    );
}

/// Words that expressions are made of.
const TOKENS: &[&str] = &[
    "1",
    "0",
    "9223372036854775807",
    "-",
    "!",
    "+",
    "*",
    "/",
    "%",
    "==",
    "<",
    ">=",
    "&&",
    "||",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    ".",
    ",",
    "in",
    "has(",
    "size(",
    "int(",
    "string(",
    "duration(",
    "timestamp(",
    "'a'",
    "'1.5s'",
    "b'\\xff'",
    "1.5",
    "2u",
    "true",
    "null",
    "request.path",
    "request.headers",
    "['x']",
    "response.code",
    "request.time",
    ".getHours()",
    ".matches('a')",
    ".startsWith(",
    "request",
    ".size()",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = value(&text);
    }

    #[test]
    fn no_bytes_of_the_language_panic(text in "[-0-9a-z.'\"\\\\()\\[\\]!+*/%<>=&|?:, \nxu]{0,60}") {
        let _ = value(&text);
    }

    #[test]
    fn no_tokens_panic(tokens in proptest::collection::vec(proptest::sample::select(TOKENS), 0..30)) {
        let text = tokens.join(" ");
        let _ = value(&text);
        // What is understood is understood again, to the same value.
        if let Ok(expression) = Expression::parse(&text) {
            prop_assert_eq!(display(expression.evaluate(&Call)), value(expression.text()));
        }
    }

    #[test]
    fn numbers_are_ordered_as_in_arithmetic_without_limits(one in any::<i64>(), other in any::<u64>(), double in any::<f64>()) {
        let order = |left: &Value<'_>, right: &Value<'_>| left.order(right).ok().flatten();
        let (int, uint) = (Value::Int(one), Value::Uint(other));
        prop_assert_eq!(order(&int, &uint), Some(i128::from(one).cmp(&i128::from(other))));
        let double = Value::Double(double);
        prop_assert_eq!(order(&int, &double), order(&double, &int).map(std::cmp::Ordering::reverse));
        prop_assert_eq!(order(&uint, &double), order(&double, &uint).map(std::cmp::Ordering::reverse));
    }
}
