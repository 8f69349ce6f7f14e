use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scalar;

#[test]
fn scalars_stay_as_written() {
    let text = "big: 12345678901234567890123\nfraction: 1.50\nyes: yes\nquoted: \"yes\"\nport: 80\nhalf: 1.5\nold: 0123\nhex: 0x1F\nnone: null\n";
    let tree = read(text).unwrap();
    assert_eq!(
        write(&tree.value),
        text.replace("\nyes: yes", "\n\"yes\": yes")
    );
    assert_eq!(tree.lines.get("/port"), Some(&5));
}

#[test]
fn strings_that_would_be_read_otherwise_are_quoted() {
    let words = [
        "yes", "0123", "12:30:45", "1e3", "null", "", "~", "a: b", "# a", "*a", "- a", "-1",
        "a #b", "true", "@x", "a:",
    ];
    for word in words {
        let written = write(&json!({ "a": word }));
        assert_eq!(written, format!("a: \"{word}\"\n"));
    }
    assert_eq!(write(&json!({"a": "{\"b\":1}"})), "a: '{\"b\":1}'\n");
    assert_eq!(write(&json!({"a": "-p"})), "a: -p\n");
}

#[test]
fn lists_and_blocks_have_the_form_of_kubernetes_tools() {
    let value =
        json!({"a": [{"b": 1, "c": [1, [2, 3], {}]}, []], "s": "one\ntwo\n", "t": "one\n\n two"});
    let text = "a:\n- b: 1\n  c:\n  - 1\n  - - 2\n    - 3\n  - {}\n- []\ns: |\n  one\n  two\nt: |-\n  one\n\n   two\n";
    assert_eq!(write(&value), text);
    assert_eq!(read(text).unwrap().value, value);
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    let text = "a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n";
    let value = json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"c": 3, "b": 1}});
    assert_eq!(read(text).unwrap().value, value);
}

#[test]
fn what_cannot_be_read_names_its_line() {
    assert_eq!(
        read("a: 1\na: 2\n").unwrap_err(),
        (2, "the key \"a\" stands twice".to_owned())
    );
    assert_eq!(read("a: 1\nb: [\n").unwrap_err().0, 2);
    assert!(read("? [a]\n: b\n").is_err());
    let bomb: String = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [*a{m}, *a{m}]\n", m = n - 1)
    });
    assert!(read(&bomb).unwrap_err().1.contains("values"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(|text| Value::String(scalar::string(&text))),
        "[-a-z0-9:#. \n'\"\\\\]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[ -~]{0,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = write(&value);
        let tree = read(&text).map_err(|error| TestCaseError::fail(format!("{error:?}\n{text}")))?;
        prop_assert_eq!(tree.value, value, "{}", text);
    }
}
