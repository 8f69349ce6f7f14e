//! Of exchanges that break off.

use super::{Difference, VERDICT};

pub(super) const OF_BREAKS: &[Difference] = &[
    VERDICT,
    Difference {
        exchanges: &["One /1/open-reset", "Two /1/open-reset"],
        facts: &[
            "end",
            "body",
            "log response_code_details",
            "log response_flags",
        ],
        reason: "a body that goes to the end of the connection is not whole when the connection is reset",
    },
    Difference {
        exchanges: &[
            "Two /2/part-cancel",
            "Two /2/part-short",
            "Two /2/part-long",
        ],
        facts: &["end"],
        reason: "the client hears the upstream's own reason; Envoy calls all of them internal errors",
    },
];
