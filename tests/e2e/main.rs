//! End-to-end tests: every story on a real kernel, with real `curl`, in network namespaces that vanish.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests wait for real programs, and the runner gives its settings in the environment"
)]

mod helpers;
mod harness;
mod sidecar;
mod gateway;
mod http;
mod tls;
mod upstream;
mod init;
mod operations;
