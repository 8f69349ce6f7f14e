//! The commands that end on their own: `explain`, `check` and `wait`.

pub mod explain;
pub mod check;
pub mod wait;
