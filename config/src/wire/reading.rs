//! How values are read: leniently where protobuf's JSON form is lenient, and always knowing the path.
//!
//! serde derives know neither the path of an error nor which other names a field could have been, so the shapes are
//! read through [`Shape`], which carries a [`Reading`] along.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// One step from a document's root towards a value.
#[derive(Clone, Debug)]
enum Step {
    /// A field that a shape knows, in its snake-case name.
    Field(&'static str),
    /// A key of a map whose keys belong to the user.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// A field that will have no effect.
#[derive(Clone, Debug)]
pub(crate) struct Ignored {
    /// The whole path, as `spec.http[0].rout`.
    pub(crate) path: String,
    /// The last part of the path.
    pub(crate) key: String,
    /// Why.
    pub(crate) why: Why,
}

/// Why a field has no effect.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// No shape knows it; maybe a known field of the same object has nearly the same name.
    Unknown(Option<String>),
    /// egret does not act on it yet; what happens, and what to write instead.
    Unsupported(&'static str),
}

/// How many fields without effect are told of a document.
const IGNORED_MAX: usize = 50;

/// Where the reader of one document stands, and what it met there.
///
/// The path is left standing when a value cannot be read, so that it names the place of the error.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    path: RefCell<Vec<Step>>,
    ignored: RefCell<Vec<Ignored>>,
}

impl Reading {
    /// The path of the value being read.
    pub(crate) fn path(&self) -> String {
        let mut text = String::new();
        for step in self.path.borrow().iter() {
            match step {
                Step::Field(name) => push_key(&mut text, &camel_case(name)),
                Step::Key(key) => push_key(&mut text, key),
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    /// Takes the fields met so far that will have no effect.
    pub(crate) fn take_ignored(&self) -> Vec<Ignored> {
        self.ignored.take()
    }

    /// Notes a field that is none of `names`.
    pub(crate) fn note_unknown(&self, key: &str, names: &[&[&'static str]]) {
        self.note(key, Why::Unknown(nearest(key, names)));
    }

    /// Notes a known field that egret does not act on yet.
    pub(crate) fn note_unsupported(&self, key: &str, words: &'static str) {
        self.note(key, Why::Unsupported(words));
    }

    fn note(&self, key: &str, why: Why) {
        if self.ignored.borrow().len() == IGNORED_MAX {
            return;
        }
        let mut path = self.path();
        push_key(&mut path, key);
        let key = key.to_owned();
        self.ignored.borrow_mut().push(Ignored { path, key, why });
    }

    /// Reads the value of the known field `name`.
    pub(crate) fn field<'de, A, T>(&self, map: &mut A, name: &'static str) -> Result<T, A::Error>
    where
        A: MapAccess<'de>,
        T: Shape<'de>,
    {
        self.path.borrow_mut().push(Step::Field(name));
        let value = map.next_value_seed(Seed::new(self))?;
        self.path.borrow_mut().pop();
        Ok(value)
    }

    /// Reads `spec` into the shape that its kind chose.
    pub(crate) fn spec<'de, A, T>(&self, map: &mut A, spec: &mut T) -> Result<bool, A::Error>
    where
        A: MapAccess<'de>,
        T: Shape<'de>,
    {
        *spec = self.field(map, "spec")?;
        Ok(true)
    }

    fn step<T, E>(&self, step: Step, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(step);
        let value = read()?;
        self.path.borrow_mut().pop();
        Ok(value)
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Something that can be read from a document; `null` gives the unset value.
pub(crate) trait Shape<'de>: Sized {
    /// Reads it where the deserializer stands.
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error>;
}

/// [`Shape::read`] as serde wants it.
pub(crate) struct Seed<'a, T> {
    reading: &'a Reading,
    shape: PhantomData<T>,
}

impl<'a, T> Seed<'a, T> {
    /// A seed that reads one `T`.
    pub(crate) fn new(reading: &'a Reading) -> Self {
        Self {
            reading,
            shape: PhantomData,
        }
    }
}

impl<'de, T: Shape<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(from, self.reading)
    }
}

/// A key, borrowed from the text where possible.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Words)
    }
}

impl<'de> Shape<'de> for String {
    fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}

impl<'de> Shape<'de> for bool {
    fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or_default())
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        struct Maybe<'a, T>(&'a Reading, PhantomData<T>);
        impl<'de, T: Shape<'de>> Visitor<'de> for Maybe<'_, T> {
            type Value = Option<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }
            fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
                Ok(None)
            }
            fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
                Ok(None)
            }
            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
                T::read(from, self.0).map(Some)
            }
        }
        from.deserialize_option(Maybe(reading, PhantomData))
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Box<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        T::read(from, reading).map(Self::new)
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        Ok(Option::<List<T>>::read(from, reading)?.map_or_else(Self::new, |list| list.0))
    }
}

struct List<T>(Vec<T>);

impl<'de, T: Shape<'de>> Shape<'de> for List<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        struct Elements<'a, T>(&'a Reading, PhantomData<T>);
        impl<'de, T: Shape<'de>> Visitor<'de> for Elements<'_, T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = self.0.step(Step::Index(list.len()), || {
                    seq.next_element_seed(Seed::new(self.0))
                })? {
                    list.push(element);
                }
                Ok(List(list))
            }
        }
        from.deserialize_seq(Elements(reading, PhantomData))
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for BTreeMap<String, T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        Ok(Option::<Table<T>>::read(from, reading)?.map_or_else(Self::new, |table| table.0))
    }
}

struct Table<T>(BTreeMap<String, T>);

impl<'de, T: Shape<'de>> Shape<'de> for Table<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        struct Entries<'a, T>(&'a Reading, PhantomData<T>);
        impl<'de, T: Shape<'de>> Visitor<'de> for Entries<'_, T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<T>, A::Error> {
                let mut table = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value = self.0.step(Step::Key(key.clone()), || {
                        map.next_value_seed(Seed::new(self.0))
                    })?;
                    if table.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("key `{key}` is set twice")));
                    }
                    table.insert(key, value);
                }
                Ok(Table(table))
            }
        }
        from.deserialize_map(Entries(reading, PhantomData))
    }
}

/// A value that is read over without a word. Its presence is all that is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose;

impl<'de> Shape<'de> for Loose {
    fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(from)?;
        Ok(Self)
    }
}

/// Either a number or a word, as Kubernetes' `targetPort` is; kept as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberOrWord(pub String);

impl<'de> Shape<'de> for NumberOrWord {
    fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = NumberOrWord;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a word")
            }
            fn visit_unit<E: Error>(self) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord::default())
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord(number.to_string()))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord(number.to_string()))
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<NumberOrWord, E> {
                Ok(NumberOrWord(word.to_owned()))
            }
        }
        from.deserialize_any(Either)
    }
}

/// Numbers may be written as strings, as protobuf's JSON form allows; whole numbers also as `5.0`.
macro_rules! number {
    ($type:ty, $expected:literal, $from_float:expr) => {
        impl<'de> Shape<'de> for $type {
            fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
                struct Digits;
                impl Visitor<'_> for Digits {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_unit<E: Error>(self) -> Result<$type, E> {
                        Ok(<$type>::default())
                    }
                    fn visit_u64<E: Error>(self, number: u64) -> Result<$type, E> {
                        let exact: Option<$type> = Exact::exact(number as i128);
                        exact.ok_or_else(|| {
                            E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)
                        })
                    }
                    fn visit_i64<E: Error>(self, number: i64) -> Result<$type, E> {
                        let exact: Option<$type> = Exact::exact(number as i128);
                        exact.ok_or_else(|| {
                            E::invalid_value(serde::de::Unexpected::Signed(number), &self)
                        })
                    }
                    fn visit_f64<E: Error>(self, number: f64) -> Result<$type, E> {
                        let convert: fn(f64) -> Option<$type> = $from_float;
                        convert(number).ok_or_else(|| {
                            E::invalid_value(serde::de::Unexpected::Float(number), &self)
                        })
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        text.trim()
                            .parse()
                            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
                    }
                }
                from.deserialize_any(Digits)
            }
        }
    };
}

number!(u32, "a whole number from 0 to 4294967295", whole);
number!(u64, "a whole number, not negative", whole);
number!(i32, "a whole number", whole);
number!(f64, "a number", Some);

/// A number that holds a whole one exactly, or not at all.
trait Exact: Sized {
    fn exact(number: i128) -> Option<Self>;
}

macro_rules! exact {
    ($($type:ty),*) => {
        $(impl Exact for $type {
            fn exact(number: i128) -> Option<Self> {
                Self::try_from(number).ok()
            }
        })*
    };
}

exact!(u32, u64, i32);

impl Exact for f64 {
    fn exact(number: i128) -> Option<Self> {
        Some(number as Self)
    }
}

fn whole<T: Exact>(number: f64) -> Option<T> {
    (number.fract() == 0.0 && number.abs() < 1e15).then(|| T::exact(number as i128))?
}

/// Whether `key`, as a user wrote it, is the field `name`: in snake case or in lower camel case.
pub(crate) fn is_field(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut key = key.bytes();
    let mut upper = false;
    for byte in name.bytes() {
        if byte == b'_' {
            upper = true;
            continue;
        }
        let wanted = if upper {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        upper = false;
        if key.next() != Some(wanted) {
            return false;
        }
    }
    key.next().is_none()
}

/// A snake-case name as users usually write it.
pub(crate) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            camel.push(c.to_ascii_uppercase());
            upper = false;
        } else {
            camel.push(c);
        }
    }
    camel
}

/// The known name that `key` is nearest to, if near enough to be a slip of the pen.
fn nearest(key: &str, names: &[&[&'static str]]) -> Option<String> {
    if key.len() > 64 {
        return None;
    }
    let near = key.len() / 4 + 1;
    names
        .iter()
        .flat_map(|names| names.iter())
        .map(|name| camel_case(name))
        .map(|name| {
            (
                distance(&key.to_ascii_lowercase(), &name.to_ascii_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be inserted, removed or replaced to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<u8> = b.bytes().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
