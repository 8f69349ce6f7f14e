//! Of TLS, bytes, mirrors and weights through a gateway.

use super::{BODY, Difference, SERVER, VERDICT};

pub(super) const OF_STREAMS: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &["ended, the host of another server"],
        facts: BODY,
        reason: "a refusal has a short body that says why, where Envoy's is empty",
    },
    Difference {
        exchanges: &[
            "mirrored",
            "mirrored with a body",
            "mirrored with a port in the host",
        ],
        facts: &["origin 2 header x-forwarded-for"],
        reason: "a mirror says once who called, as the request itself does",
    },
    Difference {
        exchanges: &["TLS 1.2"],
        facts: &["version"],
        reason: "among suites of equal strength Envoy takes the client's order for what hardware it guesses; AES is in hardware",
    },
];
