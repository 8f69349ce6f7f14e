//! Checks the order of a crate's modules in its sources: rooms on floors, files without circles, and one `use`
//! for each module.

mod circles;
mod imports;
mod rooms;
mod sources;

pub use crate::floors::circles::circles;
pub use crate::floors::imports::split_imports;
pub use crate::floors::rooms::violations;
