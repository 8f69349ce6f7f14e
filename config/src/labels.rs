//! Labels of workloads, endpoints and subsets, and selectors over them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of `key: value` labels. As a selector, it matches whatever has all of them; an empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(pub BTreeMap<Arc<str>, Arc<str>>);

/// Istio's name for a revision that nothing names.
pub const CANONICAL_REVISION_DEFAULT: &str = "latest";

impl Labels {
    /// Reads `key=value,key=value`, as `kubectl -l` and the downward API write it. Blanks around items are dropped.
    ///
    /// # Errors
    /// The item without `=` or without key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut labels = BTreeMap::new();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            match item.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    labels.insert(key.into(), value.trim_matches('"').into());
                }
                _ => return Err(format!("{item:?} is not key=value")),
            }
        }
        Ok(Self(labels))
    }

    /// Whether `labels` has all of these.
    pub fn select(&self, labels: &Self) -> bool {
        self.0
            .iter()
            .all(|(key, value)| labels.0.get(key) == Some(value))
    }

    /// The value of one label.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| &**value)
    }

    /// The service that these labels of a pod name for telemetry (Istio's canonical service); `None` where only the
    /// name of its workload is left.
    pub fn canonical_service(&self) -> Option<&str> {
        let keys = [
            "service.istio.io/canonical-name",
            "app.kubernetes.io/name",
            "app",
        ];
        keys.into_iter().find_map(|key| self.value(key))
    }

    /// The revision of that service: `latest` where no label names one.
    pub fn canonical_revision(&self) -> &str {
        let keys = [
            "service.istio.io/canonical-revision",
            "app.kubernetes.io/version",
            "version",
        ];
        let named = keys.into_iter().find_map(|key| self.value(key));
        named.unwrap_or(CANONICAL_REVISION_DEFAULT)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_selects() {
        let labels = Labels::parse("app=sleep, istio=egressgateway,").unwrap();
        assert!(
            Labels::parse("istio=egressgateway")
                .unwrap()
                .select(&labels)
        );
        assert!(
            !Labels::parse("istio=ingressgateway")
                .unwrap()
                .select(&labels)
        );
        assert!(Labels::default().select(&labels));
        assert!(Labels::parse("istio").is_err());
    }

    #[test]
    fn canonical_names_are_those_of_the_first_label_that_has_one() {
        for (labels, service, revision) in [
            ("", None, "latest"),
            ("app=a,version=v1", Some("a"), "v1"),
            (
                "app=a,version=v1,app.kubernetes.io/name=b,app.kubernetes.io/version=v2",
                Some("b"),
                "v2",
            ),
            (
                "app.kubernetes.io/name=b,service.istio.io/canonical-name=c,service.istio.io/canonical-revision=v3",
                Some("c"),
                "v3",
            ),
        ] {
            let labels = Labels::parse(labels).unwrap();
            assert_eq!(labels.canonical_service(), service, "{labels:?}");
            assert_eq!(labels.canonical_revision(), revision, "{labels:?}");
        }
    }
}
