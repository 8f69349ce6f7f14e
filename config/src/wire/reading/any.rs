//! A value of a document, whichever parser has it.
//!
//! serde's traits are generic over the parser, so whatever is written against them is compiled once for each of the three
//! parsers: for all shapes together that was an eighth of the proxy. Shapes are read through the traits of this file
//! instead, and only this file is compiled three times. Errors of the parsers pass through unchanged, with their lines.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Why a value could not be read.
#[derive(Debug)]
pub(crate) enum ShapeError {
    /// For a reason that the parser gave; its error is kept beside the parser.
    Parser,
    /// It is of another kind than what was expected.
    Kind,
    /// It is of the expected kind, and outside of its range.
    Range,
    /// It breaks this rule.
    Rule(String),
}

/// What a value is read as. Formats in which a scalar can have several types need it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// Its apparent type.
    Any,
    /// Something or null.
    Option,
    /// A list.
    List,
    /// A mapping.
    Mapping,
    /// A text.
    Text,
    /// True or false.
    Boolean,
}

/// Reads a value into what the closure has borrowed.
pub(crate) type Read<'r, 'de> = &'r mut dyn FnMut(&mut dyn AnyValue<'de>) -> Result<(), ShapeError>;

/// What a document is read into.
pub(crate) trait Target<'de> {
    /// Reads the document.
    fn read(&mut self, from: &mut dyn AnyValue<'de>) -> Result<(), ShapeError>;
}

/// A value that is not read yet. It can be read once.
pub(crate) trait AnyValue<'de> {
    /// Reads it as `expected`, and passes the value to `visit`.
    fn read(&mut self, expected: Expected, visit: &mut dyn Visit<'de>) -> Result<(), ShapeError>;

    /// Skips it.
    fn skip(&mut self) -> Result<(), ShapeError>;
}

/// A list that is being read.
pub(crate) trait AnyList<'de> {
    /// Reads the next element; `false` at the end.
    fn next(&mut self, read: Read<'_, 'de>) -> Result<bool, ShapeError>;
}

/// A mapping that is being read.
pub(crate) trait AnyMap<'de> {
    /// The next key; `None` at the end.
    fn key(&mut self) -> Result<Option<Cow<'de, str>>, ShapeError>;

    /// Reads the value of the last key.
    fn value(&mut self, read: Read<'_, 'de>) -> Result<(), ShapeError>;

    /// Skips the value of the last key.
    fn skip(&mut self) -> Result<(), ShapeError>;
}

/// Takes a value, as [`Visitor`] does. What is not overridden is not expected.
pub(crate) trait Visit<'de> {
    /// What is expected, after the word "expected".
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Null, or nothing.
    fn null(&mut self) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// Something, where it could have been null.
    fn some(&mut self, _: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// True or false.
    fn boolean(&mut self, _: bool) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// A whole number that is not negative.
    fn unsigned(&mut self, _: u64) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// A negative whole number.
    fn signed(&mut self, _: i64) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// Any other number.
    fn float(&mut self, _: f64) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// A text.
    fn text(&mut self, _: Cow<'_, str>) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// A list.
    fn list(&mut self, _: &mut dyn AnyList<'de>) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }

    /// A mapping.
    fn mapping(&mut self, _: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
        Err(ShapeError::Kind)
    }
}

/// Reads the value at a parser's position.
///
/// # Errors
/// Those of the parser, and what `read` refuses as an error of the parser.
pub(crate) fn read<'de, D: Deserializer<'de>>(
    from: D,
    read: Read<'_, 'de>,
) -> Result<(), D::Error> {
    let mut value = Parser {
        from: Some(from),
        error: None,
    };
    read(&mut value).map_err(|broken| broken.error(value.error))
}

impl ShapeError {
    /// As an error of a parser; `own` is the one that it gave.
    fn error<E: Error>(self, own: Option<E>) -> E {
        match (self, own) {
            (_, Some(own)) => own,
            (Self::Rule(rule), None) => E::custom(rule),
            (Self::Parser | Self::Kind | Self::Range, None) => E::custom("not expected here"),
        }
    }
}

struct Parser<D, E> {
    from: Option<D>,
    error: Option<E>,
}

impl<'de, D: Deserializer<'de>> Parser<D, D::Error> {
    fn once<T>(&mut self, read: impl FnOnce(D) -> Result<T, D::Error>) -> Result<T, ShapeError> {
        let from = self.from.take();
        let from = from.ok_or_else(|| ShapeError::Rule("a value is read once".to_owned()))?;
        read(from).map_err(|error| {
            self.error = Some(error);
            ShapeError::Parser
        })
    }
}

impl<'de, D: Deserializer<'de>> AnyValue<'de> for Parser<D, D::Error> {
    fn read(&mut self, expected: Expected, visit: &mut dyn Visit<'de>) -> Result<(), ShapeError> {
        let visitor = Forward(visit);
        self.once(|from| match expected {
            Expected::Any => from.deserialize_any(visitor),
            Expected::Option => from.deserialize_option(visitor),
            Expected::List => from.deserialize_seq(visitor),
            Expected::Mapping => from.deserialize_map(visitor),
            Expected::Text => from.deserialize_string(visitor),
            Expected::Boolean => from.deserialize_bool(visitor),
        })
    }

    fn skip(&mut self) -> Result<(), ShapeError> {
        self.once(|from| IgnoredAny::deserialize(from).map(drop))
    }
}

/// A [`Visit`] as serde's visitor.
struct Forward<'v, 'de>(&'v mut dyn Visit<'de>);

impl Forward<'_, '_> {
    fn refused<E: Error>(&self, broken: ShapeError, unexpected: Unexpected<'_>) -> E {
        match broken {
            ShapeError::Kind => E::invalid_type(unexpected, &Expecting(&*self.0)),
            ShapeError::Range => E::invalid_value(unexpected, &Expecting(&*self.0)),
            ShapeError::Parser | ShapeError::Rule(_) => broken.error(None),
        }
    }
}

struct Expecting<'v, 'de>(&'v dyn Visit<'de>);

impl serde::de::Expected for Expecting<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

impl<'de> Visitor<'de> for Forward<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        let done = self.0.null();
        done.map_err(|broken| self.refused(broken, Unexpected::Unit))
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        let done = self.0.null();
        done.map_err(|broken| self.refused(broken, Unexpected::Option))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        read(from, &mut |value| self.0.some(value))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let done = self.0.boolean(value);
        done.map_err(|broken| self.refused(broken, Unexpected::Bool(value)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        let done = self.0.unsigned(number);
        done.map_err(|broken| self.refused(broken, Unexpected::Unsigned(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        let done = self.0.signed(number);
        done.map_err(|broken| self.refused(broken, Unexpected::Signed(number)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        let done = self.0.float(number);
        done.map_err(|broken| self.refused(broken, Unexpected::Float(number)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let done = self.0.text(Cow::Borrowed(text));
        done.map_err(|broken| self.refused(broken, Unexpected::Str(text)))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<(), E> {
        // Numbers that are written as texts are few and short, so the copy for the error costs nothing elsewhere.
        self.visit_str(&text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let mut list = Access {
            access: list,
            error: None,
        };
        let done = self.0.list(&mut list);
        done.map_err(|broken| match list.error {
            Some(error) => error,
            None => self.refused(broken, Unexpected::Seq),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut map = Access {
            access: map,
            error: None,
        };
        let done = self.0.mapping(&mut map);
        done.map_err(|broken| match map.error {
            Some(error) => error,
            None => self.refused(broken, Unexpected::Map),
        })
    }
}

/// A list or a mapping, with the error that its parser gave.
struct Access<A, E> {
    access: A,
    error: Option<E>,
}

impl<A, E> Access<A, E> {
    fn keep<T>(&mut self, result: Result<T, E>) -> Result<T, ShapeError> {
        result.map_err(|error| {
            self.error = Some(error);
            ShapeError::Parser
        })
    }
}

impl<'de, A: SeqAccess<'de>> AnyList<'de> for Access<A, A::Error> {
    fn next(&mut self, read: Read<'_, 'de>) -> Result<bool, ShapeError> {
        let next = self.access.next_element_seed(Seed(read));
        self.keep(next).map(|element| element.is_some())
    }
}

impl<'de, A: MapAccess<'de>> AnyMap<'de> for Access<A, A::Error> {
    fn key(&mut self) -> Result<Option<Cow<'de, str>>, ShapeError> {
        let key = self.access.next_key::<Key<'de>>();
        self.keep(key).map(|key| key.map(|Key(key)| key))
    }

    fn value(&mut self, read: Read<'_, 'de>) -> Result<(), ShapeError> {
        let value = self.access.next_value_seed(Seed(read));
        self.keep(value)
    }

    fn skip(&mut self) -> Result<(), ShapeError> {
        let value = self.access.next_value::<IgnoredAny>();
        self.keep(value).map(drop)
    }
}

/// [`read`] for serde.
pub(crate) struct Seed<'r, 'de>(pub(crate) Read<'r, 'de>);

impl<'de> DeserializeSeed<'de> for Seed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        read(from, self.0)
    }
}

/// A key, borrowed from the text where possible.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
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
        from.deserialize_str(Text)
    }
}
