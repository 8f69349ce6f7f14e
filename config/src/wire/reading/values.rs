//! Words, switches, lists and tables, and what may be left out.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::wire::reading::shape::{Reading, Seed, Shape, Step};
#[cfg(test)]
use crate::wire::schema::Schema;

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

    #[cfg(test)]
    fn schema() -> Schema {
        T::schema()
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Box<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        T::read(from, reading).map(Self::new)
    }

    #[cfg(test)]
    fn schema() -> Schema {
        T::schema()
    }
}

impl<'de, T: Shape<'de>> Shape<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(from: D, reading: &Reading) -> Result<Self, D::Error> {
        Ok(Option::<List<T>>::read(from, reading)?.map_or_else(Self::new, |list| list.0))
    }

    #[cfg(test)]
    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
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

    #[cfg(test)]
    fn schema() -> Schema {
        Schema::Map(Box::new(T::schema()))
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

/// A value of any shape, whose keys and words belong to the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json(pub serde_json::Value);

impl<'de> Shape<'de> for Json {
    fn read<D: Deserializer<'de>>(from: D, _: &Reading) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(from).map(Self)
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
