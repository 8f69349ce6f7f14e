//! The commands that end on their own: `explain`, `check`, `inject`, `uninject` and `wait`.

pub mod explain;
pub mod check;
pub mod inject;
pub mod wait;
