//! Numbers, also as protobuf's JSON form writes them.

use std::borrow::Cow;
use std::fmt;

use crate::wire::reading::any::{AnyValue, Expected, ShapeError, Visit};
use crate::wire::reading::shape::{Reading, Shape};

/// Numbers may be written as strings, as protobuf's JSON form allows; whole numbers also as `5.0`.
macro_rules! number {
    ($type:ty, $expected:literal, $from_float:expr) => {
        impl<'de> Shape<'de> for $type {
            fn read(from: &mut dyn AnyValue<'de>, _: &Reading) -> Result<Self, ShapeError> {
                struct Digits($type);
                impl Visit<'_> for Digits {
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn null(&mut self) -> Result<(), ShapeError> {
                        Ok(())
                    }
                    fn unsigned(&mut self, number: u64) -> Result<(), ShapeError> {
                        self.0 = Exact::exact(number as i128).ok_or(ShapeError::Range)?;
                        Ok(())
                    }
                    fn signed(&mut self, number: i64) -> Result<(), ShapeError> {
                        self.0 = Exact::exact(number as i128).ok_or(ShapeError::Range)?;
                        Ok(())
                    }
                    fn float(&mut self, number: f64) -> Result<(), ShapeError> {
                        let convert: fn(f64) -> Option<$type> = $from_float;
                        self.0 = convert(number).ok_or(ShapeError::Range)?;
                        Ok(())
                    }
                    fn text(&mut self, text: Cow<'_, str>) -> Result<(), ShapeError> {
                        self.0 = text.trim().parse().map_err(|_| ShapeError::Range)?;
                        Ok(())
                    }
                }
                let mut digits = Digits(<$type>::default());
                from.read(Expected::Any, &mut digits)?;
                Ok(digits.0)
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
