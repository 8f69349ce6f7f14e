//! How values are read: leniently where protobuf's JSON form is lenient, and always with the path.
//!
//! serde's derives have neither the path of an error nor similar names of a field, so the shapes are
//! read through [`Shape`], which carries a [`Reading`] along.

pub(crate) mod any;
mod json;
pub(crate) mod names;
mod numbers;
mod shape;
mod values;

pub(crate) use any::{AnyMap, AnyValue, Expected, Seed, ShapeError, Target, Visit};
pub(crate) use json::Json;
pub(crate) use names::{distance, is_field, nearest};
pub(crate) use shape::{Ignored, IgnoredReason, Reading, Shape};
pub(crate) use values::{Loose, NumberOrWord};
