//! Annotations of the pod: from the variable that Istio's injector sets, or from the file of the downward API that its pods
//! have.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::report::metrics::bounds::HistogramBounds;

/// The variable with all annotations as JSON.
pub(in crate::args) const VARIABLE: &str = "ISTIO_METAJSON_ANNOTATIONS";

/// The file with a line `name="value"` for each annotation.
pub(in crate::args) const FILE: &str = "/etc/istio/pod/annotations";

/// The annotation that gives the bounds of histograms.
const BUCKETS: &str = "sidecar.istio.io/statsHistogramBuckets";

/// The bounds of histograms, and what is wrong with those that are given.
pub(in crate::args) fn histogram_bounds(
    variable: Option<String>,
    file: &Path,
) -> (HistogramBounds, Option<String>) {
    let given = variable.and_then(|text| in_json(&text, BUCKETS));
    let given = given.or_else(|| in_lines(&fs::read_to_string(file).ok()?, BUCKETS));
    match given.as_deref().map(HistogramBounds::parse) {
        None => (HistogramBounds::default(), None),
        Some(Ok(bounds)) => (bounds, None),
        Some(Err(wrong)) => {
            let wrong = format!("annotation {BUCKETS}: {wrong}; Envoy's default is used");
            (HistogramBounds::default(), Some(wrong))
        }
    }
}

fn in_json(text: &str, name: &str) -> Option<String> {
    let all: Value = serde_json::from_str(text).ok()?;
    Some(all.get(name)?.as_str()?.to_owned())
}

/// The value of an annotation in the downward API's form, which quotes values as Go does.
fn in_lines(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    // What a JSON list needs of Go's quotes is the same in JSON.
    serde_json::from_str(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"istiocustom":[1,5]}"#;

    #[test]
    fn bounds_come_from_the_variable_or_from_the_file() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("annotations");
        let quoted = serde_json::to_string(LIST).expect("text");
        let lines = format!("a=\"b\"\n{BUCKETS}={quoted}\n");
        fs::write(&file, lines).expect("write");
        let variable = serde_json::json!({ BUCKETS: LIST }).to_string();
        let expected = (HistogramBounds::parse(LIST).expect("bounds"), None);
        let missing = folder.path().join("missing");
        assert_eq!(histogram_bounds(Some(variable), &missing), expected);
        assert_eq!(histogram_bounds(None, &file), expected);
        assert_eq!(histogram_bounds(Some("{}".to_owned()), &file), expected);
        let nothing = (HistogramBounds::default(), None);
        assert_eq!(histogram_bounds(None, &missing), nothing);
    }

    #[test]
    fn bounds_that_cannot_be_used_are_named() {
        let variable = serde_json::json!({ BUCKETS: "[1]" }).to_string();
        let (bounds, wrong) = histogram_bounds(Some(variable), Path::new("/nonexistent"));
        assert_eq!(bounds, HistogramBounds::default());
        let wrong = wrong.expect("a problem");
        assert!(
            wrong.starts_with("annotation sidecar.istio.io/statsHistogramBuckets: not a JSON"),
            "{wrong}"
        );
    }
}
