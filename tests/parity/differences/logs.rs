//! Of the operators of the access log.

use super::Difference;

const REPEATED: &str =
    "a request that may be repeated is sent anew when a kept connection turns out to be closed";

/// The sizes of refusals.
const OF_REFUSALS: Difference = Difference {
    exchanges: &[
        "aborted",
        "too late",
        "tries too late",
        "no such host",
        "no such path",
        "no such cluster",
        "no endpoint",
        "nobody listens",
        "grpc refused",
        "grpc without endpoint",
        "grpc aborted with a status of its own",
        "origin resets",
        "origin speaks no HTTP",
    ],
    facts: &[
        "log 1 DOWNSTREAM_WIRE_BYTES_SENT",
        "log 1 DOWNSTREAM_HEADER_BYTES_SENT",
        "log 1 RESPONSE_HEADERS_BYTES",
    ],
    reason: "a refusal says why in a header of its own, and its status has the reason of the RFC",
};

const BODIES: Difference = Difference {
    exchanges: &["no such host", "no such path", "no such cluster"],
    facts: &[
        "log 1 BYTES_SENT",
        "log 1 RESP(CONTENT-LENGTH)",
        "log 1 RESP(CONTENT-TYPE)",
    ],
    reason: "a refusal has a short body that says why, where Envoy's is empty",
};

const LOCAL_BODY: Difference = Difference {
    exchanges: &[],
    facts: &["log 1 LOCAL_REPLY_BODY"],
    reason: "lines have the body of a local reply; Envoy has it only where it maps local replies",
};

const ATTEMPTED: Difference = Difference {
    exchanges: &[
        "retried",
        "retried with a body",
        "tries too late",
        "nobody listens",
    ],
    facts: &[
        "log 1 UPSTREAM_HOSTS_ATTEMPTED*",
        "log 1 UPSTREAM_HOST_NAMES_ATTEMPTED*",
    ],
    reason: "the endpoints of all attempts are named; Envoy 1.40 names the last one that was connected",
};

const NOBODY_TRIED: Difference = Difference {
    exchanges: &["no endpoint", "grpc without endpoint"],
    facts: &["log 1 UPSTREAM_REQUEST_ATTEMPT_COUNT"],
    reason: "nobody was tried",
};

pub(super) const OF_HTTP1: &[Difference] = &[
    OF_REFUSALS,
    BODIES,
    LOCAL_BODY,
    ATTEMPTED,
    NOBODY_TRIED,
    Difference {
        exchanges: &["origin resets"],
        facts: &[
            "log 1 UPSTREAM_WIRE_BYTES_SENT",
            "log 1 UPSTREAM_HEADER_BYTES_SENT",
        ],
        reason: REPEATED,
    },
    Difference {
        exchanges: &["direct answer", "early hints"],
        facts: &["log 1 DOWNSTREAM_WIRE_BYTES_SENT"],
        reason: "a status has the reason of the RFC, where Envoy has `Unknown`",
    },
    Difference {
        exchanges: &["chunked answer", "trailers of an answer"],
        facts: &["log 1 DOWNSTREAM_WIRE_BYTES_SENT"],
        reason: "chunks and trailers are passed on as they came",
    },
    Difference {
        exchanges: &["trailers of an answer"],
        facts: &[
            "log 1 TRAILER(X-SUM)",
            "log 1 RESPONSE_TRAILER(X-SUM)",
            "log 1 RESPONSE_TRAILERS_BYTES",
        ],
        reason: "trailers of HTTP/1 pass, which Envoy drops",
    },
    Difference {
        exchanges: &["websocket"],
        facts: &[
            "log 1 RESPONSE_CODE_DETAILS*",
            "log 1 RESPONSE_FLAGS*",
            "log 1 CEL(response.flags)",
        ],
        reason: "an upgraded connection that its upstream ends is over, not broken",
    },
];

pub(super) const OF_HTTP2: &[Difference] = &[
    OF_REFUSALS,
    BODIES,
    LOCAL_BODY,
    ATTEMPTED,
    NOBODY_TRIED,
    Difference {
        exchanges: &[
            "plain",
            "body with a length",
            "rewritten",
            "retried with a body",
            "chunked answer",
        ],
        facts: &["log 1 DOWNSTREAM_WIRE_BYTES_SENT"],
        reason: "frames are cut otherwise: a body ends in the frame of its last bytes, and chunks have frames of their own",
    },
    Difference {
        exchanges: &["grpc refused", "grpc without endpoint"],
        facts: &[
            "log 1 COMMON_DURATION*",
            "log 1 DOWNSTREAM_WIRE_BYTES_RECEIVED",
        ],
        reason: "a line is made once the answer is on the wire, where Envoy makes it before",
    },
];

pub(super) const OF_LOGGED_STREAMS: &[Difference] = &[
    Difference {
        exchanges: &["no TLS with the upstream"],
        facts: &["log 1 UPSTREAM_TRANSPORT_FAILURE_REASON"],
        reason: "each library of TLS has its own words",
    },
    Difference {
        exchanges: &[
            "a name of no server",
            "no name",
            "plaintext where names are",
        ],
        facts: &["log 1 CONNECTION_ID", "log 1 STREAM_ID"],
        reason: "a connection that no filter chain is for has a number and an id like others",
    },
    Difference {
        exchanges: &["plaintext where names are"],
        facts: &["log 1 DOWNSTREAM_TRANSPORT_FAILURE_REASON"],
        reason: "bytes that are no TLS are no failure of TLS",
    },
];
