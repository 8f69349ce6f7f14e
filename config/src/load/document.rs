//! Documents, understood as far as each can be alone.

use std::sync::Arc;

use crate::load::content::{Content, content, meta_of};
use crate::load::wire_document::WireDocument;
use crate::model::meta::Meta;
use crate::problem::{Diagnostics, Location, Problem};
use crate::wire::envelope::Body;

/// One document, understood as far as that takes no other document. Clones share its content.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its kind, namespace and name, and where it is. The name is empty where none is written, as in a bare MeshConfig.
    pub meta: Arc<Meta>,
    pub(super) content: Content,
    /// What is wrong with its content.
    pub(super) problems: Option<Arc<[Problem]>>,
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

impl Document {
    /// Understands a document.
    pub(super) fn new(wire: WireDocument) -> Self {
        let meta = Arc::new(meta_of(&wire));
        let mut problems = Vec::new();
        let title = meta.title_or_kind();
        let root = root(&wire);
        let mut diagnostics = Diagnostics::new(&meta.location, &title, root, &mut problems);
        let content = content(wire, &meta, &mut diagnostics);
        if matches!(content, Content::Dependent(_)) {
            problems.clear();
        }
        Self {
            meta,
            content,
            problems: (!problems.is_empty()).then(|| problems.into()),
        }
    }

    /// What is wrong with its content, as far as that is known without the other documents.
    pub(super) fn problems(&self) -> &[Problem] {
        self.problems.as_deref().unwrap_or_default()
    }
}

/// The path in the document that fields are named below.
pub(super) fn root(wire: &WireDocument) -> &'static str {
    match &wire.body {
        Body::EndpointSlice(_) | Body::Pod(_) | Body::Secret(_) | Body::ConfigMap(_) => "",
        Body::MeshConfig(_) if wire.metadata.name.is_empty() => "",
        Body::MeshConfig(_) => "data.mesh",
        _ => "spec",
    }
}
