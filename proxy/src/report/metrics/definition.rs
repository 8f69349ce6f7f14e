//! What a family of metrics is: its name, its type, what it says, and its labels. Documentation and dashboards are checked
//! against these.

/// What a family's numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
    /// Counts of values by size.
    Histogram,
}

/// One family.
#[derive(Debug)]
pub struct Definition {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// What it says; empty for families whose names are Istio's or Envoy's.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The name in Envoy's text statistics, with `$` for the value of each label, in their order; empty for families that
    /// Envoy has not.
    pub stat: &'static str,
}

impl Kind {
    /// The word of the text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
