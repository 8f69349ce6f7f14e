//! `object!`: a struct whose fields are read by name in either spelling, with unknown ones noted.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};

use crate::wire::reading::{Key, Reading, is_field};
use crate::wire::unsupported;

/// What `object!` implements: fields that can be read one at a time.
pub(crate) trait Fields<'de>: Default {
    /// The fields, in snake case or in the one spelling they have.
    const NAMES: &'static [&'static str];
    /// The name of the struct.
    const SHAPE: &'static str;
    /// Fields that are read over without a warning.
    const SILENT: &'static [&'static str];

    /// Reads the value of the field `NAMES[index]`.
    fn set<A: MapAccess<'de>>(
        &mut self,
        index: usize,
        map: &mut A,
        reading: &Reading,
    ) -> Result<(), A::Error>;
}

/// Which fields of an object were read already: a second time is an error.
#[derive(Default)]
pub(crate) struct Seen(u128);

impl Seen {
    /// Marks a field; `false` when it was marked before.
    pub(crate) fn first(&mut self, index: usize) -> bool {
        let bit = 1_u128 << (index % 128);
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

/// Reads the value that belongs to `key` into `object`; `false` when the object has no such field, and then the value
/// is still unread.
pub(crate) fn read_field<'de, T: Fields<'de>, A: MapAccess<'de>>(
    object: &mut T,
    seen: &mut Seen,
    key: &str,
    map: &mut A,
    reading: &Reading,
) -> Result<bool, A::Error> {
    if let Some(index) = T::NAMES.iter().position(|name| is_field(key, name)) {
        if !seen.first(index) {
            return Err(A::Error::custom(format_args!("field `{key}` is set twice")));
        }
        if let Some(words) = unsupported::words(T::SHAPE, T::NAMES[index]) {
            reading.note_unsupported(key, words);
        }
        object.set(index, map, reading)?;
        return Ok(true);
    }
    if T::SILENT.iter().any(|name| is_field(key, name)) {
        map.next_value::<IgnoredAny>()?;
        return Ok(true);
    }
    Ok(false)
}

/// Reads a whole object; `null` gives one with nothing set.
pub(crate) fn read_object<'de, T: Fields<'de>, D: Deserializer<'de>>(
    from: D,
    reading: &Reading,
) -> Result<T, D::Error> {
    struct Object<'a, T>(&'a Reading, PhantomData<T>);
    impl<'de, T: Fields<'de>> Visitor<'de> for Object<'_, T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut object = T::default();
            let mut seen = Seen::default();
            while let Some(Key(key)) = map.next_key()? {
                if !read_field(&mut object, &mut seen, &key, &mut map, self.0)? {
                    self.0.note_unknown(&key, &[T::NAMES]);
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(object)
        }
    }
    from.deserialize_map(Object(reading, PhantomData))
}

/// Declares a struct with its fields. `name as "spelling"` gives a field a spelling that is not the camel case of its
/// Rust name; `silent [..]` lists fields that exist but tell egret nothing.
macro_rules! object {
    (
        $(#[$attribute:meta])*
        pub struct $object:ident {
            $(pub $field:ident $(as $spelling:literal)?: $type:ty,)*
        }
        $(silent [$($silent:literal),* $(,)?])?
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $object {
            $(pub $field: $type,)*
        }

        impl<'de> $crate::wire::object::Fields<'de> for $object {
            const NAMES: &'static [&'static str] = &[$(object!(@name $field $($spelling)?)),*];
            const SHAPE: &'static str = stringify!($object);
            const SILENT: &'static [&'static str] = &[$($($silent),*)?];

            fn set<A: serde::de::MapAccess<'de>>(
                &mut self,
                index: usize,
                map: &mut A,
                reading: &$crate::wire::reading::Reading,
            ) -> Result<(), A::Error> {
                let mut at = 0;
                $(
                    if index == at {
                        self.$field = reading.field(map, object!(@name $field $($spelling)?))?;
                        return Ok(());
                    }
                    at += 1;
                )*
                debug_assert!(index < at, "an index comes from NAMES");
                Ok(())
            }
        }

        impl<'de> $crate::wire::reading::Shape<'de> for $object {
            fn read<D: serde::Deserializer<'de>>(
                from: D,
                reading: &$crate::wire::reading::Reading,
            ) -> Result<Self, D::Error> {
                $crate::wire::object::read_object(from, reading)
            }

            #[cfg(test)]
            fn schema() -> $crate::wire::schema::Schema {
                $crate::wire::schema::Schema::Object {
                    shape: stringify!($object),
                    fields: vec![$((
                        object!(@name $field $($spelling)?),
                        <$type as $crate::wire::reading::Shape<'_>>::schema(),
                    )),*],
                    silent: &[$($($silent),*)?],
                }
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $spelling:literal) => { $spelling };
}
