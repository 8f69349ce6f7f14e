//! The sidecar and the gateway, one binary. [`connection::serve`] is the whole story of one connection on a screen; the
//! modules below follow its steps. What a configuration *means* is `egret-config`'s business; here are sockets, time
//! and processes. In reading order, from the ground up:
//!
//! - [`lock`], [`dice`], [`warning_interval`]: locks whose poison is passed over, chance, and how often to warn
//! - [`logging`]: loggers and their levels
//! - [`sys`]: what std and tokio do not ask the kernel
//! - [`life`]: readiness, signals, draining, and room for open files
//! - [`failure`]: why a call was not served, and whose fault that is
//! - [`current`]: the one door to the live snapshot
//! - [`own_sockets`]: sockets of this proxy, which are not dialled
//! - [`report`]: the facts about each call, and what is made of them: the access log
//! - [`sniff`]: what a connection carries, from its first bytes
//! - [`relay`]: bytes both ways until both sides are done
//! - [`tls`]: towards upstreams and towards clients
//! - [`dns`]: names to addresses, and answers to captured queries
//! - [`codec`]: bodies that come, chunks, trailers, and what both sides of HTTP/2 share
//! - [`dial`]: connections to upstreams, and what is around their bytes
//! - [`client`]: HTTP/1 and HTTP/2 connections to upstreams, pools of them, bodies of requests
//! - [`upstream`]: clusters, endpoints, load balancing, limits, outlier detection
//! - [`proxy`]: the handles that a connection needs
//! - [`http`]: requests decided, sent, tried again, answered
//! - [`connection`]: one connection: its original destination, the walk, TCP
//! - [`source`]: files read, watched, compiled and published
//! - [`trace`]: spans sent to a collector
//! - [`listen`]: sockets, accept loops, and workers
//! - [`commands`]: `explain`, `check`, `inject`, `uninject` and `wait`
//! - [`admin`]: the admin pages
//! - [`bounds`]: all bounds, for the documentation
//! - [`settings`], [`args`], [`app`]: what the process is told, who reads it, and how all is started and ended

#![allow(
    unreachable_pub,
    reason = "`pub` here means for the other modules; those that are not exported let the compiler find dead code"
)]

mod lock;
mod dice;
mod warning_interval;
pub mod logging;
mod sys;
mod life;
mod failure;
pub mod current;
mod own_sockets;
pub mod report;
pub mod sniff;
mod relay;
mod tls;
pub mod dns;
pub mod codec;
mod dial;
mod client;
mod upstream;
mod proxy;
pub mod http;
mod connection;
pub mod source;
mod trace;
mod listen;
pub mod commands;
pub mod admin;
pub mod bounds;
pub mod settings;
pub mod args;
pub mod app;
