//! Where the configuration comes from, and how it comes into force.
//!
//! A source yields an [`input::Input`]: documents, whatever they come from. The one [`publisher::Publisher`] builds a
//! snapshot of it off the workers' threads, keeps the last good one where the new one is broken, publishes, and writes
//! the log and the [`status`] of the admin pages. Sources are files and folders ([`files`]).

pub mod registered;
pub mod status;
pub mod problem_json;
pub mod input;
pub mod compile;
pub mod publisher;
pub mod files;
