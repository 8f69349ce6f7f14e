//! How soon spans are exported.

/// How soon spans are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// In batches.
    #[default]
    Usual,
    /// Soon: the process is on its way out.
    Leaving,
    /// At once: no more will come.
    Last,
}
