//! Values of the downstream and upstream peers.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use egret_config::address::EndpointAddress;
use egret_config::log_format::facts::Fact;
use ipnet::IpNet;

use crate::report::access_log::value::Value;
use crate::report::facts::{Attempt, Facts};

/// What an operator of the section on peers says.
pub(super) fn fact(fact: Fact, facts: &Facts) -> Value<'_> {
    let downstream = &facts.downstream;
    let last = facts.attempts.last();
    let port = |value: Value<'_>| match value {
        Value::Socket(address) => Value::Number(address.port().into()),
        Value::Endpoint(EndpointAddress::Ip(address)) => Value::Number(address.port().into()),
        _ => Value::Missing,
    };
    let client = || socket(downstream.remote_address.map(|address| address.0));
    let own = || socket(downstream.local_address.map(|address| address.0));
    let direct = |of: fn((SocketAddr, SocketAddr)) -> SocketAddr| socket(downstream.direct.map(of));
    match fact {
        Fact::DownstreamRemoteAddress => client(),
        Fact::DownstreamRemotePort => port(client()),
        Fact::DownstreamDirectRemoteAddress => direct(|(peer, _)| peer),
        Fact::DownstreamDirectRemotePort => port(direct(|(peer, _)| peer)),
        Fact::DownstreamLocalAddress => own(),
        Fact::DownstreamLocalPort => port(own()),
        Fact::DownstreamDirectLocalAddress => direct(|(_, own)| own),
        Fact::DownstreamDirectLocalPort => port(direct(|(_, own)| own)),
        Fact::UpstreamHost => endpoint(last.map(|attempt| &attempt.endpoint)),
        Fact::UpstreamHostName => last.map_or(Value::Missing, |attempt| host_name(attempt, true)),
        Fact::UpstreamHostNameWithoutPort => {
            last.map_or(Value::Missing, |attempt| host_name(attempt, false))
        }
        Fact::UpstreamHostsAttempted => {
            attempted(facts, |attempt| Value::Endpoint(&attempt.endpoint))
        }
        Fact::UpstreamHostsAttemptedWithoutPort => attempted(facts, |attempt| {
            ip(&Value::Endpoint(&attempt.endpoint), None)
        }),
        Fact::UpstreamHostNamesAttempted => attempted(facts, |attempt| host_name(attempt, true)),
        Fact::UpstreamHostNamesAttemptedWithoutPort => {
            attempted(facts, |attempt| host_name(attempt, false))
        }
        Fact::UpstreamRemoteAddress => remote(facts),
        Fact::UpstreamRemotePort => port(remote(facts)),
        Fact::UpstreamLocalAddress => local(facts),
        Fact::UpstreamLocalPort => port(local(facts)),
        Fact::UpstreamCluster | Fact::UpstreamClusterRaw => {
            Value::word(facts.decision.cluster.as_deref())
        }
        Fact::UpstreamConnectionId => {
            let connection = last.and_then(|attempt| attempt.connection.as_ref());
            Value::Number(connection.map_or(0, |connection| connection.id))
        }
        Fact::ConnectionId => Value::Number(downstream.connection_id),
        Fact::AccessLogType if facts.is_request() => Value::text("DownstreamEnd"),
        Fact::AccessLogType if facts.is_without_chain() => Value::text("NotSet"),
        Fact::AccessLogType => Value::text("TcpConnectionEnd"),
        _ => Value::Missing,
    }
}

fn socket(address: Option<SocketAddr>) -> Value<'static> {
    address.map_or(Value::Missing, Value::Socket)
}

fn endpoint(address: Option<&EndpointAddress>) -> Value<'_> {
    address.map_or(Value::Missing, Value::Endpoint)
}

/// The endpoint that was connected to.
fn remote(facts: &Facts) -> Value<'_> {
    let last = facts.attempts.last();
    endpoint(
        last.filter(|attempt| attempt.connection.is_some())
            .map(|attempt| &attempt.endpoint),
    )
}

/// The proxy's address on the connection to the endpoint.
fn local(facts: &Facts) -> Value<'_> {
    let last = facts.attempts.last();
    endpoint(
        last.and_then(|attempt| attempt.local_address())
            .map(|address| &address.0),
    )
}

/// The name of an endpoint, else its address.
fn host_name(attempt: &Attempt, port: bool) -> Value<'_> {
    match (&attempt.host_name, port) {
        (Some(name), _) => Value::text(name),
        (None, true) => Value::Endpoint(&attempt.endpoint),
        (None, false) => ip(&Value::Endpoint(&attempt.endpoint), None),
    }
}

/// The same of all attempts, separated by commas.
fn attempted<'c>(facts: &'c Facts, of: impl Fn(&'c Attempt) -> Value<'c>) -> Value<'c> {
    let mut all = facts.attempts.iter();
    let Some(first) = all.next() else {
        return Value::Missing;
    };
    if facts.attempts.iter().count() == 1 {
        return of(first);
    }
    let mut text = Vec::new();
    of(first).append(&mut text);
    for attempt in all {
        text.push(b',');
        of(attempt).append(&mut text);
    }
    Value::Text(Cow::Owned(text))
}

/// An address without its port, or its prefix.
pub(super) fn ip<'c>(address: &Value<'c>, prefix: Option<u8>) -> Value<'c> {
    let ip = match address {
        Value::Socket(address) => address.ip(),
        Value::Endpoint(EndpointAddress::Ip(address)) => address.ip(),
        Value::Endpoint(unix) => return Value::Endpoint(unix),
        _ => return Value::Missing,
    };
    let Some(length) = prefix else {
        return Value::Ip(ip);
    };
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let length = length.min(longest);
    let network: Option<IpAddr> = IpNet::new(ip, length).ok().map(|net| net.network());
    Value::Prefix(network.unwrap_or(ip), length)
}
