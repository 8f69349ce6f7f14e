//! The quick parser beside the YAML parser: what it reads means the same to both.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::format;
use super::super::format::Format;
use super::read;

/// A document, every scalar as text.
#[derive(Debug, PartialEq)]
enum Value {
    Null,
    Text(String),
    Number(u64),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    Other,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Other)
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(Value::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Value::Map(entries))
            }
        }
        from.deserialize_any(Any)
    }
}

/// A document in which every scalar is read as text, as the wire types do.
#[derive(Debug, PartialEq)]
struct Text(Value);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(from)
            .map(|scalar| Self(scalar.map_or(Value::Null, Value::Text)))
    }
}

/// Both parsers' results for a text, for those of the expected shape.
fn same<T: for<'de> Deserialize<'de> + PartialEq + fmt::Debug>(text: &str) -> Option<T> {
    let plain: T = read(text)?
        .deserialize(std::marker::PhantomData::<T>)
        .ok()?;
    let yaml = format::deserialize(Format::Yaml, text, std::marker::PhantomData::<T>);
    assert_eq!(Ok(&plain), yaml.as_ref(), "{text:?}");
    Some(plain)
}

#[test]
fn reads_what_people_write() {
    for text in [
        "a: b",
        "a: b # comment\nc: d",
        "---\na:\n  b:\n  - 1\n  - two\n  - \"three: 3\"\n  c: {d: e, f: [1, 2, 3], g: {}}\nh: []\n",
        "a:\n- b: c\n  d: e\n- f\n-\n- g:\n    h: i\n",
        "# only words\na: 'it'\nb: \"x y\"  # z\nc:\nd: ~\ne: null\n",
        "a: http://x:80/y\nb: 10.0.0.1:80\n",
        "networking.istio.io/exportTo: a\n\"*.x\": y\n",
        "  a: b\n  c:\n    - d\n",
        "a: {b: 'c, d', \"e\": f}\n",
    ] {
        assert!(read(text).is_some(), "{text:?}");
        let _ = same::<Value>(text);
    }
    assert_eq!(
        same::<Value>("a: 1\nb: [2, '3']\nc:\n  d: \"e\"\n"),
        Some(Value::Map(vec![
            ("a".to_owned(), Value::Number(1)),
            (
                "b".to_owned(),
                Value::List(vec![Value::Number(2), Value::Text("3".to_owned())])
            ),
            (
                "c".to_owned(),
                Value::Map(vec![("d".to_owned(), Value::Text("e".to_owned()))])
            ),
        ]))
    );
}

#[test]
fn gives_up_where_it_is_not_sure() {
    for text in [
        "",
        "# nothing",
        "a",
        "a: &x b\nc: *x",
        "a: !!str b",
        "a: |\n  text",
        "a: >\n  text",
        "a: b\n  c",
        "a: \"b\n  c\"",
        "a: \"b\\n\"",
        "a: 'it''s'",
        "a: b: c",
        "a: b\na: c",
        "a: {b: c, b: d}",
        "a: {b: c",
        "a: [b,\n  c]",
        "a:\tb",
        "a: b\r\n",
        "a: \u{e9}",
        "? a\n: b",
        "<<: {a: b}",
        "a:\n   b: c\n  d: e",
        "a:\n- b\n - c",
        "- - a",
        "a: b\n---\nc: d",
        "a: b\n...\n",
        "%YAML 1.2\n---\na: b",
        "a: @b",
        "a: *.example.com",
        "a: {b}",
        "a: [b, , c]",
        "a: \"b\" c",
    ] {
        assert!(read(text).is_none(), "{text:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    /// Lines put together by chance, most of them not YAML at all.
    #[test]
    fn agrees_with_the_parser(
        lines in proptest::collection::vec(
            ("( ){0,4}", "(- )?", "([a-c\"'.*-]{1,3}: ?)?", "[a-c0-9 :#,'\"{}\\[\\]~.*&!|>+-]{0,8}"),
            1..6,
        )
    ) {
        let text: String = lines
            .iter()
            .map(|(indent, dash, key, value)| format!("{indent}{dash}{key}{value}\n"))
            .collect();
        let _ = same::<Value>(&text);
        let _ = same::<std::collections::BTreeMap<String, Text>>(&text);
        let _ = same::<Vec<Text>>(&text);
        let _ = same::<std::collections::BTreeMap<String, Vec<Text>>>(&text);
        let _ = same::<std::collections::BTreeMap<String, bool>>(&text);
    }

    /// Words behind a key.
    #[test]
    fn spellings_mean_the_same(scalar in "[-+a-zA-Z0-9 :#,'\"{}\\[\\]~./_=*]{0,12}") {
        for text in [format!("a: {scalar}\n"), format!("- {scalar}\n"), format!("a: [{scalar}]\n"), format!("{scalar}: a\n")] {
            let _ = same::<Value>(&text);
            let _ = same::<std::collections::BTreeMap<String, Text>>(&text);
            let _ = same::<Vec<Text>>(&text);
            let _ = same::<std::collections::BTreeMap<String, Vec<Text>>>(&text);
            let _ = same::<std::collections::BTreeMap<String, bool>>(&text);
        }
    }
}
