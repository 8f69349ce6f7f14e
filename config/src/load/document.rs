//! Documents, as their authors wrote them.

use std::sync::Arc;

use crate::problem::{Location, Problem};
use crate::wire::envelope::{Body, Metadata};

/// One document as its author wrote it.
#[derive(Clone, Debug)]
pub struct Document {
    /// File, and the line on which the document begins.
    pub location: Location,
    /// Its kind, namespace and name; empty for a bare MeshConfig.
    pub metadata: Metadata,
    /// Its content. Shared, so that keeping a document copies none of it.
    pub body: Arc<Body>,
}

/// Documents, whatever they come from, with one mesh configuration at the most.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// The documents, in the order in which they were read.
    pub list: Vec<Document>,
    /// What is wrong with documents that were left out, or doubtful in those that were not.
    pub problems: Vec<Problem>,
    /// Where a mesh configuration is that could not be read, or a REGISTRY_ONLY that is carried by a document which egret
    /// does not read. Without another one among the documents the mesh is closed (REGISTRY_ONLY).
    pub mesh_unread: Option<Location>,
}

impl Documents {
    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
