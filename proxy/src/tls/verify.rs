//! Verification of peers: the chain as usual, and on top of it the names, lists and digests that the policy asks for.

mod distinguished;
mod message;
mod trusted;
mod revocation;
mod names;
mod pins;
mod server;
mod client;

pub(in crate::tls) use crate::tls::verify::client::ClientVerifier;
pub(in crate::tls) use crate::tls::verify::distinguished::rfc2253;
pub(in crate::tls) use crate::tls::verify::message::reason;
pub(in crate::tls) use crate::tls::verify::names::Names;
pub(in crate::tls) use crate::tls::verify::pins::Pins;
pub(in crate::tls) use crate::tls::verify::revocation::Revocation;
pub(in crate::tls) use crate::tls::verify::server::ServerVerifier;
pub(in crate::tls) use crate::tls::verify::trusted::{SystemRoots, trusted};
