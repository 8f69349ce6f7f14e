//! `/stats`: Envoy's text statistics, and what may be asked of them.

use std::fmt::Write;

use egret_config::re2::Search;
use http::StatusCode;
use serde_json::{Value as Json, json};

use crate::admin::metrics;
use crate::admin::page::Page;
use crate::admin::query::Query;
use crate::admin::state::Admin;
use crate::report::metrics::exposition;
use crate::report::metrics::family::{Family, Value};
use crate::report::metrics::histogram::HistogramValue;
use crate::report::metrics::quantiles::{PERCENT, quantile};
use crate::report::metrics::statistics::{Statistic, statistics};

/// What is asked of the statistics.
struct Selection {
    /// Only what was ever changed.
    used_only: bool,
    /// Only names in which this is found.
    filter: Option<Search>,
}

/// The page, in the form that the query asks for.
pub(super) fn page(admin: &Admin, query: Query<'_>) -> Page {
    let filter = query.value("filter").filter(|filter| !filter.is_empty());
    let filter = match filter.map(|filter| Search::new(&filter)).transpose() {
        Ok(filter) => filter,
        Err(wrong) => return bad_request(&format!("filter: {wrong}")),
    };
    let selection = Selection {
        used_only: query.parameters().any(|(name, _)| name == "usedonly"),
        filter,
    };
    let families = metrics::families(admin);
    match query.value("format").as_deref() {
        None | Some("" | "text") => Page::text(StatusCode::OK, text(&selection.of(&families))),
        Some("json") => Page {
            content_type: Page::JSON,
            ..Page::text(StatusCode::OK, json(&selection.of(&families)).to_string())
        },
        Some("html") => Page {
            content_type: "text/html; charset=utf-8",
            ..Page::text(StatusCode::OK, html(&selection.of(&families)))
        },
        Some("prometheus") => Page {
            content_type: exposition::CONTENT_TYPE,
            ..Page::text(
                StatusCode::OK,
                exposition::text(&selection.of_families(families)),
            )
        },
        Some(other) => bad_request(&format!(
            "format: {other:?} is none of text, json, html and prometheus"
        )),
    }
}

fn bad_request(wrong: &str) -> Page {
    Page::text(StatusCode::BAD_REQUEST, format!("bad request: {wrong}\n"))
}

impl Selection {
    /// The statistics that are asked for, by name.
    fn of(&self, families: &[Family]) -> Vec<Statistic> {
        let mut all = statistics(families);
        all.retain(|one| self.has(one));
        all
    }

    /// The families with the samples that are asked for.
    fn of_families(&self, families: Vec<Family>) -> Vec<Family> {
        if !self.used_only && self.filter.is_none() {
            return families;
        }
        let selected = families.into_iter().map(|mut family| {
            let all = std::mem::take(&mut family.samples);
            for (labels, value) in all {
                let mut one = Family::new(family.definition);
                one.add(&labels, value);
                if self.has_any(&one) {
                    family.samples.append(&mut one.samples);
                }
            }
            family
        });
        selected
            .filter(|family| !family.samples.is_empty())
            .collect()
    }

    fn has_any(&self, family: &Family) -> bool {
        let all = statistics(std::slice::from_ref(family));
        all.iter().any(|one| self.has(one))
    }

    fn has(&self, one: &Statistic) -> bool {
        (one.is_used || !self.used_only)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.is_in(&one.name) || filter.is_in(&one.bare_name()))
    }
}

/// Lines `name: value`.
fn text(statistics: &[Statistic]) -> String {
    let mut text = String::new();
    for one in statistics {
        // A String takes whatever is written.
        let _ = writeln!(text, "{}: {}", one.name, shown(&one.value));
    }
    text
}

/// A value as text.
fn shown(value: &Value) -> String {
    match value {
        Value::Integer(count) => count.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Histogram(histogram) if histogram.count() == 0 => "No recorded values".to_owned(),
        Value::Histogram(histogram) => {
            // Nothing is kept of the last interval alone.
            let each = PERCENT
                .iter()
                .map(|percent| format!("P{percent}(nan,{})", rounded(histogram, *percent)));
            each.collect::<Vec<_>>().join(" ")
        }
    }
}

/// A quantile with as many digits as buckets allow.
fn rounded(histogram: &HistogramValue, percent: f64) -> f64 {
    let value = quantile(histogram, percent).unwrap_or_default();
    (value * 1e3).round() / 1e3
}

/// Envoy's shape: counters and gauges, then one item with all histograms.
fn json(statistics: &[Statistic]) -> Json {
    let (mut numbers, mut histograms) = (Vec::new(), Vec::new());
    for one in statistics {
        match &one.value {
            Value::Integer(count) => numbers.push(json!({ "name": one.name, "value": count })),
            Value::Float(number) => numbers.push(json!({ "name": one.name, "value": number })),
            Value::Histogram(histogram) => histograms.push(json!({
                "name": one.name,
                "values": PERCENT.map(|percent| json!({
                    "interval": null,
                    "cumulative": (histogram.count() > 0).then(|| rounded(histogram, percent)),
                })),
            })),
        }
    }
    if !histograms.is_empty() {
        numbers.push(json!({
            "histograms": { "supported_quantiles": PERCENT, "computed_quantiles": histograms },
        }));
    }
    json!({ "stats": numbers })
}

/// A text as HTML has it.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// A table for people.
fn html(statistics: &[Statistic]) -> String {
    let mut html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>egret statistics</title></head>\n\
                    <body>\n<h1>Statistics</h1>\n<table>\n<tr><th>name</th><th>value</th></tr>\n"
        .to_owned();
    for one in statistics {
        // A String takes whatever is written.
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td></tr>",
            escaped(&one.name),
            shown(&one.value)
        );
    }
    html.push_str("</table>\n</body>\n</html>\n");
    html
}
