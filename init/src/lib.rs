//! Programs netfilter so that a pod's connections reach egret-proxy.
//!
//! The rules are those of istio-iptables, under the same flags and environment variables, loaded as one nftables table
//! in one netlink transaction. No process is started and no file is written. In reading order:
//!
//! - [`args`]: the flags and the environment, as text
//! - [`accounts`], [`addresses`]: what the machine says: user names, the pod's addresses
//! - [`rules`]: the rule model, and nothing about where rules come from or go to
//! - [`intent`]: the flags validated, every fault told at once
//! - [`plan`]: intent to rules; all redirect logic, once, pure
//! - [`render`]: rules to text
//! - [`netlink`]: rules to the kernel's messages
//! - [`routes`]: the address the proxy calls IPv6 applications from
//! - [`apply`]: the only module that changes the machine's state
//! - [`run`]: from the command line to the exit code

pub mod args;
pub mod accounts;
pub mod addresses;
pub mod rules;
pub mod intent;
pub mod plan;
pub mod render;
pub mod netlink;
pub mod routes;
pub mod apply;
pub mod run;
