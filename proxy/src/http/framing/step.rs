//! How bytes of a connection are taken.

/// How bytes are taken.
pub(super) enum Step {
    /// So many as they are.
    On(usize),
    /// So many as they are; those up to the second place are left out.
    Join(usize, usize),
    /// So many as they are; the rest is held.
    Hold(usize),
    /// So many as they are, and one that must not be there.
    Spoil(usize),
}

impl Step {
    /// How many bytes it takes; those that are held come again.
    pub(super) fn taken(&self) -> usize {
        match self {
            Self::On(count) | Self::Hold(count) => *count,
            Self::Join(_, end) => *end,
            Self::Spoil(count) => count + 1,
        }
    }
}

/// How many of the next `left` bytes are here, and what is left of those.
pub(super) fn skip(bytes: &[u8], left: u64) -> (usize, u64) {
    let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (here, left - here as u64)
}
