//! Every difference from Envoy that is meant, with its reason.

/// A difference: of which exchanges (empty: of all), in which fact, and why.
pub(crate) struct Difference {
    pub(crate) exchanges: &'static [&'static str],
    /// The fact's name, or its beginning before `*`.
    pub(crate) fact: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const OF_GATEWAY: &[Difference] = &[];

pub(crate) const OF_SIDECAR: &[Difference] = &[];
