//! Commands that end by themselves: `explain`, `check` and `wait`.

pub mod explain;
pub mod check;
pub mod wait;
