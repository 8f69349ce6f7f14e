//! What follows from each cause, as one table.

use std::sync::Arc;

use egret_config::decide::flag::Flag;
use egret_config::decide::local_reply::{LocalReply, fault_abort};
use egret_config::decide::verdict::Refusal;
use egret_config::grpc::GrpcStatus;

use crate::failure::cause::{Blame, Cause, ClientLimit, Retry, Step};

macro_rules! before {
    ($reason:literal) => {
        concat!("upstream_reset_before_response_started", $reason)
    };
}

macro_rules! after {
    ($reason:literal) => {
        concat!("upstream_reset_after_response_started", $reason)
    };
}

macro_rules! reset {
    ($reason:literal) => {
        concat!(
            "upstream connect error or disconnect/reset before headers. reset reason: ",
            $reason
        )
    };
}

/// What follows from a cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consequences<'c> {
    /// The party that caused it.
    pub(super) blame: Blame,
    /// Where in the walk it happened.
    pub(super) step: Step,
    /// Whether another attempt may be made.
    pub(super) retry: Retry,
    /// What the caller and the access log get.
    pub(super) reply: LocalReply,
    /// `UPSTREAM_TRANSPORT_FAILURE_REASON`.
    pub(super) transport_failure: Option<&'c Arc<str>>,
    /// Whether the details repeat that reason.
    pub(super) has_reason_in_details: bool,
    /// Whether the attempt of a byte stream, its only one, is over: URX, as with Envoy.
    pub(super) ends_attempts: bool,
    /// Whether a byte stream reports the reason as `CONNECTION_TERMINATION_DETAILS`, since no other field does.
    pub(super) ends_connection: bool,
}

impl Consequences<'_> {
    const fn new(blame: Blame, step: Step, retry: Retry, reply: LocalReply) -> Self {
        Self {
            blame,
            step,
            retry,
            reply,
            transport_failure: None,
            has_reason_in_details: false,
            ends_attempts: false,
            ends_connection: false,
        }
    }
}

/// The row of a cause.
pub(super) fn consequences(cause: &Cause) -> Consequences<'_> {
    use Blame::{Client, Policy, Proxy, Upstream};
    use Retry::{ByPolicy, Never, Safe};
    use Step::{Connect, Decide, Exchange, Read, Relay};

    match cause {
        Cause::Refused(refusal) => Consequences {
            ends_connection: *refusal == Refusal::OwnListener,
            ..Consequences::new(Policy, Decide, Never, refusal.reply())
        },
        Cause::BadRequest(kind) => Consequences::new(Client, Read, Never, kind.reply()),
        Cause::FaultAbort(status) => {
            let reply = fault_abort(status.as_u16());
            Consequences::new(Policy, Decide, Never, reply)
        }
        Cause::ClientGone => {
            let reply = LocalReply {
                // It may only have ended its side of the connection, and read on.
                sent_status: 400,
                grpc_status: GrpcStatus::of_http(400),
                flag: Some(Flag::DC),
                body: "the request broke off before its end",
                closes: true,
                ..LocalReply::new(0, "client_gone", "downstream_remote_disconnect")
            };
            Consequences::new(Client, Relay, Never, reply)
        }
        Cause::BadConnection => {
            let reply = LocalReply::flagged(0, "bad_connection", "codec_error", Flag::DPE);
            Consequences::new(Client, Read, Never, reply)
        }
        Cause::ProxyHeader => {
            let details = "proxy_protocol_error";
            let reply = LocalReply::flagged(0, "proxy_header", details, Flag::DPE);
            Consequences {
                ends_connection: true,
                ..Consequences::new(Client, Read, Never, reply)
            }
        }
        Cause::ClientTls => {
            let reply = LocalReply::new(0, "client_tls", "downstream_transport_failure");
            Consequences {
                ends_connection: true,
                ..Consequences::new(Client, Read, Never, reply)
            }
        }
        Cause::NoEndpoint => {
            let reply = no_healthy_upstream("no_endpoint");
            Consequences::new(Upstream, Connect, ByPolicy, reply)
        }
        Cause::NoAddress(reason) => {
            let reply = no_healthy_upstream("no_address");
            Consequences {
                transport_failure: Some(reason),
                ..Consequences::new(Upstream, Connect, ByPolicy, reply)
            }
        }
        Cause::Overflow => {
            let reply = LocalReply {
                body: reset!("overflow"),
                ..LocalReply::flagged(503, "overflow", before!("{overflow}"), Flag::UO)
            };
            Consequences::new(Policy, Connect, Never, reply)
        }
        Cause::Connect(reason) => connecting("connect_failed", Some(reason)),
        Cause::UpstreamTls(reason) => connecting("upstream_tls", Some(reason)),
        Cause::ConnectTimeout => {
            let row = connecting("connect_timeout", None);
            Consequences {
                reply: LocalReply {
                    details: before!("{connection_timeout}"),
                    body: reset!("connection timeout"),
                    ..row.reply
                },
                ..row
            }
        }
        Cause::ResetBefore => {
            let details = before!("{connection_termination}");
            let reply = LocalReply {
                body: reset!("connection termination"),
                ..LocalReply::flagged(503, RESET, details, Flag::UC)
            };
            Consequences::new(Upstream, Exchange, ByPolicy, reply)
        }
        Cause::StreamRefused => {
            let details = before!("{remote_refused_stream_reset}");
            let reply = LocalReply {
                body: reset!("remote refused stream reset"),
                ..LocalReply::flagged(503, "upstream_refused", details, Flag::UR)
            };
            Consequences::new(Upstream, Exchange, Safe, reply)
        }
        Cause::StreamReset => {
            let reply = LocalReply {
                body: reset!("remote reset"),
                ..LocalReply::flagged(503, RESET, before!("{remote_reset}"), Flag::UR)
            };
            Consequences::new(Upstream, Exchange, ByPolicy, reply)
        }
        Cause::UpstreamProtocol => {
            let reply = LocalReply {
                body: reset!("protocol error"),
                ..LocalReply::flagged(502, PROTOCOL, before!("{protocol_error}"), Flag::UPE)
            };
            Consequences::new(Upstream, Exchange, ByPolicy, reply)
        }
        Cause::ResetAfter => broken_off(RESET, after!("{connection_termination}"), Flag::UC),
        Cause::StreamResetAfter => broken_off(RESET, after!("{remote_reset}"), Flag::UR),
        Cause::ProtocolAfter => broken_off(PROTOCOL, after!("{protocol_error}"), Flag::UPE),
        Cause::Timeout => {
            let reply = LocalReply {
                body: "upstream request timeout",
                ..LocalReply::flagged(504, "timeout", "response_timeout", Flag::UT)
            };
            Consequences::new(Upstream, Exchange, Never, reply)
        }
        Cause::TryTimeout => {
            let details = "upstream_per_try_timeout";
            let reply = LocalReply {
                body: "upstream request timeout",
                ..LocalReply::flagged(504, "try_timeout", details, Flag::UT)
            };
            Consequences::new(Upstream, Exchange, ByPolicy, reply)
        }
        Cause::Overloaded => overloaded("overload"),
        Cause::ClientLimit(ClientLimit::Connections) => overloaded("overload{connections}"),
        Cause::ClientLimit(ClientLimit::SourceConnections) => {
            overloaded("overload{connections_of_source}")
        }
        Cause::ClientLimit(ClientLimit::Requests) => overloaded("overload{requests}"),
        Cause::Internal => {
            let reply = LocalReply::flagged(500, "internal", "internal_error", Flag::LR);
            Consequences::new(Proxy, Decide, Never, reply)
        }
    }
}

/// There is nothing to connect to.
const fn no_healthy_upstream(code: &'static str) -> LocalReply {
    LocalReply {
        body: "no healthy upstream",
        ..LocalReply::flagged(503, code, "no_healthy_upstream", Flag::UH)
    }
}

/// No connection came about.
const fn connecting<'c>(code: &'static str, reason: Option<&'c Arc<str>>) -> Consequences<'c> {
    let reply = LocalReply {
        body: reset!("remote connection failure"),
        ..LocalReply::flagged(503, code, before!(""), Flag::UF)
    };
    let row = Consequences::new(Blame::Upstream, Step::Connect, Retry::Safe, reply);
    Consequences {
        transport_failure: reason,
        has_reason_in_details: reason.is_some(),
        ends_attempts: true,
        ..row
    }
}

/// The response began, and does not come to its end.
const fn broken_off(
    code: &'static str,
    details: &'static str,
    flag: Flag,
) -> Consequences<'static> {
    let reply = LocalReply {
        flag: Some(flag),
        body: "the upstream broke off in the middle of the answer",
        ..LocalReply::new(0, code, details)
    };
    Consequences::new(Blame::Upstream, Step::Relay, Retry::Never, reply)
}

const RESET: &str = "upstream_reset";
const PROTOCOL: &str = "upstream_protocol";

/// No room is left in the process, as with Envoy's overload manager; the details say for what.
const fn overloaded(details: &'static str) -> Consequences<'static> {
    let reply = LocalReply {
        stream_details: true,
        body: "envoy overloaded",
        ..LocalReply::flagged(503, "overloaded", details, Flag::OM)
    };
    Consequences::new(Blame::Proxy, Step::Read, Retry::Never, reply)
}
