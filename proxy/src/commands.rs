//! Commands that print and end: `explain` and `check`.

pub mod explain;
pub mod check;
