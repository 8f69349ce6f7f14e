//! Differences from Envoy, from the lists of the comparison.

#[allow(dead_code, reason = "the comparison uses the rest")]
#[path = "../parity/differences/mod.rs"]
mod lists;

use self::lists::SUITES;
use crate::{header, row};

pub(crate) fn page() -> String {
    let mut text = "# Differences from Envoy\n\n\
        `tests/parity` sends the same bytes through egret and through Envoy, configured as Istio configures it, and compares what the client \
        gets, what the origin sees, and the access log. Everything is equal but for this list. The exchanges are named as in the tests; \
        the files under `tests/parity/differences` have both answers.\n"
        .to_owned();
    for suite in SUITES.iter().filter(|suite| !suite.differences.is_empty()) {
        text += &format!("\n## {}\n\n", capitalized(suite.about));
        text += &header(["exchange", "what differs", "reason"]);
        for difference in suite.differences {
            let exchanges = match difference.exchanges {
                [] => "any".to_owned(),
                some => some.join("; "),
            };
            let facts = match difference.facts {
                ["*"] => "the whole answer".to_owned(),
                some => some.join("; "),
            };
            text += &row([&exchanges, &facts, difference.reason]);
        }
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
