//! Of HTTP/2 through a gateway.

use super::{BODY, Difference, SERVER, VERDICT};

pub(super) const OVER_HTTP2: &[Difference] = &[
    SERVER,
    VERDICT,
    Difference {
        exchanges: &["no such path", "no such host"],
        facts: BODY,
        reason: "a refusal has a short body that says why, where Envoy's is empty",
    },
    Difference {
        exchanges: &["grpc refused"],
        facts: &["header grpc-message"],
        reason: "a refusal says why, to gRPC clients too",
    },
];
