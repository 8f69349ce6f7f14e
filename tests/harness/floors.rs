//! Checks the order of a crate's modules in its sources: rooms on floors, files without circles, one `use` for each
//! module, and one home for some words.

mod circles;
mod homes;
mod imports;
mod rooms;
mod sources;

pub use crate::floors::circles::circles;
pub use crate::floors::homes::outside_home;
pub use crate::floors::imports::split_imports;
pub use crate::floors::rooms::violations;
