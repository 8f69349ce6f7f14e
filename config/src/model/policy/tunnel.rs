//! `tunnel` of a traffic policy.

use std::sync::Arc;

use crate::model::{host_name, read};
use crate::problem::Diagnostics;
use crate::wire::destination_rule as wire;

/// `tunnel`: reach the upstream through an HTTP CONNECT proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// POST instead of CONNECT.
    pub post: bool,
    /// Host named in the CONNECT request.
    pub target_host: Arc<str>,
    /// Port named in the CONNECT request.
    pub target_port: u16,
}

/// Reads `tunnel`.
pub(crate) fn parse(wire: &wire::Tunnel, diagnostics: &mut Diagnostics<'_>) -> Option<Tunnel> {
    let post = read::enum_value(
        diagnostics,
        "protocol",
        &wire.protocol,
        &[("CONNECT", false), ("POST", true)],
    );
    let host = wire.target_host.as_str();
    if host.parse::<std::net::IpAddr>().is_err()
        && let Some(reason) = host_name::problem_of_name(host)
    {
        diagnostics.error("targetHost", host, reason);
    }
    let target_port = read::port(diagnostics, "targetPort", wire.target_port);
    Some(Tunnel {
        post: post?,
        target_host: host.into(),
        target_port: target_port?,
    })
}
