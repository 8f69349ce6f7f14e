//! The small world that egret's end-to-end tests and its demo run in: network namespaces on a real
//! kernel, a real DNS server, real HTTP and HTTPS origins, real `curl`. Nothing between curl and the
//! origin is mocked, and nothing is left behind, not even by a harness that was killed.
//!
//! Reading order: a [`World`](topology::World) holds the internet and hands out pods; each pod is a
//! [`Host`](netns::Host), a thread with its own network and mount namespace; programs run in it as
//! [`Process`](process::Process)es whose log lines land in a [`Ledger`](ledger::Ledger), as do the
//! requests that an [`Origin`](origin::Origin) sees.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests wait for real programs, and the runner gives its settings in the environment"
)]

pub mod privilege;
pub mod netns;
pub mod ledger;
pub mod certs;
pub mod names;
pub mod origin;
pub mod places;
pub mod topology;
pub mod process;
pub mod seccomp;
pub mod egret;
pub mod envoy;
pub mod client;
pub mod browser;
pub mod frames;
pub mod nginx;
pub mod scrape;
pub mod exposition;
pub mod folder;
pub mod objects;
pub mod floors;

use std::time::Duration;

/// How long anything that is awaited may take. Reached only by a failing test, so it is generous:
/// a loaded two-core machine must not turn a pass into a failure.
pub const DEADLINE: Duration = Duration::from_secs(15);
