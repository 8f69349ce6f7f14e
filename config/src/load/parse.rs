//! One document's text to its wire shape, with all doubtful parts reported.

use crate::load::chunk::Chunk;
use crate::load::format::{self, Format};
use crate::load::source::Source;
use crate::load::wire_document::{WireDocument, WireDocuments};
use crate::load::{installs, mesh};
use crate::name::DEFAULT_NAMESPACE;
use crate::problem::Severity;
use crate::wire::envelope::{Body, Draft, Halt, Header, HeaderSeed, Metadata};
use crate::wire::istio_kinds::NoBody;

/// What a document is taken for before its kind is read.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Expect<'a> {
    /// A Kubernetes object, or a mesh configuration if it looks like one.
    Anything,
    /// An item of a list whose own kind determines `apiVersion` and `kind` of its items.
    Kind(&'a str, &'a str),
    /// A mesh configuration, unless it has another kind.
    MeshConfig,
}

impl Expect<'_> {
    fn is_mesh_config(self) -> bool {
        matches!(self, Self::MeshConfig)
    }
}

/// The result of reading a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It, or its problem, is among the documents that were read.
    Read,
    /// It is a list of documents, which must be split.
    IsList,
}

/// The key of a ConfigMap that holds the mesh configuration.
const MESH_KEY: &str = "mesh";

/// Reads one document, and adds it and its problems to `documents`.
pub(super) fn read(
    source: &Source<'_>,
    expect: Expect<'_>,
    documents: &mut WireDocuments,
) -> Outcome {
    let mut draft = Draft::default();
    if let Expect::Kind(api_version, kind) = expect {
        draft.api_version = api_version.to_owned();
        draft.kind = kind.to_owned();
    }
    let mut pass = source.read_into(&mut draft);
    if pass.halt == Some(Halt::BodyBeforeKind) {
        let (header, error) = source.header();
        if let Some(error) = error {
            if expect.is_mesh_config() || header.looks_like_mesh_config {
                documents.mesh_unread = Some(source.location.clone());
            }
            documents.report(source.malformed(&header, &error));
            return Outcome::Read;
        }
        if header.looks_like_helm_values {
            installs::report(source, "", documents);
            return Outcome::Read;
        }
        draft = match draft_of(header, expect) {
            Ok(draft) => draft,
            Err(reason) => {
                documents.report(source.problem(Severity::Error, reason));
                return Outcome::Read;
            }
        };
        pass = source.read_into(&mut draft);
    }
    if pass.halt == Some(Halt::List) {
        return Outcome::IsList;
    }
    if let Some(error) = pass.error {
        let bare = matches!(draft.body, Some(Body::MeshConfig(_)));
        if bare || expect.is_mesh_config() {
            documents.mesh_unread = Some(source.location.clone());
        }
        documents.report(source.wrong_shape(&draft, &pass.reading, &error));
        return Outcome::Read;
    }
    let Some(body) = draft.body else {
        let title = source.title(&draft.kind, &draft.metadata);
        match draft.no_body {
            Some(NoBody::IstioOperator) => installs::report(source, &title, documents),
            _ => {
                if expect.is_mesh_config() {
                    documents.mesh_unread = Some(source.location.clone());
                }
                documents.report(source.no_body(&draft));
            }
        }
        return Outcome::Read;
    };
    // A bare mesh configuration has no kind.
    let kind = match body {
        Body::MeshConfig(_) => "MeshConfig",
        _ => &draft.kind,
    };
    let title = source.title(kind, &draft.metadata);
    for ignored in pass.reading.take_ignored() {
        documents.report(source.ignored(&ignored, &title));
    }
    if let Body::ConfigMap(map) = &body
        && let Some(mesh) = map.data.get(MESH_KEY)
    {
        if is_mesh_config(&draft.metadata, mesh) {
            read_mesh(source, &title, &draft.metadata, mesh, documents);
            return Outcome::Read;
        }
        let message = "not taken for a mesh configuration: it has no field of MeshConfig";
        documents.report(
            source
                .problem(Severity::Warning, message)
                .of(title)
                .at("data.mesh", ""),
        );
    }
    documents.list.push(WireDocument {
        location: source.location.clone(),
        metadata: draft.metadata,
        body,
    });
    Outcome::Read
}

/// Whether the text under the key `mesh` of a ConfigMap is a mesh configuration: by the name of the ConfigMap, as
/// installations write it (`istio`, `istio-REVISION`), or by its content. What cannot be read may be one.
fn is_mesh_config(metadata: &Metadata, text: &str) -> bool {
    let installed = metadata
        .name
        .strip_prefix(mesh::DEFAULT_NAME)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let says = || {
        let mut header = Header::default();
        let error = format::parse(Format::Yaml, text, HeaderSeed(&mut header)).is_err();
        error || header.looks_like_mesh_config
    };
    installed || says()
}

/// Reads the mesh configuration in the text under the key `mesh` of the ConfigMap that `metadata` is of.
fn read_mesh(
    outer: &Source<'_>,
    title: &str,
    metadata: &Metadata,
    text: &str,
    documents: &mut WireDocuments,
) {
    // In a literal block the lines of the value are lines of the file, beginning below the key.
    let literal = outer.chunk.line_of_key("mesh").filter(|line| {
        let text = outer.chunk.line_text(*line).unwrap_or_default();
        text.trim_end().ends_with(['|', '-', '+']) && text.contains('|')
    });
    let source = Source {
        location: outer.location.clone(),
        chunk: Chunk {
            text,
            line: literal.map_or(0, |line| line + 1),
        },
        format: Format::Yaml,
        within: Some((title, "data.mesh")),
    };
    let before = documents.list.len();
    if read(&source, Expect::MeshConfig, documents) == Outcome::IsList {
        documents.mesh_unread = Some(source.location.clone());
        documents
            .report(source.problem(Severity::Error, "expected a mesh configuration, not a list"));
    }
    // Only the ConfigMap has a name.
    for document in documents.list.iter_mut().skip(before) {
        document.metadata.name.clone_from(&metadata.name);
        document.metadata.namespace = match &*metadata.namespace {
            "" => DEFAULT_NAMESPACE.to_owned(),
            namespace => namespace.to_owned(),
        };
    }
}

/// A draft with its kind, from a header read before the body; or why the kind is unknown.
fn draft_of(header: Header, expect: Expect<'_>) -> Result<Draft, &'static str> {
    let mut draft = Draft {
        api_version: header.api_version,
        kind: header.kind,
        ..Draft::default()
    };
    match (draft.api_version.is_empty(), draft.kind.is_empty()) {
        (true, true) if header.looks_like_mesh_config || matches!(expect, Expect::MeshConfig) => {
            draft.body = Some(Body::MeshConfig(Box::default()));
        }
        (true, true) => {
            return Err(
                "neither apiVersion and kind, nor a field of MeshConfig: not a document that can be used",
            );
        }
        (true, false) => return Err("apiVersion is missing"),
        (false, true) => return Err("kind is missing"),
        (false, false) => draft.open(),
    }
    Ok(draft)
}
