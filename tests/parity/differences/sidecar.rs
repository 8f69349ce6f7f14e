//! Of requests through a sidecar.

use super::{ALL, Difference, SERVER, VERDICT};

pub(super) const OF_SIDECAR: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &["forwarded for"],
        facts: &["log downstream_remote_address"],
        reason: "a caller cannot choose the address that the log tells",
    },
    Difference {
        exchanges: &[
            "unknown host",
            "head of an unknown host",
            "two hosts",
            "no host",
            "empty host",
        ],
        facts: &[
            "body",
            "header content-length",
            "header content-type",
            "header transfer-encoding",
            "log bytes_sent",
        ],
        reason: "a refusal has a short body that says why",
    },
    Difference {
        exchanges: &["pipelined"],
        facts: &[
            "response 2 body",
            "response 2 header content-length",
            "response 2 header content-type",
            "log 2 bytes_sent",
        ],
        reason: "a refusal has a short body that says why",
    },
    Difference {
        exchanges: &["envoy's own headers"],
        facts: &["log path"],
        reason: "a caller cannot choose the path that the log tells",
    },
    Difference {
        exchanges: &["length and chunked"],
        facts: &["log method", "log path", "log authority"],
        reason: "a bad request is told as far as it could be read",
    },
    Difference {
        exchanges: &["options of the server"],
        facts: ALL,
        reason: "`OPTIONS *` is matched as path `/`, so that it is refused as anything else to this host is",
    },
    Difference {
        exchanges: &["method in small letters"],
        facts: ALL,
        reason: "any token is a method (RFC 9110, 9.1); Envoy knows a list",
    },
    Difference {
        exchanges: &["HTTP/1.0"],
        facts: ALL,
        reason: "old clients are served; to Envoy's eyes they do not speak HTTP, and are cut off",
    },
    Difference {
        exchanges: &["origin resets"],
        facts: &["origin requests"],
        reason: "a request that may be repeated is sent anew when a kept connection turns out to be closed",
    },
];
