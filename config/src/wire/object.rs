//! `object!`: a struct whose fields are read by name in either spelling, with unknown ones noted.

use std::fmt;

use crate::wire::reading::{AnyMap, AnyValue, Expected, Reading, ShapeError, Visit, is_field};
use crate::wire::unsupported;

/// What `object!` implements: fields that can be read one at a time.
pub(crate) trait Fields<'de>: Default {
    /// The fields, in snake case or in the one spelling they have.
    const NAMES: &'static [&'static str];
    /// The name of the struct.
    const SHAPE: &'static str;
    /// Fields that are skipped without a warning.
    const SILENT: &'static [&'static str];

    /// Reads the value of the field `NAMES[index]`.
    fn set(
        &mut self,
        index: usize,
        map: &mut dyn AnyMap<'de>,
        reading: &Reading,
    ) -> Result<(), ShapeError>;
}

/// [`Fields`] whose type is not known.
pub(crate) trait Object<'de> {
    /// [`Fields::NAMES`], [`Fields::SHAPE`] and [`Fields::SILENT`].
    fn names(&self) -> Names;
    /// [`Fields::set`].
    fn set(
        &mut self,
        index: usize,
        map: &mut dyn AnyMap<'de>,
        reading: &Reading,
    ) -> Result<(), ShapeError>;
}

/// The names that an object has.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    fields: &'static [&'static str],
    shape: &'static str,
    silent: &'static [&'static str],
}

impl<'de, T: Fields<'de>> Object<'de> for T {
    fn names(&self) -> Names {
        Names {
            fields: T::NAMES,
            shape: T::SHAPE,
            silent: T::SILENT,
        }
    }

    fn set(
        &mut self,
        index: usize,
        map: &mut dyn AnyMap<'de>,
        reading: &Reading,
    ) -> Result<(), ShapeError> {
        Fields::set(self, index, map, reading)
    }
}

/// Which fields of an object were read already: a second time is an error.
#[derive(Default)]
pub(crate) struct SeenFields(u128);

impl SeenFields {
    /// Notes that a field was read; `false` when it was read before.
    pub(crate) fn first(&mut self, index: usize) -> bool {
        let bit = 1_u128 << (index % 128);
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

/// Reads the value that belongs to `key` into `object`; `false` when the object has no such field, and then the value
/// is still unread.
pub(crate) fn read_field<'de>(
    object: &mut dyn Object<'de>,
    seen_fields: &mut SeenFields,
    key: &str,
    map: &mut dyn AnyMap<'de>,
    reading: &Reading,
) -> Result<bool, ShapeError> {
    let names = object.names();
    if let Some(index) = names.fields.iter().position(|name| is_field(key, name)) {
        if !seen_fields.first(index) {
            return Err(ShapeError::Rule(format!("field `{key}` is set twice")));
        }
        if let Some(message) = unsupported::message(names.shape, names.fields[index]) {
            reading.note_unsupported(key, message);
        }
        object.set(index, map, reading)?;
        return Ok(true);
    }
    if names.silent.iter().any(|name| is_field(key, name)) {
        map.skip()?;
        return Ok(true);
    }
    Ok(false)
}

/// Reads a whole object; `null` gives one with nothing set.
pub(crate) fn read_object<'de, T: Fields<'de>>(
    from: &mut dyn AnyValue<'de>,
    reading: &Reading,
) -> Result<T, ShapeError> {
    let mut object = T::default();
    read_fields(from, &mut object, reading)?;
    Ok(object)
}

fn read_fields<'de>(
    from: &mut dyn AnyValue<'de>,
    object: &mut dyn Object<'de>,
    reading: &Reading,
) -> Result<(), ShapeError> {
    struct Mapping<'o, 'r, 'de>(&'o mut dyn Object<'de>, &'r Reading);
    impl<'de> Visit<'de> for Mapping<'_, '_, 'de> {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }
        fn mapping(&mut self, map: &mut dyn AnyMap<'de>) -> Result<(), ShapeError> {
            let mut seen_fields = SeenFields::default();
            while let Some(key) = map.key()? {
                if !read_field(self.0, &mut seen_fields, &key, map, self.1)? {
                    self.1.note_unknown(&key, &[self.0.names().fields]);
                    map.skip()?;
                }
            }
            Ok(())
        }
    }
    from.read(Expected::Mapping, &mut Mapping(object, reading))
}

/// Declares a struct with its fields. `name as "spelling"` gives a field a spelling that is not the camel case of its
/// Rust name; `silent [..]` lists fields that exist but have no effect on egret.
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

            fn set(
                &mut self,
                index: usize,
                map: &mut dyn $crate::wire::reading::AnyMap<'de>,
                reading: &$crate::wire::reading::Reading,
            ) -> Result<(), $crate::wire::reading::ShapeError> {
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
            fn read(
                from: &mut dyn $crate::wire::reading::AnyValue<'de>,
                reading: &$crate::wire::reading::Reading,
            ) -> Result<Self, $crate::wire::reading::ShapeError> {
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
