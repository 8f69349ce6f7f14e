//! Start and end of the process: what must be done before it is ready, how it drains, which signals it obeys, threads of
//! its services; how many files it may have open, and how much its buffers may hold.

pub mod ready;
pub mod drain;
pub mod end;
pub mod signal;
pub mod service;
pub mod files;
pub mod buffers;
