//! Texts, switches, lists and tables, and what may be left out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::wire::reading::any::{AnyList, AnyMap, AnyValue, Expected, Read, ShapeError, Visit};
use crate::wire::reading::shape::{Reading, Shape, Step};
#[cfg(test)]
use crate::wire::schema::Schema;

/// Reads a value that may be null; `read` is called when it is not.
fn optional<'de>(from: &mut dyn AnyValue<'de>, read: Read<'_, 'de>) -> Result<(), ShapeError> {
    struct Optional<'r, 'de>(Read<'r, 'de>);
    impl<'de> Visit<'de> for Optional<'_, 'de> {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value or null")
        }
        fn null(&mut self) -> Result<(), ShapeError> {
            Ok(())
        }
        fn some(&mut self, value: &mut dyn AnyValue<'de>) -> Result<(), ShapeError> {
            (self.0)(value)
        }
    }
    from.read(Expected::Option, &mut Optional(read))
}

impl<'de> Shape<'de> for String {
    fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
        struct Text(String);
        impl Visit<'_> for Text {
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn text(&mut self, text: Cow<'_, str>) -> Result<(), ShapeError> {
                self.0 = text.into_owned();
                Ok(())
            }
        }
        let mut text = Text(Self::new());
        optional(from, &mut |from| from.read(Expected::Text, &mut text))?;
        Ok(text.0)
    }
}

impl<'de> Shape<'de> for bool {
    fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
        struct Switch(bool);
        impl Visit<'_> for Switch {
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean")
            }
            fn boolean(&mut self, value: bool) -> Result<(), ShapeError> {
                self.0 = value;
                Ok(())
            }
        }
        let mut switch = Switch(false);
        optional(from, &mut |from| from.read(Expected::Boolean, &mut switch))?;
        Ok(switch.0)
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Option<T> {
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError> {
        let mut value = None;
        optional(from, &mut |from| {
            value = Some(T::read(from, reading)?);
            Ok(())
        })?;
        Ok(value)
    }

    #[cfg(test)]
    fn schema() -> Schema {
        T::schema()
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Box<T> {
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError> {
        T::read(from, reading).map(Self::new)
    }

    #[cfg(test)]
    fn schema() -> Schema {
        T::schema()
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Vec<T> {
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError> {
        let mut list = Self::new();
        optional(from, &mut |from| {
            read_list(from, reading, &mut |element| {
                list.push(T::read(element, reading)?);
                Ok(())
            })
        })?;
        Ok(list)
    }

    #[cfg(test)]
    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }
}

/// Reads a list, element by element.
fn read_list<'de>(
    from: &mut dyn AnyValue<'de>,
    reading: &Reading,
    read: Read<'_, 'de>,
) -> Result<(), ShapeError> {
    struct Elements<'a, 'r, 'de>(&'a Reading, Read<'r, 'de>);
    impl<'de> Visit<'de> for Elements<'_, '_, 'de> {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn list(&mut self, list: &mut dyn AnyList<'de>) -> Result<(), ShapeError> {
            let mut index = 0;
            while self.0.step(Step::Index(index), || list.next(self.1))? {
                index += 1;
            }
            Ok(())
        }
    }
    from.read(Expected::List, &mut Elements(reading, read))
}

impl<'de, T: Shape<'de>> Shape<'de> for BTreeMap<String, T> {
    fn read(from: &mut dyn AnyValue<'de>, reading: &Reading) -> Result<Self, ShapeError> {
        let mut table = Self::new();
        optional(from, &mut |from| {
            read_table(from, reading, &mut |key, value| {
                let value = T::read(value, reading)?;
                Ok(table.insert(key, value).is_none())
            })
        })?;
        Ok(table)
    }

    #[cfg(test)]
    fn schema() -> Schema {
        Schema::Map(Box::new(T::schema()))
    }
}

/// Puts a value under a key; `false` when the key has one already.
type Insert<'r, 'de> =
    &'r mut dyn FnMut(String, &mut dyn AnyValue<'de>) -> Result<bool, ShapeError>;

/// Reads a mapping whose keys belong to the user, entry by entry.
fn read_table<'de>(
    from: &mut dyn AnyValue<'de>,
    reading: &Reading,
    insert: Insert<'_, 'de>,
) -> Result<(), ShapeError> {
    struct Entries<'a, 'r, 'de>(&'a Reading, Insert<'r, 'de>);
    impl<'de> Visit<'de> for Entries<'_, '_, 'de> {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }
        fn mapping(&mut self, map: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
            while let Some(key) = map.key()? {
                let key = key.into_owned();
                let mut first = true;
                self.0.step(Step::Key(key.clone()), || {
                    map.value(&mut |value| {
                        first = (self.1)(key.clone(), value)?;
                        Ok(())
                    })
                })?;
                if !first {
                    return Err(ShapeError::Rule(format!("key `{key}` is set twice")));
                }
            }
            Ok(())
        }
    }
    from.read(Expected::Mapping, &mut Entries(reading, insert))
}

/// A value that is skipped without a warning. Its presence is all that is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose;

impl<'de> Shape<'de> for Loose {
    fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
        from.skip()?;
        Ok(Self)
    }
}

/// Either a number or a name, as Kubernetes' `targetPort` is; kept as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberOrWord(pub String);

impl<'de> Shape<'de> for NumberOrWord {
    fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
        struct Either(String);
        impl Visit<'_> for Either {
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a name")
            }
            fn null(&mut self) -> Result<(), ShapeError> {
                Ok(())
            }
            fn unsigned(&mut self, number: u64) -> Result<(), ShapeError> {
                self.0 = number.to_string();
                Ok(())
            }
            fn signed(&mut self, number: i64) -> Result<(), ShapeError> {
                self.0 = number.to_string();
                Ok(())
            }
            fn text(&mut self, word: Cow<'_, str>) -> Result<(), ShapeError> {
                self.0 = word.into_owned();
                Ok(())
            }
        }
        let mut either = Either(String::new());
        from.read(Expected::Any, &mut either)?;
        Ok(Self(either.0))
    }
}
