//! A problem as programs read it: on the admin pages and from `egret-proxy check`.

use egret_config::problem::{Location, Problem};
use serde_json::{Value, json};

/// All that is known of a problem, under the names of its fields, with the fields of its place. Texts that say nothing
/// are empty.
pub fn json(problem: &Problem) -> Value {
    let value = json!({
        "severity": problem.severity.to_string(),
        "object": problem.object,
        "field": problem.field,
        "value": problem.value,
        "reason": problem.reason,
        "instead": problem.hint,
    });
    with_location(value, &problem.location)
}

/// An object with the fields of a place: `file` and `line`, or `source` and `resource_version` of what a server holds.
pub fn with_location(mut value: Value, location: &Location) -> Value {
    match location {
        Location::File { file, line } => {
            value["file"] = json!(**file);
            value["line"] = json!(line);
        }
        Location::Object { source, version } => {
            value["source"] = json!(**source);
            value["resource_version"] = json!(**version);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use egret_config::problem::Severity;

    use super::*;

    #[test]
    fn the_place_is_a_line_of_a_file_or_an_object_of_a_server() {
        let server = Location::Object {
            source: "kubernetes".into(),
            version: "417".into(),
        };
        for (location, expected, message) in [
            (
                Location::file("a.yaml", 7),
                json!({"file": "a.yaml", "line": 7}),
                "a.yaml:7: Sidecar x/y: wrong",
            ),
            (
                server,
                json!({"source": "kubernetes", "resource_version": "417"}),
                "kubernetes (resourceVersion 417): Sidecar x/y: wrong",
            ),
        ] {
            let problem = Problem::new(Severity::Error, location, "wrong").of("Sidecar x/y");
            assert_eq!(problem.to_string(), message);
            let fields = json(&problem);
            for (key, value) in expected.as_object().expect("fields") {
                assert_eq!(&fields[key], value, "{fields}");
            }
            assert_eq!(fields["severity"], "error");
        }
    }
}
