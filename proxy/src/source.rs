//! Where the configuration comes from: files and folders, read whole, watched, compiled off the workers' threads and
//! published as one snapshot. A broken edit changes nothing but the log and the admin pages.

pub mod files;
pub mod compile;
pub mod status;
pub mod told;
pub mod watch;
pub mod follow;
