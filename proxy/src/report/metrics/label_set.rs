//! Which labels each of Istio's metrics has: Istio's own, and what Telemetry objects change about them. Compiled when a
//! configuration comes into force.

use std::fmt::Write;
use std::sync::Arc;

use egret_config::expression::Expression;
use egret_config::model::telemetry::{Metric, TagOverride};
use egret_config::snapshot::telemetry::MetricOverrides;

/// Istio's own labels: first those that all metrics have, then those of byte streams and requests, then those of
/// requests alone.
macro_rules! labels {
    ($($variant:ident = $name:literal,)*) => {
        /// One of Istio's own labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "Istio's own names")]
        pub enum Label { $($variant,)* }

        impl Label {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// Their names.
            pub const NAMES: &[&'static str] = &[$($name,)*];
        }
    };
}

labels! {
    Reporter = "reporter",
    SourceWorkload = "source_workload",
    SourceCanonicalService = "source_canonical_service",
    SourceCanonicalRevision = "source_canonical_revision",
    SourceWorkloadNamespace = "source_workload_namespace",
    SourcePrincipal = "source_principal",
    SourceApp = "source_app",
    SourceVersion = "source_version",
    SourceCluster = "source_cluster",
    DestinationWorkload = "destination_workload",
    DestinationWorkloadNamespace = "destination_workload_namespace",
    DestinationPrincipal = "destination_principal",
    DestinationApp = "destination_app",
    DestinationVersion = "destination_version",
    DestinationService = "destination_service",
    DestinationCanonicalService = "destination_canonical_service",
    DestinationCanonicalRevision = "destination_canonical_revision",
    DestinationServiceName = "destination_service_name",
    DestinationServiceNamespace = "destination_service_namespace",
    DestinationCluster = "destination_cluster",
    RequestProtocol = "request_protocol",
    ResponseFlags = "response_flags",
    ConnectionSecurityPolicy = "connection_security_policy",
    ResponseCode = "response_code",
    GrpcResponseStatus = "grpc_response_status",
}

/// Labels of metrics of messages: they are counted before it is known how their call ends.
pub const MESSAGE_LABELS: &[&str] = Label::NAMES.split_at(20).0;

/// Labels of metrics of byte streams.
pub const TCP_LABELS: &[&str] = Label::NAMES.split_at(23).0;

/// Labels of metrics of requests.
pub const HTTP_LABELS: &[&str] = Label::NAMES;

/// Where the value of a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What Istio says there.
    Own(Label),
    /// An expression, by its place among those of the set.
    Expression(usize),
}

/// A label of one metric.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub source: Source,
}

/// A label whose value is an expression.
#[derive(Clone, Debug)]
pub struct ExpressionLabel {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub expression: Arc<Expression>,
}

/// The labels of all of Istio's metrics.
#[derive(Debug)]
pub struct LabelSet {
    /// By the number of the metric; `None` is not counted.
    metrics: [Option<Vec<Column>>; Metric::ALL.len()],
    /// The expressions that a call is asked for, each once.
    pub expressions: Vec<ExpressionLabel>,
    /// What tells two sets apart.
    pub fingerprint: Box<str>,
}

impl LabelSet {
    /// The labels with what Telemetry objects change about them.
    pub fn new(overrides: &MetricOverrides) -> Self {
        let mut expressions = Vec::new();
        let mut fingerprint = String::new();
        let metrics = Metric::ALL.map(|metric| {
            let settings = overrides.of(metric);
            if settings.disabled {
                fingerprint.push_str("off;");
                return None;
            }
            let own = Label::ALL.iter().zip(own_labels(metric));
            let mut columns: Vec<Column> = own
                .filter(|(_, name)| !settings.tags.contains_key(**name))
                .map(|(label, name)| Column {
                    name: (*name).into(),
                    source: Source::Own(*label),
                })
                .collect();
            for (name, change) in &settings.tags {
                // A String takes whatever is written.
                let _ = write!(fingerprint, "{name:?}");
                if let TagOverride::Upsert(expression) = change {
                    let _ = write!(fingerprint, "={:?}", expression.text());
                    let source = Source::Expression(place(&mut expressions, name, expression));
                    let name = Arc::clone(name);
                    columns.push(Column { name, source });
                }
                fingerprint.push(',');
            }
            fingerprint.push(';');
            Some(columns)
        });
        Self {
            metrics,
            expressions,
            fingerprint: fingerprint.into(),
        }
    }

    /// The labels of a metric; `None` where it is not counted.
    pub fn columns(&self, metric: Metric) -> Option<&[Column]> {
        self.metrics[metric as usize].as_deref()
    }
}

impl Default for LabelSet {
    fn default() -> Self {
        Self::new(&MetricOverrides::default())
    }
}

/// The names of Istio's own labels of a metric.
pub const fn own_labels(metric: Metric) -> &'static [&'static str] {
    match metric {
        Metric::RequestCount
        | Metric::RequestDuration
        | Metric::RequestSize
        | Metric::ResponseSize => HTTP_LABELS,
        Metric::TcpOpenedConnections
        | Metric::TcpClosedConnections
        | Metric::TcpSentBytes
        | Metric::TcpReceivedBytes => TCP_LABELS,
        Metric::GrpcRequestMessages | Metric::GrpcResponseMessages => MESSAGE_LABELS,
    }
}

/// The place of an expression among those of a set, which gets it if it has it not. A label's values are bounded for
/// themselves, so that one expression of two labels stands twice.
fn place(
    expressions: &mut Vec<ExpressionLabel>,
    name: &Arc<str>,
    expression: &Arc<Expression>,
) -> usize {
    let is_it = |known: &ExpressionLabel| {
        known.name == *name && known.expression.text() == expression.text()
    };
    if let Some(known) = expressions.iter().position(is_it) {
        return known;
    }
    expressions.push(ExpressionLabel {
        name: Arc::clone(name),
        expression: Arc::clone(expression),
    });
    expressions.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &LabelSet, metric: Metric) -> Vec<String> {
        let columns = set.columns(metric).expect("counted");
        columns
            .iter()
            .map(|column| column.name.to_string())
            .collect()
    }

    #[test]
    fn metrics_have_istios_labels() {
        let set = LabelSet::default();
        for (metric, count) in [
            (Metric::RequestCount, 25),
            (Metric::ResponseSize, 25),
            (Metric::TcpSentBytes, 23),
            (Metric::GrpcRequestMessages, 20),
        ] {
            assert_eq!(names(&set, metric).len(), count, "{metric:?}");
        }
        assert!(set.expressions.is_empty());
    }

    #[test]
    fn telemetry_takes_labels_out_changes_and_adds_them_and_silences_metrics() {
        let expression = |text: &str| Arc::new(Expression::parse(text).expect("an expression"));
        let mut overrides = MetricOverrides::default();
        let requests = overrides.of_mut(Metric::RequestCount);
        requests
            .tags
            .insert("response_flags".into(), TagOverride::Remove);
        let method = TagOverride::Upsert(expression("request.method"));
        requests.tags.insert("method".into(), method.clone());
        requests.tags.insert("source_app".into(), method.clone());
        let duration = overrides.of_mut(Metric::RequestDuration);
        duration.tags.insert("method".into(), method);
        overrides.of_mut(Metric::TcpSentBytes).disabled = true;

        let set = LabelSet::new(&overrides);
        assert_eq!(names(&set, Metric::RequestCount).len(), 25);
        assert!(!names(&set, Metric::RequestCount).contains(&"response_flags".to_owned()));
        assert_eq!(names(&set, Metric::RequestDuration).len(), 26);
        assert!(set.columns(Metric::TcpSentBytes).is_none());
        assert_eq!(
            set.expressions.len(),
            2,
            "one of `method`, one of `source_app`"
        );
        assert_ne!(set.fingerprint, LabelSet::default().fingerprint);
        assert_eq!(set.fingerprint, LabelSet::new(&overrides).fingerprint);
    }
}
