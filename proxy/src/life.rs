//! Start and end of the process: what must be done before it is ready, how it drains, which signals it obeys, threads of
//! its services; how many files it may have open, how many clients it admits and how long these may take, how much its
//! buffers may hold, and how its memory goes back.

pub mod ready;
pub mod drain;
pub mod end;
pub mod signal;
pub mod service;
pub mod files;
pub mod admission;
pub mod client_times;
pub mod buffers;
pub mod stalled;
pub mod memory;
