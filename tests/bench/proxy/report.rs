//! Results as a table in Markdown and as a chart in SVG.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::proxy::flows::{Better, FLOWS, Value};
use crate::proxy::results::Results;
use crate::proxy::sidecar::Contestant;

const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->";

/// Puts the table into a Markdown file and the chart into a file of its own.
pub(crate) fn write(results: &Path, page: &Path, chart_file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(results)
        .with_context(|| format!("cannot read {}", results.display()))?;
    let results: Results = serde_json::from_str(&text)?;
    let old =
        fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let places = old.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = places
        .with_context(|| format!("{} lacks the lines {BEGIN:?} and {END:?}", page.display()))?;
    let image = format!(
        "![CPU per request, egret beside Envoy]({})\n\n",
        relative(page, chart_file)
    );
    fs::write(
        page,
        format!("{before}{BEGIN}{image}{}{END}{after}", table(&results)),
    )?;
    fs::write(chart_file, chart(&results))?;
    Ok(())
}

/// The table: a line for each value, with how many times better egret is.
pub(super) fn table(results: &Results) -> String {
    let version = |contestant: Contestant| {
        results
            .versions
            .get(contestant.name())
            .map_or("", String::as_str)
    };
    let mut text = format!(
        "{}, {}. One worker each, same configuration, no access log; medians of {} rounds of {} s.\n\n\
         | flow | value | egret {} | Envoy {} | egret's advantage |\n|---|---|---|---|---|\n",
        results.date,
        results.machine,
        results.rounds,
        results.secs,
        version(Contestant::Egret),
        version(Contestant::Envoy),
    );
    for flow in FLOWS {
        for value in flow.shown {
            if let Some([egret, envoy]) = both(results, flow.name, value) {
                let digits = value.digits;
                let _ = writeln!(
                    text,
                    "| {} | {} | {egret:.digits$} | {envoy:.digits$} | {:.1}x |",
                    flow.title(results),
                    value.about,
                    advantage(value, egret, envoy)
                );
            }
        }
    }
    text
}

/// Bars: the processor time or memory that each flow costs, as a share of Envoy's.
fn chart(results: &Results) -> String {
    const ROW: usize = 34;
    const LEFT: usize = 330;
    /// Width of Envoy's bar, which is 100 %.
    const FULL: f64 = 220.0;
    /// The longest bar of egret's, as a share; the label states the share.
    const SHARE_MAX: f64 = 1.3;
    /// Where the labels begin: behind the longest bar.
    const LABELS: usize = LEFT + 300;
    let rows: Vec<_> = FLOWS
        .iter()
        .filter_map(|flow| {
            let value = flow
                .shown
                .iter()
                .find(|value| value.better == Better::Less)?;
            let [egret, envoy] = both(results, flow.name, value)?;
            Some((flow, value, egret, envoy))
        })
        .collect();
    let height = 40 + ROW * rows.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" viewBox=\"0 0 860 {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"860\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"20\" font-weight=\"bold\">Cost of each flow: egret (green) beside Envoy (grey, 100 %)</text>\n"
    );
    for (at, (flow, value, egret, envoy)) in rows.into_iter().enumerate() {
        let top = 34 + at * ROW;
        let share = egret / envoy;
        let digits = value.digits;
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{}\">{}</text>\n<rect x=\"{LEFT}\" y=\"{top}\" width=\"{FULL}\" height=\"11\" fill=\"#c4c8cc\"/>\n\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"11\" fill=\"#2e8b57\"/>\n\
             <text x=\"{LABELS}\" y=\"{}\" fill=\"#333333\">{egret:.digits$} / {envoy:.digits$} {} ({:.0} %)</text>",
            top + 16,
            flow.title(results),
            top + 12,
            FULL * share.min(SHARE_MAX),
            top + 16,
            value.about,
            share * 100.0,
        );
    }
    svg + "</svg>\n"
}

fn both(results: &Results, flow: &str, value: &Value) -> Option<[f64; 2]> {
    Some([
        results.median(flow, Contestant::Egret, value.name)?,
        results.median(flow, Contestant::Envoy, value.name)?,
    ])
}

fn advantage(value: &Value, egret: f64, envoy: f64) -> f64 {
    match value.better {
        Better::Less => envoy / egret,
        Better::More => egret / envoy,
    }
}

/// The chart's path as seen from the page.
fn relative(page: &Path, chart: &Path) -> String {
    let folder = page.parent().unwrap_or(Path::new(""));
    chart
        .strip_prefix(folder)
        .unwrap_or(chart)
        .display()
        .to_string()
}
