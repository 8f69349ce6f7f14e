//! Texts to documents, and documents to objects; one bad document never hides a good one.
//!
//! Files are read elsewhere: this module sees their bytes and the names to call them by.

mod limits;
mod chunk;
mod format;
mod plain;
mod list;
mod source;
mod document_pass;
mod wire_document;
mod installs;
mod parse;
mod content;
mod document;
mod moved;
pub mod mesh;
mod text_documents;
mod texts;
mod references;
mod objects;

use std::mem;
use std::sync::Arc;

use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::problem::{Location, Problem, Severity};

pub use crate::load::document::{Document, Documents};
pub use crate::load::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, TEXT_BYTES_MAX};
pub use crate::load::text_documents::TextDocuments;
pub use crate::load::texts::{Text, TextReader};

/// Reads texts into objects: [`documents`], then [`build`].
pub fn load(texts: &[Text], mesh_config: Option<&Text>) -> (Objects, Vec<Problem>) {
    build(documents(texts, mesh_config))
}

/// Reads texts into documents. `mesh_config` is a text that holds the mesh configuration, bare or in its ConfigMap; it
/// counts more than one among `texts`.
pub fn documents(texts: &[Text], mesh_config: Option<&Text>) -> Documents {
    let reader = TextReader::default();
    let read: Vec<_> = texts
        .iter()
        .map(|text| reader.objects(text, None))
        .collect();
    let mesh = mesh_config.map(|text| (&text.file, reader.mesh_config(text, None)));
    joined(&read, mesh.as_ref().map(|(file, read)| (*file, read)))
}

/// The documents of all texts. `mesh_config` is the file that holds the mesh configuration, and what was read of it; it
/// counts more than one among `texts`.
pub fn joined<'t>(
    texts: impl IntoIterator<Item = &'t TextDocuments>,
    mesh_config: Option<(&Arc<str>, &TextDocuments)>,
) -> Documents {
    let mut documents = Documents::default();
    for text in texts {
        text.add_to(&mut documents);
    }
    if let Some((file, text)) = mesh_config {
        // A text that could not be read does not reactivate the others: the user chose this one.
        let list = mem::take(&mut documents.list);
        let (others, kept): (Vec<_>, Vec<_>) = list.into_iter().partition(mesh::is_mesh);
        documents.list = kept;
        let title = format!("that of {file} (--mesh-config)");
        for document in &others {
            documents.problems.push(mesh::ignored(document, &title));
        }
        documents.mesh_unread = None;
        let before = documents.list.len();
        text.add_to(&mut documents);
        let is_there = documents.list.iter().skip(before).any(mesh::is_mesh);
        if !is_there && documents.mesh_unread.is_none() {
            let message = (
                "no mesh configuration in it: Istio's defaults apply, which allow all calls",
                "write `outboundTrafficPolicy: {mode: ALLOW_ANY}` if that is intended",
            );
            let location = Location::file(Arc::clone(file), 0);
            let problem = Problem::new(Severity::Warning, location, message);
            documents.problems.push(problem);
        }
    }
    documents.list = mesh::choose(documents.list, &mut documents.problems);
    documents
}

/// Makes objects of documents. What cannot be understood is left out and is among the problems; the rest is there.
pub fn build(documents: Documents) -> (Objects, Vec<Problem>) {
    let Documents {
        list,
        mut problems,
        mesh_unread,
    } = documents;
    let mut objects = objects::build(list, &mut problems);
    if let Some(location) = mesh_unread.filter(|_| objects.mesh.meta.is_none()) {
        objects.mesh.outbound_policy = OutboundPolicy::RegistryOnly;
        let message = (
            "without a mesh configuration that can be read, calls to unregistered hosts are refused (REGISTRY_ONLY)",
            "correct this one",
        );
        problems.push(Problem::new(Severity::Warning, location, message).of("MeshConfig"));
    }
    (objects, problems)
}

#[cfg(test)]
mod tests;
