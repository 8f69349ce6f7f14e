//! [`Intent`]: what shall be captured, validated. Nothing downstream sees a string again.

mod element;
mod settings;
mod model;
mod parse;
mod resolver;
mod summary;
mod validate;

pub use crate::intent::model::*;
pub use crate::intent::validate::HostFacts;

#[cfg(test)]
mod tests;
