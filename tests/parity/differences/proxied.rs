//! Of requests behind a PROXY header.

use super::{BODY, Difference, SERVER, VERDICT};

pub(super) const OF_PROXIED: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &["line, and no route"],
        facts: BODY,
        reason: "a refusal has a short body that says why, where Envoy's is empty",
    },
    Difference {
        exchanges: &["binary of no family"],
        facts: &["origin requests", "responses"],
        reason: "a header without an address is about nobody, as the protocol says; Envoy ends the connection",
    },
    Difference {
        exchanges: &["binary of datagrams"],
        facts: &["origin requests", "responses"],
        reason: "a connection carries no datagrams, so this header is broken; Envoy reads its addresses",
    },
];
