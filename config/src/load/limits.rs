//! How much of a text is read.

/// Bytes of one text that are read. Larger ones are refused whole.
pub const TEXT_BYTES_MAX: usize = 256 << 20;

/// Bytes of one document that are read, several times what Kubernetes stores. Lists may be larger, their items not.
pub const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// Documents of one text that are read, list items included. The rest is left out.
pub const DOCUMENTS_MAX: usize = 250_000;

/// Broken JSON documents of one text after which reading goes on: each costs a search to the end of the text.
pub(super) const JSON_BREAKS_MAX: usize = 20;
