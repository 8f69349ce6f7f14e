//! Of the access log's lines for connections.

use super::{ALL, Difference};

pub(super) const OF_GATEWAY_ROWS: &[Difference] = &[
    Difference {
        exchanges: &["no TLS with the upstream"],
        facts: &["log upstream_transport_failure_reason"],
        reason: "each library of TLS has its own words",
    },
    Difference {
        exchanges: &[
            "a name of no server",
            "no name",
            "plaintext where names are",
        ],
        facts: &["ends"],
        reason: "what was read is no reason for a reset: the connection ends in order",
    },
];

pub(super) const OF_OPEN_ROWS: &[Difference] = &[];

pub(super) const OF_CLOSED_ROWS: &[Difference] = &[
    Difference {
        exchanges: &["not registered", "no HTTP where HTTP is"],
        facts: &["ends"],
        reason: "what was read is no reason for a reset: the connection ends in order",
    },
    Difference {
        exchanges: &["not registered, HTTP"],
        facts: ALL,
        reason: "HTTP is answered with 502 on every port, not only where HTTP is registered",
    },
    Difference {
        exchanges: &["by name, not registered"],
        facts: &["ends", "heard"],
        reason: "a TLS client is told by an alert that it may not",
    },
];
