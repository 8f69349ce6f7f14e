//! The nodes of a document.

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'t> {
    pub(super) kind: Kind<'t>,
    /// The index after the node and all that it contains.
    pub(super) end: usize,
}

/// What a node is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'t> {
    Null,
    /// A scalar without quotes: its type depends on the field.
    Plain(&'t str),
    Quoted(&'t str),
    Map,
    Seq,
}
