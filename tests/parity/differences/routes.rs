//! Of further actions of routes.

use super::{Difference, SERVER, VERDICT};

pub(super) const OF_ROUTES: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &["/5xx/reset", "/gateway/reset", "/reset/reset"],
        facts: &["origin requests"],
        reason: "a request that may be repeated is sent anew when a kept connection turns out to be closed",
    },
    Difference {
        exchanges: &["/to/defaultport/a", "port in the host, default port"],
        facts: &["header location"],
        reason: "the port that a scheme has anyway is not written",
    },
    Difference {
        exchanges: &["/variable/a"],
        facts: &[
            "header x-code",
            "origin header x-client",
            "origin header x-protocol",
        ],
        reason: "lack: variables in the values of headers are not filled in; `check` and the log name them",
    },
    Difference {
        exchanges: &["one too many"],
        facts: &["log upstream_host"],
        reason: "no endpoint is chosen for a request that none may have",
    },
    Difference {
        exchanges: &["any origin, preflight"],
        facts: &["header access-control-allow-headers"],
        reason: "nothing is not listed",
    },
    Difference {
        exchanges: &["/redirected"],
        facts: &["header location"],
        reason: "a direct response has no headers but those that the route sets; Envoy's location leads back to itself",
    },
    Difference {
        exchanges: &["grpc-timeout below the route's"],
        facts: &["header grpc-status"],
        reason: "a call that fails after its own deadline is DEADLINE_EXCEEDED; Envoy says UNAVAILABLE",
    },
];
