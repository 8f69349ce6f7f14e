//! The sidecar and the gateway, one binary. [`connection::serve`] is the whole story of one connection on a screen; the
//! modules below follow its steps. What a configuration *means* is `egret-config`'s business; here are sockets, time
//! and processes. In reading order, from the ground up:

pub mod sys;
pub mod life;
pub mod failure;
pub mod current;
pub mod report;
pub mod sniff;
pub mod relay;
pub mod tls;
pub mod dns;
pub mod upstream;
pub mod proxy;
pub mod tcp;
pub mod http;
pub mod identify;
pub mod connection;
pub mod source;
pub mod listen;
pub mod admin;
pub mod explain;
pub mod check;
pub mod settings;
pub mod args;
pub mod app;
