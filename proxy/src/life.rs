//! Start and end of the process: what must be done before it is ready, how it drains, which signals it obeys, threads of
//! its services; and how many files it may have open.

pub mod ready;
pub mod drain;
pub mod end;
pub mod signal;
pub mod service;
pub mod files;
