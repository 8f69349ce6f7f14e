//! The merged settings of levels, as users write them and as they are compiled.

use super::*;
use crate::labels::Labels;
use crate::load::{Text, load};
use crate::model::mesh::FormatSource;
use crate::problem::Severity;
use crate::snapshot::Snapshot;
use crate::snapshot::workload::Mode;

mod access_logs;
mod metrics;
mod tracing;

/// A Telemetry `namespace/name`, older the sooner its name comes.
fn object(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

/// A Telemetry of the root namespace, of the workload's namespace, and one that selects the workload.
fn levels(specs: [&str; 3]) -> String {
    let [root, own, selecting] = specs;
    let mut text = String::new();
    if !root.is_empty() {
        text += &object("istio-system", "root", &format!("{{{root}}}"));
    }
    if !own.is_empty() {
        text += &object("shop", "own", &format!("{{{own}}}"));
    }
    if !selecting.is_empty() {
        let spec = format!("{{selector: {{matchLabels: {{app: cart}}}}, {selecting}}}");
        text += &object("shop", "selecting", &spec);
    }
    text
}

/// The snapshot of the workload `cart` in `shop`, and the problems, without their location.
fn snapshot(content: &str) -> (Snapshot, Vec<String>) {
    let texts = [Text {
        file: "f".into(),
        bytes: content.into(),
    }];
    let (objects, problems) = load(&texts, None);
    let mut workload = Workload::new(Mode::Sidecar, "shop");
    workload.labels = Labels::parse("app=cart,version=v1").unwrap();
    let (snapshot, snapshot_problems) = Snapshot::build(&objects, workload);
    let messages = problems.iter().chain(&snapshot_problems).map(|problem| {
        assert_eq!(problem.severity, Severity::Warning, "{problem}");
        let text = problem.to_string();
        text.split_once(": ")
            .map_or_else(String::new, |(_, text)| text.to_owned())
    });
    let messages = messages.collect();
    (snapshot, messages)
}
