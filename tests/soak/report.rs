//! The result as a table in Markdown and as a chart in SVG.

use std::fmt::Write;

use crate::flows::Flow;
use crate::samples::{Sample, Trend, quantile};

/// The tables: a line for each flow, and one for each quantity that has to stay flat.
pub(crate) fn table(flows: &[Flow], trends: &[Trend]) -> String {
    let mut text = String::from(
        "| flow | sent | answered | lost | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|---|---|\n",
    );
    let millis = |micros: Option<u32>| f64::from(micros.unwrap_or(0)) / 1_000.0;
    for Flow { name, tally } in flows {
        let read = |number: &std::sync::atomic::AtomicU64| {
            number.load(std::sync::atomic::Ordering::Relaxed)
        };
        let sorted = tally.latencies_from(0);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {:.1} | {:.1} | {:.1} |",
            read(&tally.sent),
            read(&tally.answered),
            read(&tally.lost),
            millis(quantile(&sorted, 0.5)),
            millis(quantile(&sorted, 0.99)),
            millis(sorted.last().copied()),
        );
    }
    text += "\n| used | first third | last third | |\n|---|---|---|---|\n";
    for Trend {
        what,
        first,
        last,
        is_flat,
    } in trends
    {
        let verdict = if *is_flat { "flat" } else { "GROWS" };
        let _ = writeln!(text, "| {what} | {first} | {last} | {verdict} |");
    }
    text
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
/// Room for the legend.
const RIGHT: f64 = 190.0;
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// One line of a chart.
struct Line {
    name: String,
    /// Seconds and values.
    points: Vec<(f64, f64)>,
}

/// Memory and latency over time.
pub(crate) fn chart(flows: &[Flow], samples: &[Sample]) -> String {
    let memory = ["sidecar", "gateway"].into_iter().enumerate();
    let memory = memory.map(|(process, name)| Line {
        name: name.to_owned(),
        points: samples
            .iter()
            .map(|one| (one.at, one.used[process].memory as f64 / 1024.0))
            .collect(),
    });
    let latency = flows.iter().enumerate().map(|(number, flow)| Line {
        name: flow.name.to_owned(),
        points: samples
            .iter()
            .filter_map(|one| Some((one.at, f64::from(one.latency[number]?) / 1_000.0)))
            .collect(),
    });
    let both = [
        ("Memory (PSS), MiB", memory.collect::<Vec<_>>()),
        (
            "Latency, 99th percentile of each second, ms",
            latency.collect(),
        ),
    ];
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + RIGHT,
        2.0 * (HEIGHT + 2.0 * TOP)
    );
    for (number, (title, lines)) in both.iter().enumerate() {
        panel(
            &mut text,
            title,
            lines,
            TOP + number as f64 * (HEIGHT + 2.0 * TOP),
        );
    }
    text + "</svg>\n"
}

fn panel(text: &mut String, title: &str, lines: &[Line], top: f64) {
    let points = || lines.iter().flat_map(|line| &line.points);
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::EPSILON, f64::max);
    let seconds = largest(&mut points().map(|(at, _)| *at));
    let most = largest(&mut points().map(|(_, value)| *value)) * 1.1;
    let bottom = top + HEIGHT;
    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
        top - 10.0
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (x, y) = (LEFT + share * WIDTH, bottom - share * HEIGHT);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {y:.1}h{WIDTH}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}</text>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{:.0} s</text>",
            LEFT - 6.0,
            y + 4.0,
            share * most,
            bottom + 16.0,
            share * seconds
        );
    }
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let path: Vec<_> = line
            .points
            .iter()
            .map(|(at, value)| {
                let (x, y) = (LEFT + at / seconds * WIDTH, bottom - value / most * HEIGHT);
                format!("{x:.1},{y:.1}")
            })
            .collect();
        let _ = writeln!(
            text,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            LEFT + WIDTH + 12.0,
            top + 12.0 + number as f64 * 18.0,
            line.name
        );
    }
}
