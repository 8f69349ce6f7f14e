//! Local replies: what the client and the access log get where the proxy ends a call itself. One row for each reason.

use std::borrow::Cow;

use crate::decide::bad_request::BadRequestKind;
use crate::decide::flag::Flag;
use crate::decide::verdict::Refusal;
use crate::grpc::GrpcStatus;

/// The local reply to a call that the proxy ends itself. Statuses, flags and details are Envoy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status in the log; 0 where no response can be sent any more, and for byte streams.
    pub status: u16,
    /// The HTTP status that is sent if a response can be sent all the same.
    pub sent_status: u16,
    /// The response flag of an HTTP request.
    pub flag: Option<Flag>,
    /// The response flag of a byte stream.
    pub stream_flag: Option<Flag>,
    /// `RESPONSE_CODE_DETAILS`: one word without spaces.
    pub details: &'static str,
    /// Whether a byte stream has the details in the log, too.
    pub stream_details: bool,
    /// `grpc-status` of the response to a gRPC client, in place of the status.
    pub grpc_status: GrpcStatus,
    /// The reason code, in the header `x-egret-verdict`.
    pub code: &'static str,
    /// The body: Envoy's text where Envoy has one. It contains nothing that is not meant for the client.
    pub body: &'static str,
    /// Whether the connection is closed after the response, since the next bytes may be no request.
    pub closes: bool,
    /// Whether a TLS client gets the alert `access_denied` before its connection ends.
    pub denies_tls: bool,
}

impl LocalReply {
    /// A reply without flags that leaves the connection open.
    pub const fn new(status: u16, code: &'static str, details: &'static str) -> Self {
        let sent_status = if status == 0 { 502 } else { status };
        Self {
            status,
            sent_status,
            flag: None,
            stream_flag: None,
            details,
            stream_details: false,
            grpc_status: GrpcStatus::of_http(sent_status),
            code,
            body: "the proxy failed",
            closes: false,
            denies_tls: false,
        }
    }

    /// A reply with the same flag for requests and byte streams.
    pub const fn flagged(
        status: u16,
        code: &'static str,
        details: &'static str,
        flag: Flag,
    ) -> Self {
        Self {
            flag: Some(flag),
            stream_flag: Some(flag),
            ..Self::new(status, code, details)
        }
    }
}

/// The reply to a request that a fault of a route aborts with this HTTP status.
pub const fn fault_abort(status: u16) -> LocalReply {
    LocalReply {
        body: "fault filter abort",
        ..LocalReply::flagged(status, "fault", "fault_filter_abort", Flag::FI)
    }
}

impl Refusal {
    /// The local reply for it.
    pub fn reply(&self) -> LocalReply {
        match self {
            Self::Blackhole => LocalReply {
                stream_flag: Some(Flag::UH),
                denies_tls: true,
                body: "no service is registered for this host and the outbound policy is REGISTRY_ONLY\n",
                ..LocalReply::new(502, "blackhole", "direct_response")
            },
            Self::OwnListener => LocalReply {
                stream_flag: Some(Flag::UH),
                denies_tls: true,
                body: "this is the proxy's own port\n",
                ..LocalReply::new(502, "own_listener", "own_listener")
            },
            Self::NoRoute => LocalReply {
                body: "no route matches this request\n",
                ..LocalReply::flagged(404, "no_route", "route_not_found", Flag::NR)
            },
            Self::NoCluster(_) => LocalReply {
                body: "the route's destination does not exist\n",
                ..LocalReply::flagged(503, "no_cluster", "cluster_not_found", Flag::NC)
            },
            Self::NoChain => LocalReply {
                stream_details: true,
                body: "no server for this name\n",
                ..LocalReply::flagged(0, "no_chain", "filter_chain_not_found", Flag::NR)
            },
        }
    }

    /// The message about it for the operator.
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Blackhole => {
                "nothing is registered for this destination and the policy is REGISTRY_ONLY"
            }
            Self::OwnListener => {
                "own_listener: the destination is a port that this proxy listens on"
            }
            Self::NoRoute => "no virtual host or route matches",
            Self::NoCluster(name) => {
                return Cow::Owned(format!("cluster `{name}` does not exist"));
            }
            Self::NoChain => "no server of the gateway matches the SNI",
        })
    }
}

impl BadRequestKind {
    /// The local reply for it.
    pub fn reply(self) -> LocalReply {
        let row = match self {
            Self::Syntax => LocalReply::flagged(400, BAD, "http1.codec_error", Flag::DPE),
            Self::Framing => {
                let details = "http1.content_length_and_chunked_not_allowed";
                LocalReply::flagged(400, BAD, details, Flag::DPE)
            }
            Self::Scheme => LocalReply::flagged(400, BAD, "http1.invalid_scheme", Flag::DPE),
            Self::Host => LocalReply::flagged(400, BAD, "http.invalid_authority", Flag::DPE),
            Self::NoHost => LocalReply::new(400, BAD, "missing_host_header"),
            Self::Path => LocalReply::new(400, BAD, "path_normalization_failed"),
            Self::Upgrade => LocalReply {
                body: "this upgrade is not allowed",
                ..LocalReply::new(403, "upgrade_refused", "upgrade_failed")
            },
            Self::Insecure => {
                let details = "http1.https_url_on_plaintext_connection";
                LocalReply {
                    body: "an https URL was requested on a connection without TLS",
                    ..LocalReply::flagged(403, "insecure", details, Flag::DPE)
                }
            }
            Self::Coding => {
                let details = "http1.invalid_transfer_encoding";
                LocalReply {
                    body: "this transfer coding is not supported",
                    ..LocalReply::flagged(501, "transfer_coding", details, Flag::DPE)
                }
            }
            Self::TooLarge => {
                let details = "request_headers_too_large";
                LocalReply {
                    body: "the request's headers are too large",
                    ..LocalReply::flagged(431, "too_large", details, Flag::DPE)
                }
            }
        };
        let body = if row.code == BAD {
            "Bad Request"
        } else {
            row.body
        };
        LocalReply {
            body,
            closes: true,
            ..row
        }
    }
}

const BAD: &str = "bad_request";

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, flag of a request, flag of a byte stream, details, reason code.
    fn row(reply: LocalReply) -> (u16, Option<Flag>, Option<Flag>, &'static str, &'static str) {
        let LocalReply {
            status,
            flag,
            stream_flag,
            details,
            code,
            ..
        } = reply;
        (status, flag, stream_flag, details, code)
    }

    #[test]
    fn refusals_are_envoys() {
        let (uh, nr, nc) = (Some(Flag::UH), Some(Flag::NR), Some(Flag::NC));
        for (refusal, expected) in [
            (
                Refusal::Blackhole,
                (502, None, uh, "direct_response", "blackhole"),
            ),
            (
                Refusal::OwnListener,
                (502, None, uh, "own_listener", "own_listener"),
            ),
            (
                Refusal::NoRoute,
                (404, nr, nr, "route_not_found", "no_route"),
            ),
            (
                Refusal::NoCluster("outbound|80||x".into()),
                (503, nc, nc, "cluster_not_found", "no_cluster"),
            ),
            (
                Refusal::NoChain,
                (0, nr, nr, "filter_chain_not_found", "no_chain"),
            ),
        ] {
            assert_eq!(row(refusal.reply()), expected);
        }
    }

    #[test]
    fn bad_requests_are_envoys() {
        use BadRequestKind::*;
        let dpe = Some(Flag::DPE);
        for (kind, status, flag, details, code) in [
            (Syntax, 400, dpe, "http1.codec_error", BAD),
            (
                Framing,
                400,
                dpe,
                "http1.content_length_and_chunked_not_allowed",
                BAD,
            ),
            (Scheme, 400, dpe, "http1.invalid_scheme", BAD),
            (Host, 400, dpe, "http.invalid_authority", BAD),
            (NoHost, 400, None, "missing_host_header", BAD),
            (Path, 400, None, "path_normalization_failed", BAD),
            (Upgrade, 403, None, "upgrade_failed", "upgrade_refused"),
            (
                Insecure,
                403,
                dpe,
                "http1.https_url_on_plaintext_connection",
                "insecure",
            ),
            (
                Coding,
                501,
                dpe,
                "http1.invalid_transfer_encoding",
                "transfer_coding",
            ),
            (TooLarge, 431, dpe, "request_headers_too_large", "too_large"),
        ] {
            let reply = kind.reply();
            assert_eq!(row(reply), (status, flag, flag, details, code), "{kind:?}");
            assert!(reply.closes, "{kind:?}");
        }
    }

    #[test]
    fn a_status_that_is_not_logged_is_sent_as_502() {
        let reply = LocalReply::new(0, "code", "details");
        assert_eq!(
            (reply.sent_status, reply.grpc_status),
            (502, GrpcStatus::Unavailable)
        );
    }
}
