//! Texts to documents, and documents to objects; one bad document never hides a good one.
//!
//! Files are read elsewhere: this module sees their bytes and the names to call them by.

mod limits;
mod chunk;
mod format;
mod plain;
mod list;
mod source;
mod document;
mod document_pass;
mod installs;
pub mod mesh;
mod parse;
mod texts;
mod objects;

use std::mem;

use crate::load::parse::Expect;
use crate::load::texts::Reader;
use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::problem::{Location, Problem, Severity};

pub use crate::load::document::{Document, Documents};
pub use crate::load::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, TEXT_BYTES_MAX};
pub use crate::load::texts::Text;

/// Reads texts into objects: [`documents`], then [`build`].
pub fn load(texts: &[Text], mesh_config: Option<&Text>) -> (Objects, Vec<Problem>) {
    build(documents(texts, mesh_config))
}

/// Reads texts into documents. `mesh_config` is a text that holds the mesh configuration, bare or in its ConfigMap; it
/// counts more than one among `texts`.
pub fn documents(texts: &[Text], mesh_config: Option<&Text>) -> Documents {
    let mut reader = Reader::default();
    for text in texts {
        reader.text(text, Expect::Anything);
    }
    if let Some(text) = mesh_config {
        // A text that could not be read does not reactivate the others: the user chose this one.
        let list = mem::take(&mut reader.documents.list);
        let (others, kept): (Vec<_>, Vec<_>) = list.into_iter().partition(mesh::is_mesh);
        reader.documents.list = kept;
        let title = format!("that of {} (--mesh-config)", text.file);
        for document in &others {
            reader.documents.report(mesh::ignored(document, &title));
        }
        reader.documents.mesh_unread = None;
        let before = reader.documents.list.len();
        reader.text(text, Expect::MeshConfig);
        let read = &mut reader.documents;
        let is_there = read.list.iter().skip(before).any(mesh::is_mesh);
        if !is_there && read.mesh_unread.is_none() {
            let message = (
                "no mesh configuration in it: Istio's defaults apply, which allow all calls",
                "write `outboundTrafficPolicy: {mode: ALLOW_ANY}` if that is intended",
            );
            let location = Location::file(text.file.clone(), 0);
            read.report(Problem::new(Severity::Warning, location, message));
        }
    }
    let mut documents = reader.documents;
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

/// Reads every document of every text, in order, all mesh configurations among them.
pub fn read(texts: &[Text]) -> (Vec<Document>, Vec<Problem>) {
    let mut reader = Reader::default();
    for text in texts {
        reader.text(text, Expect::Anything);
    }
    (reader.documents.list, reader.documents.problems)
}

#[cfg(test)]
mod tests;
