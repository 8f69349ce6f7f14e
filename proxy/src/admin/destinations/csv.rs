//! The table of destinations as CSV (RFC 4180).

use http::StatusCode;

use crate::admin::destinations::cells::{address, protocol, quantile_millis, time};
use crate::admin::page::Page;
use crate::report::destinations::Destination;

/// The columns, in order.
const COLUMNS: [&str; 18] = [
    "name",
    "named_by",
    "address",
    "port",
    "protocol",
    "verdict",
    "reason",
    "cluster",
    "object",
    "calls",
    "active",
    "failed",
    "bytes_sent",
    "bytes_received",
    "p50_ms",
    "p99_ms",
    "first",
    "last",
];

/// A row of names, then one for each destination.
pub(super) fn page(destinations: &[Destination]) -> Page {
    let mut text = String::new();
    line(&mut text, &COLUMNS.map(str::to_owned));
    for one in destinations {
        let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
        line(
            &mut text,
            &[
                optional(one.key.name.as_deref()),
                one.key.named_by.name().to_owned(),
                one.address.as_ref().map(address).unwrap_or_default(),
                one.key.port.to_string(),
                protocol(one).to_owned(),
                one.verdict().name().to_owned(),
                one.reason.to_string(),
                optional(one.cluster.as_deref()),
                optional(one.object.as_deref()),
                one.calls.to_string(),
                one.active.to_string(),
                one.failed.to_string(),
                one.sent.to_string(),
                one.received.to_string(),
                quantile_millis(&one.latencies, 0.5),
                quantile_millis(&one.latencies, 0.99),
                time(one.first),
                time(one.last),
            ],
        );
    }
    Page {
        content_type: "text/csv; charset=utf-8",
        ..Page::text(StatusCode::OK, text)
    }
}

fn line(text: &mut String, cells: &[String; COLUMNS.len()]) {
    for (number, content) in cells.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        cell(text, content);
    }
    text.push_str("\r\n");
}

/// A cell. Spreadsheets take one that begins like a formula for one: a quote in front makes it text.
fn cell(text: &mut String, content: &str) {
    let is_formula = content.starts_with(['=', '+', '-', '@', '\t']);
    let mark = if is_formula { "'" } else { "" };
    if content.contains(['"', ',', '\r', '\n']) {
        text.push_str(&format!("\"{mark}{}\"", content.replace('"', "\"\"")));
    } else {
        text.push_str(mark);
        text.push_str(content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        for (content, expected) in [
            ("a.test", "a.test"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+2", "'=1+2"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@a", "'@a"),
            ("\ta", "'\ta"),
            (
                "=HYPERLINK(\"x\",\"y\")",
                "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
            ),
        ] {
            let mut text = String::new();
            cell(&mut text, content);
            assert_eq!(text, expected, "{content:?}");
        }
    }
}
