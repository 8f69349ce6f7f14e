//! `connectionPool` of a traffic policy: limits and times of connections.

use std::time::Duration;

use crate::model::read;
use crate::problem::{Diagnostics, NO_VALUE};
use crate::wire::{destination_rule as wire, shared};

/// Limits and times of connections. `None` is Istio's default, which is no limit unless documented here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionPool {
    /// `tcp.maxConnections`.
    pub connections_max: Option<u32>,
    /// `tcp.connectTimeout`; default MeshConfig `connectTimeout`, 10 s.
    pub connect_timeout: Option<Duration>,
    /// `tcp.idleTimeout`; default 1 h.
    pub tcp_idle_timeout: Option<Duration>,
    /// `tcp.maxConnectionDuration`.
    pub connection_duration_max: Option<Duration>,
    /// `tcp.tcpKeepalive`.
    pub keepalive: Option<Keepalive>,
    /// `http.http1MaxPendingRequests`.
    pub pending_max: Option<u32>,
    /// `http.http2MaxRequests`.
    pub requests_max: Option<u32>,
    /// `http.maxRequestsPerConnection`; 0 is no limit.
    pub requests_per_connection_max: Option<u32>,
    /// `http.maxConcurrentStreams`: requests on one HTTP/2 connection at a time.
    pub streams_max: Option<u32>,
    /// `http.maxRetries`.
    pub retries_max: Option<u32>,
    /// `http.idleTimeout`; default 1 h.
    pub http_idle_timeout: Option<Duration>,
    /// `http.h2UpgradePolicy` UPGRADE; of a cluster, whether it is called with HTTP/2 though its port has another protocol.
    pub h2_upgrade: Option<bool>,
    /// `http.useClientProtocol`, which beats the port; of a cluster, whether it is called as clients call.
    pub use_client_protocol: bool,
}

/// TCP keepalive settings; `None` is the operating system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Probes without an answer before the connection is dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// Reads `connectionPool`.
pub(crate) fn parse(
    wire: Option<&wire::ConnectionPool>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<ConnectionPool> {
    let wire = wire?;
    Some(diagnostics.within("connectionPool", |diagnostics| pool(wire, diagnostics)))
}

/// Reads a `connectionPool`, whatever the field is called.
pub(crate) fn pool(
    wire: &wire::ConnectionPool,
    diagnostics: &mut Diagnostics<'_>,
) -> ConnectionPool {
    if wire.tcp.is_none() && wire.http.is_none() {
        let message = (
            "one of tcp and http is required",
            "leave the empty block out",
        );
        diagnostics.error("", NO_VALUE, message);
    }
    let mut pool = ConnectionPool::default();
    if let Some(tcp) = &wire.tcp {
        diagnostics.within("tcp", |diagnostics| fill_tcp(&mut pool, tcp, diagnostics));
    }
    if let Some(http) = &wire.http {
        diagnostics.within("http", |diagnostics| {
            fill_http(&mut pool, http, diagnostics)
        });
    }
    pool
}

fn fill_tcp(pool: &mut ConnectionPool, wire: &wire::TcpPool, diagnostics: &mut Diagnostics<'_>) {
    pool.connections_max = read::limit(diagnostics, "maxConnections", wire.max_connections);
    pool.connect_timeout =
        read::positive_duration(diagnostics, "connectTimeout", wire.connect_timeout.as_ref());
    pool.tcp_idle_timeout = read::duration(diagnostics, "idleTimeout", wire.idle_timeout.as_ref());
    pool.connection_duration_max = read::positive_duration(
        diagnostics,
        "maxConnectionDuration",
        wire.max_connection_duration.as_ref(),
    );
    pool.keepalive = keepalive(wire.tcp_keepalive.as_ref(), diagnostics);
}

/// Reads `tcpKeepalive`.
pub(crate) fn keepalive(
    wire: Option<&shared::TcpKeepalive>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Keepalive> {
    let wire = wire?;
    Some(diagnostics.within("tcpKeepalive", |diagnostics| Keepalive {
        probes: (wire.probes > 0).then_some(wire.probes),
        time: read::positive_duration(diagnostics, "time", wire.time.as_ref()),
        interval: read::positive_duration(diagnostics, "interval", wire.interval.as_ref()),
    }))
}

fn fill_http(pool: &mut ConnectionPool, wire: &wire::HttpPool, diagnostics: &mut Diagnostics<'_>) {
    pool.pending_max = read::limit(
        diagnostics,
        "http1MaxPendingRequests",
        wire.http1_max_pending_requests,
    );
    pool.requests_max = read::limit(diagnostics, "http2MaxRequests", wire.http2_max_requests);
    pool.requests_per_connection_max = read::limit(
        diagnostics,
        "maxRequestsPerConnection",
        wire.max_requests_per_connection,
    );
    pool.retries_max = read::limit(diagnostics, "maxRetries", wire.max_retries);
    pool.http_idle_timeout =
        read::positive_duration(diagnostics, "idleTimeout", wire.idle_timeout.as_ref());
    pool.streams_max = read::limit(
        diagnostics,
        "maxConcurrentStreams",
        wire.max_concurrent_streams,
    );
    let policies = [
        ("DEFAULT", None),
        ("DO_NOT_UPGRADE", Some(false)),
        ("UPGRADE", Some(true)),
    ];
    pool.h2_upgrade = read::enum_value(
        diagnostics,
        "h2UpgradePolicy",
        &wire.h2_upgrade_policy,
        &policies,
    )
    .flatten();
    pool.use_client_protocol = wire.use_client_protocol;
    if pool.use_client_protocol && pool.h2_upgrade == Some(true) {
        diagnostics.error(
            "useClientProtocol",
            true,
            "contradicts h2UpgradePolicy UPGRADE",
        );
    }
}
