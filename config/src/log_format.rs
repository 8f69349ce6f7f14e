//! Formats of the access log: Envoy's command operators, in a text or in the strings of a JSON object.
//!
//! A format is read once, when configuration is loaded, into pieces that need no further reading. What Envoy 1.40
//! refuses is refused here. The operators are the rows of the tables in [`facts`] and [`commands`].

pub mod facts;
pub mod commands;
mod arguments;
mod parse;
mod coalesce;
mod error;
mod header;
mod text;
mod json;
pub mod defaults;
pub mod time;

pub use crate::log_format::arguments::{
    Command, GrpcForm, Operator, PathSource, QueryForm, ServerName, TimePoint, TimeSource, TimeUnit,
};
pub use crate::log_format::error::FormatError;
pub use crate::log_format::header::{HeaderChoice, HeaderKey, HeaderSource};
pub use crate::log_format::json::{JsonFormat, Template};
pub use crate::log_format::text::{Piece, TextFormat};

#[cfg(test)]
mod tests;
