//! Which of several mesh configurations counts.

use crate::load::document::Document;
use crate::name::{Kind, ROOT_NAMESPACE};
use crate::problem::{Problem, Severity};

/// The name of the ConfigMap of an installation without a revision; others are called `istio-REVISION`.
pub(super) const DEFAULT_NAME: &str = "istio";

/// Whether a document is a mesh configuration.
pub fn is_mesh(document: &Document) -> bool {
    document.meta.kind == Kind::MeshConfig
}

/// Leaves one mesh configuration among `documents`; each of the others is a warning. First comes a bare MeshConfig, then
/// that of the ConfigMap `istio`, then that of another ConfigMap (`istio-REVISION`); of two alike, that of the root
/// namespace `istio-system`, then the later one.
pub(super) fn choose(documents: Vec<Document>, problems: &mut Vec<Problem>) -> Vec<Document> {
    let meshes = documents.iter().enumerate().filter(|(_, one)| is_mesh(one));
    let best = meshes
        .min_by_key(|(at, document)| (rank(document), std::cmp::Reverse(*at)))
        .map(|(at, document)| (at, title(document)));
    let Some((best, winner)) = best else {
        return documents;
    };
    let mut kept = Vec::with_capacity(documents.len());
    for (at, document) in documents.into_iter().enumerate() {
        if at == best || !is_mesh(&document) {
            kept.push(document);
        } else {
            problems.push(ignored(&document, &winner));
        }
    }
    kept
}

/// A mesh configuration that does not count, because `winner` does.
pub(super) fn ignored(document: &Document, winner: &str) -> Problem {
    let message = (
        format!("ignored: a mesh has one configuration, and {winner} comes first"),
        "remove it, or name the one that counts with --mesh-config",
    );
    Problem::new(Severity::Warning, document.meta.location.clone(), message)
        .of(document.meta.title_or_kind())
}

/// The smaller, the sooner it counts.
fn rank(document: &Document) -> u8 {
    let name = &document.meta.name;
    let root = *name.namespace == *ROOT_NAMESPACE;
    match (&*name.name, root) {
        ("", _) => 0,
        (DEFAULT_NAME, true) => 1,
        (DEFAULT_NAME, false) => 2,
        (_, true) => 3,
        (_, false) => 4,
    }
}

fn title(document: &Document) -> String {
    format!(
        "{} of {}",
        document.meta.title_or_kind(),
        document.meta.location
    )
}
