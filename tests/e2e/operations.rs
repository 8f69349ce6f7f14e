//! Operating egret: configuration that changes, pages, logs, and wrong input.

pub(crate) mod reload;
pub(crate) mod reload_under_load;
pub(crate) mod sandbox;
pub(crate) mod access_log;
pub(crate) mod log_formats;
pub(crate) mod admin;
pub(crate) mod destinations;
pub(crate) mod home_page;
pub(crate) mod metrics;
pub(crate) mod traces;
pub(crate) mod signals;
pub(crate) mod hot_restart;
pub(crate) mod memory;
pub(crate) mod limits;
pub(crate) mod hostile;
pub(crate) mod faults;
pub(crate) mod seccomp;
pub(crate) mod bad_input;
