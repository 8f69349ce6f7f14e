//! Of exchanges that break off.

use super::Difference;
use super::VERDICT;

pub(crate) const OF_BREAKS: &[Difference] = &[
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
    Difference {
        exchanges: &[
            "Two /1/part-silent, leaves by Cancel",
            "Two /1/silent, leaves by Cancel",
            "Two /1/read, sends Half, leaves by Cancel",
            "Two /2/part-silent, leaves by Cancel",
            "Two /2/silent, leaves by Cancel",
            "Two /2/read, sends Half, leaves by Cancel",
        ],
        facts: &["log response_code_details", "log response_flags"],
        reason: "a client that leaves is DC, whether it ends its stream or its connection, as with HTTP/1",
    },
    Difference {
        exchanges: &["Two /1/read, sends Flawed", "Two /2/read, sends Flawed"],
        facts: &["log response_code_details", "log response_flags"],
        reason: "lack: a stream that we reset for its client's mistake is told as one that the client left",
    },
];
