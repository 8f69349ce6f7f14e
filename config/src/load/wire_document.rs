//! Documents in the shape in which they were written, before they are understood.

use crate::problem::{Location, Problem};
use crate::wire::envelope::{Body, Metadata};

/// One document as its author wrote it.
#[derive(Debug)]
pub(super) struct WireDocument {
    /// File, and the line on which the document begins.
    pub(super) location: Location,
    /// Its namespace and name; empty for a bare MeshConfig.
    pub(super) metadata: Metadata,
    /// Its content.
    pub(super) body: Body,
}

/// What one text of a document has: the document, or what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct WireDocuments {
    pub(super) list: Vec<WireDocument>,
    pub(super) problems: Vec<Problem>,
    /// Where a mesh configuration is that could not be read.
    pub(super) mesh_unread: Option<Location>,
}

impl WireDocuments {
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
