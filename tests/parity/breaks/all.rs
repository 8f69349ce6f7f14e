//! The exchanges: each way an end may break off, for each pair of versions.

use crate::breaks::client::{Exchange, Leave, Sends, Version};

/// What origins of HTTP/1 do.
const ONE: &[&str] = &[
    "close-before",
    "reset-before",
    "garbage-before",
    "part-close",
    "part-reset",
    "chunk-close",
    "chunk-reset",
    "chunk-garbage",
    "open-reset",
];

/// What origins of HTTP/2 do.
const TWO: &[&str] = &[
    "close-before",
    "reset-before",
    "rst-before",
    "cancel-before",
    "noerror-before",
    "refused",
    "goaway-before",
    "part-close",
    "part-reset",
    "part-rst",
    "part-cancel",
    "part-noerror",
    "part-short",
    "part-long",
    "part-goaway",
];

/// Whom an origin of HTTP/1 keeps waiting, and one of HTTP/2.
const BOTH: [&str; 2] = ["1", "2"];

pub(super) fn all() -> Vec<Exchange> {
    let mut all = Vec::new();
    for from in [Version::One, Version::Two] {
        for (origin, ends) in [("1", ONE), ("2", TWO)] {
            for end in ends {
                all.push(exchange(
                    from,
                    format!("/{origin}/{end}"),
                    Sends::Nothing,
                    Leave::Never,
                ));
            }
        }
        for origin in BOTH {
            let target = |what| format!("/{origin}/{what}");
            for (what, sends, leave) in [
                ("read", Sends::Half, Leave::Close),
                ("read", Sends::Half, Leave::Reset),
                ("read", Sends::Flawed, Leave::Never),
            ] {
                all.push(exchange(from, target(what), sends, leave));
            }
            all.push(exchange(
                from,
                format!("/{origin}/late/part-silent"),
                Sends::Nothing,
                Leave::Never,
            ));
            // Over HTTP/1, a client that has no more to say may still listen.
            if from == Version::Two {
                all.push(exchange(
                    from,
                    target("part-silent"),
                    Sends::Nothing,
                    Leave::Close,
                ));
                all.push(exchange(
                    from,
                    target("part-silent"),
                    Sends::Nothing,
                    Leave::Reset,
                ));
                all.push(exchange(
                    from,
                    target("silent"),
                    Sends::Nothing,
                    Leave::Close,
                ));
                all.push(exchange(
                    from,
                    target("silent"),
                    Sends::Nothing,
                    Leave::Reset,
                ));
                all.push(exchange(
                    from,
                    target("part-silent"),
                    Sends::Nothing,
                    Leave::Cancel,
                ));
                all.push(exchange(
                    from,
                    target("silent"),
                    Sends::Nothing,
                    Leave::Cancel,
                ));
                all.push(exchange(from, target("read"), Sends::Half, Leave::Cancel));
            }
        }
    }
    all
}

fn exchange(from: Version, target: String, sends: Sends, leave: Leave) -> Exchange {
    let mut name = format!("{from:?} {target}");
    if sends != Sends::Nothing {
        name += &format!(", sends {sends:?}");
    }
    if leave != Leave::Never {
        name += &format!(", leaves by {leave:?}");
    }
    Exchange {
        name: name.leak(),
        from,
        target,
        sends,
        leave,
    }
}
