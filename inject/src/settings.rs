//! What operators set for all pods, under the names of Istio's values.

mod load;
mod read;
mod selector;
mod set;
mod values;

pub use crate::settings::load::{File, load};
pub use crate::settings::read::read;
pub use crate::settings::selector::Selector;
pub use crate::settings::set::set;
pub use crate::settings::values::{NativeSidecar, Settings};

#[cfg(test)]
mod tests;
