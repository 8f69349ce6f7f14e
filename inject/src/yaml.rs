//! One YAML document to a value and back.

mod read;
mod write;

pub(crate) use crate::yaml::read::number;
pub use crate::yaml::read::{Tree, read};
pub use crate::yaml::write::{key, write};

#[cfg(test)]
mod tests;
