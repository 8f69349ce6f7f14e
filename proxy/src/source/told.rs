//! A problem as programs read it: on the admin pages and from `egret-proxy check`.

use egret_config::problem::Problem;
use serde_json::Value;
use serde_json::json;

/// All that is known of a problem, under the names of its fields; `file` and `line` are its place. Texts that say nothing
/// are empty.
pub fn json(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity.to_string(),
        "file": *problem.place.file,
        "line": problem.place.line,
        "object": problem.object,
        "field": problem.field,
        "value": problem.value,
        "reason": problem.reason,
        "instead": problem.instead,
    })
}
