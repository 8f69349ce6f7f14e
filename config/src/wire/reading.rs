//! How values are read: leniently where protobuf's JSON form is lenient, and always knowing the path.
//!
//! serde's derives have neither the path of an error nor similar names of a field, so the shapes are
//! read through [`Shape`], which carries a [`Reading`] along.

pub(crate) mod any;
mod json;
pub(crate) mod names;
mod numbers;
mod shape;
mod values;

pub(crate) use any::{AnyMap, AnyValue, Broken, Seed, Target, Visit, Want};
pub(crate) use json::Json;
pub(crate) use names::{distance, is_field, nearest};
pub(crate) use shape::{Ignored, Reading, Shape, Why};
pub(crate) use values::{Loose, NumberOrWord};
