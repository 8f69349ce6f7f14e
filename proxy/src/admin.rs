//! The admin pages: is it ready, what was loaded, what that was compiled to, and an orderly end. Text for people, and
//! `?format=json` for programs. Secrets are never shown.

mod agent;
pub mod application;
mod asked;
mod body;
mod certs;
mod clients;
mod cluster_status;
mod clusters;
mod config_dump;
mod destinations;
mod discovery;
mod dns_status;
mod drain;
mod explain;
mod home;
mod host;
mod listeners;
mod log_levels;
mod memory;
pub mod metrics;
mod names;
mod paced;
pub mod page;
pub mod pages;
mod problems;
pub mod query;
mod routes;
pub mod serve;
mod server_info;
mod state;
mod statistics;
mod stats;
mod table;

pub use crate::admin::state::Admin;
