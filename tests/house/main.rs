//! Checks of the repository itself: which module may use which, what is written in one place, and
//! what dependencies may be. They need no privilege, no
//! network and no built program, so `scripts/check` runs them.

mod floors;
mod homes;
mod dependencies;
