//! The admin pages: is it ready, what was loaded, what that was compiled to, and an orderly end. Text for people, and
//! `?format=json` for programs. Secrets are never shown.

mod agent;
pub mod application;
mod body;
mod clients;
mod cluster_status;
mod clusters;
mod config_dump;
mod discovery;
mod dns_status;
mod host;
mod listeners;
pub mod metrics;
mod names;
mod paced;
mod page;
pub mod pages;
mod query;
mod routes;
pub mod serve;
mod state;
mod statistics;
mod stats;
mod table;

pub use crate::admin::state::Admin;
