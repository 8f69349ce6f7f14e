//! Names to addresses. [`names::Names`] is what others ask; [`resolver`] is who it asks.

pub mod resolver;
pub mod names;

pub use crate::dns::names::Names;
