//! The destinations of all calls since the start, for the admin page `/destinations`: each with what was decided about it
//! and what was counted. Bounded in number, since clients choose their names.

mod key;
mod latency;
mod row;
mod merged;
mod known;
mod shard;
mod registry;

pub use crate::report::destinations::key::{DestinationKey, NamedBy};
pub use crate::report::destinations::known::ROWS_MAX;
pub use crate::report::destinations::latency::Latencies;
pub use crate::report::destinations::merged::{Destination, Listing};
pub use crate::report::destinations::registry::Destinations;
pub use crate::report::destinations::row::RowAddress;
pub use crate::report::destinations::shard::DestinationShard;

#[cfg(test)]
mod tests;
