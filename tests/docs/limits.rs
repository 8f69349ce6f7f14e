//! All bounds of the proxy, from their table.

use egret_proxy::bounds::{Bound, Metric, of_clients, of_memory, of_upstreams};

use crate::{header, row};

pub(crate) fn page() -> String {
    let mut text = "# Limits\n\n\
        What is bounded, where nothing else is set and by what it is set, what happens at the bound, and what counts that. `limit=` is the \
        label of `egret_limit_hits_total`; each value is there from the start, at 0. Calls that a limit refuses have the flag `OM` (of the \
        process) or `UO` (of a cluster) in the access log. A warning in the log, once a second at most, names the limit.\n"
        .to_owned();
    for (title, bounds) in [
        ("Clients", of_clients()),
        ("Memory", of_memory()),
        ("Upstreams, names and pages", of_upstreams()),
    ] {
        text += &format!("\n## {title}\n\n");
        text += &header(["bounded", "default", "set by", "at the bound", "counted by"]);
        text.extend(bounds.iter().map(line));
    }
    text
}

fn line(bound: &Bound) -> String {
    let counted = match bound.metric {
        Metric::Limit(limit) => format!("`limit=\"{limit}\"`"),
        Metric::Family(family) => format!("`{family}`"),
    };
    let setting = if bound.setting.is_empty() {
        "fixed"
    } else {
        bound.setting
    };
    row([
        bound.subject,
        &bound.default,
        setting,
        bound.at_bound,
        &counted,
    ])
}
