//! The sidecar and the gateway, one binary. [`connection::serve`] is the whole story of one connection on a screen; the
//! modules below follow its steps. What a configuration *means* is `egret-config`'s business; here are sockets, time
//! and processes. In reading order, from the ground up:
//!
//! - [`sys`]: what std and tokio do not ask the kernel
//! - [`life`]: readiness, signals, draining, and room for open files
//! - [`failure`]: why a call was not served, and whose fault that is
//! - [`current`]: the one door to the live snapshot
//! - [`report`]: one record for each call, and the access log
//! - [`sniff`]: what a connection carries, from its first bytes
//! - [`relay`]: bytes both ways until both sides are done
//! - [`tls`]: towards upstreams and towards clients
//! - [`dns`]: names to addresses, and answers to captured queries
//! - [`message`]: bodies that come, and what both sides of HTTP/2 share
//! - [`upstream`]: who is behind a cluster, which of them is picked, a connection to it
//! - [`proxy`]: the handles that a connection needs
//! - [`tcp`]: acts on a verdict for bytes
//! - [`http`]: requests decided, sent, tried again, answered
//! - [`identify`]: who calls, and whom did it want to reach
//! - [`connection`]: the walk
//! - [`source`]: files read, watched, compiled and published
//! - [`listen`]: sockets, accept loops, and workers
//! - [`explain`] and [`check`]: the commands of these names
//! - [`admin`]: the admin pages
//! - [`settings`], [`args`], [`app`]: what the process is told, who reads it, and how all is started and ended

pub mod sys;
pub mod life;
pub mod failure;
pub mod current;
pub mod report;
pub mod sniff;
pub mod relay;
pub mod tls;
pub mod dns;
pub mod message;
pub mod upstream;
pub mod proxy;
pub mod tcp;
pub mod http;
pub mod identify;
pub mod connection;
pub mod source;
pub mod listen;
pub mod explain;
pub mod check;
pub mod admin;
pub mod settings;
pub mod args;
pub mod app;
