//! All metrics, from their definitions.

use egret_proxy::admin::metrics::definitions;
use egret_proxy::report::metrics::definition::Definition;

use crate::{header, row};

/// The parts of the page: how names begin, and what is said about them.
const PARTS: [(&str, &str, &str); 4] = [
    (
        "istio_",
        "Istio's",
        "As Istio's sidecars report them, `reporter=\"source\"`. Telemetry `metrics` changes labels and silences metrics. A host \
         that no object names is a label's value for the first 256 of them, later ones are `other`.",
    ),
    (
        "envoy_",
        "Envoy's",
        "Under the names and labels that Istio's Envoy has. A cluster that was never called has no series; one that the \
         configuration drops keeps its own. `/stats` has them under Envoy's own names.",
    ),
    (
        "egret_",
        "egret's",
        "They are there from the first scrape on, with all values of labels that are enumerated. \
         `egret_dns_captured_queries_total` needs `--dns-capture`.",
    ),
    ("process_", "The process", "Prometheus' standard names."),
];

pub(crate) fn page() -> String {
    let mut text = "# Metrics\n\n\
        `/stats/prometheus` on port 15090 (`--stats`), on 15020 (`--agent`) with the metrics of the application, and on 15000 as an \
        admin page; all of them as text statistics at `/stats` on 15000. Counters never go back while the process runs, whatever is \
        reloaded. The annotation `sidecar.istio.io/statsHistogramBuckets` sets the bounds of Istio's and Envoy's histograms. \
        `deploy/grafana/egret.json` is a dashboard.\n"
        .to_owned();
    let all = definitions();
    let mut written = 0;
    for (prefix, title, about) in PARTS {
        text += &format!("\n## {title}\n\n{about}\n\n");
        let of_part: Vec<&&Definition> = all
            .iter()
            .filter(|definition| definition.name.starts_with(prefix))
            .collect();
        written += of_part.len();
        if of_part.iter().all(|definition| definition.help.is_empty()) {
            text += &header(["metric", "type", "labels"]);
            for definition in of_part {
                text += &row([
                    &format!("`{}`", definition.name),
                    definition.kind.name(),
                    &definition.labels.join(", "),
                ]);
            }
        } else {
            text += &header(["metric", "type", "labels", "what it counts"]);
            for definition in of_part {
                text += &row([
                    &format!("`{}`", definition.name),
                    definition.kind.name(),
                    &definition.labels.join(", "),
                    definition.help,
                ]);
            }
        }
    }
    assert_eq!(written, all.len(), "each metric belongs to a part");
    text
}
