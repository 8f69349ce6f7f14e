//! Numbers, also as protobuf's JSON form writes them.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

use crate::wire::reading::shape::{Reading, Shape};

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
