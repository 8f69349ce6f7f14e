//! Programs netfilter so that a pod's connections reach egret-proxy.
//!
//! The rules are those of istio-iptables, under the same flags and environment variables, loaded as one nftables table
//! in one netlink transaction. In reading order:
//!
//! - [`args`]: the flags and the environment, as text
//! - [`accounts`], [`addresses`]: facts of the machine: user names, the pod's addresses
//! - [`rules`]: the rule model, and nothing about where rules come from or go to
//! - [`intent`]: the flags validated, all problems reported at once
//! - [`plan`]: intent to rules; all redirect logic, once, pure
//! - [`explain`]: which rule decides a packet, and what becomes of it; pure
//! - [`render`]: rules to text
//! - [`netlink`]: rules to the kernel's messages, and the kernel's answers
//! - [`stale_rules`]: what earlier programs left in iptables' tables, read from text
//! - [`programs`]: iptables, where nf_tables is missing; the only module that starts a process
//! - [`routes`]: the address the proxy calls IPv6 applications from, and TPROXY's routing
//! - [`apply`]: the only module that changes the machine's state
//! - [`probe`]: real connections through the redirect
//! - [`verify`]: whether the machine has the rules of the flags
//! - [`run`]: from the command line to the exit code

#![allow(
    clippy::disallowed_types,
    reason = "egret-init has no tokio, whose clock replaces `std::time::Instant` elsewhere"
)]

pub mod args;
pub mod accounts;
pub mod addresses;
pub mod rules;
pub mod intent;
pub mod plan;
pub mod explain;
pub mod render;
pub mod netlink;
pub mod stale_rules;
pub mod programs;
pub mod routes;
pub mod apply;
pub mod probe;
pub mod verify;
pub mod run;
