//! The bounds of histograms: Envoy's, or those that the annotation `sidecar.istio.io/statsHistogramBuckets` gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::report::metrics::histogram::{BOUNDS_DEFAULT, Buckets};

/// The bounds of histograms by the beginning of their names in Envoy's text statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramBounds(BTreeMap<String, Vec<f64>>);

impl HistogramBounds {
    /// Reads the annotation: a JSON object of lists of numbers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Result<BTreeMap<String, Vec<f64>>, _> = serde_json::from_str(text);
        let bounds =
            read.map_err(|error| format!("not a JSON object of lists of numbers: {error}"))?;
        for (prefix, bounds) in &bounds {
            let grows = bounds.windows(2).all(|pair| pair[0] < pair[1]);
            if bounds.is_empty() || !grows || bounds[0] <= 0.0 {
                return Err(format!(
                    "the list of {prefix:?} is empty, or its numbers are not above 0 and growing"
                ));
            }
        }
        Ok(Self(bounds))
    }

    /// The buckets of the histogram with this name, for values of which `scale` make one: those of the longest beginning
    /// that its name has, else Envoy's.
    pub fn of(&self, name: &str, scale: f64) -> Arc<Buckets> {
        let fitting = self
            .0
            .iter()
            .filter(|(prefix, _)| name.starts_with(&***prefix));
        let bounds = fitting.max_by_key(|(prefix, _)| prefix.len());
        Buckets::new(bounds.map_or(&BOUNDS_DEFAULT, |(_, bounds)| bounds), scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        let text =
            r#"{"istiocustom":[1,5,10],"istiocustom.istio_request_bytes":[7.5],"cluster":[2]}"#;
        let bounds = HistogramBounds::parse(text).expect("bounds");
        for (name, expected) in [
            ("istiocustom.istio_response_bytes", &[1.0, 5.0, 10.0][..]),
            ("istiocustom.istio_request_bytes", &[7.5]),
            ("cluster.upstream_rq_time", &[2.0]),
            ("other", &BOUNDS_DEFAULT),
        ] {
            assert_eq!(&*bounds.of(name, 1.0).bounds, expected, "{name}");
        }
        let default = HistogramBounds::default();
        assert_eq!(&*default.of("cluster", 1.0).bounds, &BOUNDS_DEFAULT);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        for (text, words) in [
            ("[1]", "not a JSON object"),
            (r#"{"a":["1"]}"#, "not a JSON object"),
            (r#"{"a":[]}"#, "the list of \"a\""),
            (r#"{"a":[2,1]}"#, "growing"),
            (r#"{"a":[0,1]}"#, "above 0"),
        ] {
            let wrong = HistogramBounds::parse(text).expect_err(text);
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }
}
