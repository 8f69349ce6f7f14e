//! The rule model: one table of chains and sets, in the kernel's terms but in no tool's syntax.
//!
//! It is independent of flags and netlink. `plan` writes it; `netlink` loads it and `render` prints it.

mod reason;
mod rule_set;
mod names;

pub use crate::rules::reason::Reason;
pub use crate::rules::rule_set::*;
