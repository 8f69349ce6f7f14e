//! One document's text to its wire shape, with everything that is doubtful about it told.

use std::cell::Cell;

use super::chunk::Chunk;
use super::format::{Fault, Format};
use super::{Document, Reader, format, installs, mesh, plain};
use crate::name::DEFAULT_NAMESPACE;
use crate::problem::{Message, Place, Problem, Severity};
use crate::wire::envelope::{Body, Draft, DraftSeed, Halt, Header, HeaderSeed, Metadata};
use crate::wire::istio_kinds::NoBody;
use crate::wire::reading::{Ignored, Reading, Why};

/// What a document is taken for before it says so itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect<'a> {
    /// A Kubernetes object, or a mesh configuration if it looks like one.
    Anything,
    /// An item of a list whose own kind tells `apiVersion` and `kind` of its items.
    Kind(&'a str, &'a str),
    /// A mesh configuration, unless it says that it is something else.
    MeshConfig,
}

impl Expect<'_> {
    fn is_mesh_config(self) -> bool {
        matches!(self, Self::MeshConfig)
    }
}

/// The text of one document, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) place: Place,
    /// A line of 0 means that the lines of this text are not those of the file.
    pub(super) chunk: Chunk<'a>,
    pub(super) format: Format,
    /// `Kind namespace/name` and field of the object that this text is a value of.
    pub(super) within: Option<(&'a str, &'a str)>,
}

/// What became of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It, or its problem, was handed to the reader.
    Read,
    /// It is a list of documents, which must be taken apart.
    IsList,
}

/// The key of a ConfigMap that holds the mesh configuration.
const MESH_KEY: &str = "mesh";

/// Reads one document, and hands it and its problems to `reader`.
pub(super) fn read(source: &Source<'_>, expect: Expect<'_>, reader: &mut Reader) -> Outcome {
    let mut draft = Draft::default();
    if let Expect::Kind(api_version, kind) = expect {
        draft.api_version = api_version.to_owned();
        draft.kind = kind.to_owned();
    }
    let mut attempt = source.attempt(&mut draft);
    if attempt.halt == Some(Halt::BodyBeforeKind) {
        let (header, fault) = source.header();
        if let Some(fault) = fault {
            if expect.is_mesh_config() || header.looks_like_mesh_config {
                reader.mesh_unread = Some(source.place.clone());
            }
            reader.tell(source.malformed(&header, &fault));
            return Outcome::Read;
        }
        if header.looks_like_helm_values {
            installs::tell(source, "", reader);
            return Outcome::Read;
        }
        draft = match draft_of(header, expect) {
            Ok(draft) => draft,
            Err(reason) => {
                reader.tell(source.problem(Severity::Error, reason));
                return Outcome::Read;
            }
        };
        attempt = source.attempt(&mut draft);
    }
    if attempt.halt == Some(Halt::List) {
        return Outcome::IsList;
    }
    if let Some(fault) = attempt.fault {
        let bare = matches!(draft.body, Some(Body::MeshConfig(_)));
        if bare || expect.is_mesh_config() {
            reader.mesh_unread = Some(source.place.clone());
        }
        reader.tell(source.fault(&draft, &attempt.reading, &fault));
        return Outcome::Read;
    }
    let Some(body) = draft.body else {
        let title = source.title(&draft.kind, &draft.metadata);
        match draft.no_body {
            Some(NoBody::IstioOperator) => installs::tell(source, &title, reader),
            _ => {
                if expect.is_mesh_config() {
                    reader.mesh_unread = Some(source.place.clone());
                }
                reader.tell(source.no_body(&draft));
            }
        }
        return Outcome::Read;
    };
    let title = source.title(&draft.kind, &draft.metadata);
    for ignored in attempt.reading.take_ignored() {
        reader.tell(source.ignored(&ignored, &title));
    }
    if let Body::ConfigMap(map) = &body
        && let Some(mesh) = map.data.get(MESH_KEY)
    {
        if is_mesh_config(&draft.metadata, mesh) {
            read_mesh(source, &title, &draft.metadata, mesh, reader);
            return Outcome::Read;
        }
        let words = "not taken for a mesh configuration: it has no field of MeshConfig";
        reader.tell(
            source
                .problem(Severity::Warning, words)
                .of(title)
                .at("data.mesh", ""),
        );
    }
    reader.documents.push(Document {
        place: source.place.clone(),
        metadata: draft.metadata,
        body,
    });
    Outcome::Read
}

/// Whether the text under the key `mesh` of a ConfigMap is a mesh configuration: by the name of the ConfigMap, as
/// installations write it (`istio`, `istio-REVISION`), or by what the text says. What cannot be read may be one.
fn is_mesh_config(metadata: &Metadata, text: &str) -> bool {
    let installed = metadata
        .name
        .strip_prefix(mesh::DEFAULT_NAME)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let says = || {
        let mut header = Header::default();
        let fault = format::parse(Format::Yaml, text, HeaderSeed(&mut header)).is_err();
        fault || header.looks_like_mesh_config
    };
    installed || says()
}

/// Reads the mesh configuration that stands as text under the key `mesh` of the ConfigMap that `metadata` is of.
fn read_mesh(
    outer: &Source<'_>,
    title: &str,
    metadata: &Metadata,
    text: &str,
    reader: &mut Reader,
) {
    // In a literal block the lines of the value are lines of the file, beginning below the key.
    let literal = outer.chunk.line_of_key("mesh").filter(|line| {
        let text = outer.chunk.line_text(*line).unwrap_or_default();
        text.trim_end().ends_with(['|', '-', '+']) && text.contains('|')
    });
    let source = Source {
        place: outer.place.clone(),
        chunk: Chunk {
            text,
            line: literal.map_or(0, |line| line + 1),
        },
        format: Format::Yaml,
        within: Some((title, "data.mesh")),
    };
    let before = reader.documents.len();
    if read(&source, Expect::MeshConfig, reader) == Outcome::IsList {
        reader.mesh_unread = Some(source.place.clone());
        reader.tell(source.problem(Severity::Error, "expected a mesh configuration, not a list"));
    }
    // Only the ConfigMap has a name.
    for document in reader.documents.iter_mut().skip(before) {
        document.metadata.name.clone_from(&metadata.name);
        document.metadata.namespace = match &*metadata.namespace {
            "" => DEFAULT_NAMESPACE.to_owned(),
            namespace => namespace.to_owned(),
        };
    }
}

/// A draft that knows what it is, from a header read before the body; or why nobody knows.
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

/// One pass over a document.
struct Attempt {
    reading: Reading,
    halt: Option<Halt>,
    fault: Option<Fault>,
}

impl Source<'_> {
    fn attempt(&self, draft: &mut Draft) -> Attempt {
        if self.format == Format::Yaml
            && let Some(attempt) = self.attempt_plain(draft)
        {
            return attempt;
        }
        let reading = Reading::default();
        let halt = Cell::new(None);
        let seed = DraftSeed {
            draft,
            reading: &reading,
            halt: &halt,
        };
        let fault = format::parse(self.format, self.chunk.text, seed).err();
        Attempt {
            reading,
            halt: halt.get(),
            fault,
        }
    }

    /// What the document says of itself, up to the fault if it has one.
    fn header(&self) -> (Header, Option<Fault>) {
        let mut header = Header::default();
        let plain = (self.format == Format::Yaml)
            .then(|| plain::read(self.chunk.text))
            .flatten();
        if plain.is_some_and(|tree| tree.deserialize(HeaderSeed(&mut header)).is_ok()) {
            return (header, None);
        }
        let mut header = Header::default();
        let fault = format::parse(self.format, self.chunk.text, HeaderSeed(&mut header)).err();
        (header, fault)
    }

    /// The quick way, for a document that is written plainly and without a fault.
    fn attempt_plain(&self, draft: &mut Draft) -> Option<Attempt> {
        let tree = plain::read(self.chunk.text)?;
        let mut plain = draft.clone();
        let reading = Reading::default();
        let halt = Cell::new(None);
        let seed = DraftSeed {
            draft: &mut plain,
            reading: &reading,
            halt: &halt,
        };
        if tree.deserialize(seed).is_err() && halt.get().is_none() {
            return None;
        }
        *draft = plain;
        Some(Attempt {
            reading,
            halt: halt.get(),
            fault: None,
        })
    }

    /// A problem of this document.
    pub(super) fn problem(&self, severity: Severity, said: impl Into<Message>) -> Problem {
        let problem = Problem::new(severity, self.place.clone(), said);
        match self.within {
            Some((title, field)) => problem.of(title).at(field, ""),
            None => problem,
        }
    }

    /// A value that has the wrong shape; or, when no part of the text can be trusted, the broken line.
    fn fault(&self, draft: &Draft, reading: &Reading, fault: &Fault) -> Problem {
        let mut header = Header::default();
        let whole = format::parse(self.format, self.chunk.text, HeaderSeed(&mut header));
        if let (Err(fault), None) = (whole, self.within) {
            return self.malformed(&header, &fault);
        }
        let known = if draft.kind.is_empty() {
            &header.kind
        } else {
            &draft.kind
        };
        let title = self.title(known, &header.metadata);
        let path = self.path(&reading.path());
        let place = self.place_at(fault.line);
        if is_secret(known, self.chunk.text) {
            return Problem::new(Severity::Error, place, "this value has the wrong shape")
                .of(title)
                .at(path, "");
        }
        let shown = if fault.value.is_empty() {
            self.line_text(fault.line)
        } else {
            &fault.value
        };
        Problem::new(Severity::Error, place, fault.reason.as_str())
            .of(title)
            .at(path, shown)
    }

    /// A text that breaks the rules of its format: what is broken, and the line.
    pub(super) fn malformed(&self, header: &Header, fault: &Fault) -> Problem {
        let title = self.title(&header.kind, &header.metadata);
        let shown = match is_secret(&header.kind, self.chunk.text) {
            true => "",
            false => self.line_text(fault.line),
        };
        let format = match self.format {
            Format::Yaml => "YAML",
            Format::Json => "JSON",
        };
        let reason = format!("not well-formed {format}, left out: {}", fault.reason);
        Problem::new(Severity::Error, self.place_at(fault.line), reason)
            .of(title)
            .at(self.path(""), shown)
    }

    /// A document of a kind that egret does not read.
    fn no_body(&self, draft: &Draft) -> Problem {
        let title = self.title(&draft.kind, &draft.metadata);
        match (
            &draft.no_body,
            draft.api_version.is_empty(),
            draft.kind.is_empty(),
        ) {
            (_, true, true) => self.problem(Severity::Error, "apiVersion and kind are missing"),
            (_, true, false) => self
                .problem(Severity::Error, "apiVersion is missing")
                .of(title),
            (_, false, true) => self.problem(Severity::Error, "kind is missing"),
            (Some(NoBody::UnknownIstioKind(meant)), ..) => {
                let reason = format!(
                    "Istio has no kind {} in {}, left out",
                    draft.kind, draft.api_version
                );
                let said: Message = match meant {
                    Some(meant) => (reason, format!("did you mean {meant}?")).into(),
                    None => reason.into(),
                };
                self.problem(Severity::Error, said)
                    .of(title)
                    .at("kind", &draft.kind)
            }
            (Some(NoBody::OtherGroup(right)), ..) => self
                .problem(
                    Severity::Error,
                    (
                        format!("{} is not a kind of this API, left out", draft.kind),
                        format!("write {right}"),
                    ),
                )
                .of(title)
                .at("apiVersion", &draft.api_version),
            (Some(NoBody::UnknownVersion(right)), ..) => self
                .problem(
                    Severity::Error,
                    ("unknown version, left out", format!("write {right}")),
                )
                .of(title)
                .at("apiVersion", &draft.api_version),
            _ => {
                let reason = format!(
                    "kind {} of {} is not one that egret reads, ignored",
                    draft.kind, draft.api_version
                );
                self.problem(Severity::Warning, reason).of(title)
            }
        }
    }

    fn ignored(&self, ignored: &Ignored, title: &str) -> Problem {
        let line = self
            .chunk
            .line_of_key(&ignored.key)
            .filter(|_| self.chunk.line > 0);
        let place = line.map_or_else(|| self.place.clone(), |line| self.place.at_line(line));
        let said: Message = match &ignored.why {
            Why::UnmatchedTraffic(Some(meant)) => {
                ("unknown field, ignored", format!("did you mean `{meant}`?")).into()
            }
            Why::UnmatchedTraffic(None) => "unknown field, ignored".into(),
            Why::Unsupported((what, instead)) => {
                (format!("not supported yet, ignored: {what}"), *instead).into()
            }
        };
        Problem::new(Severity::Warning, place, said)
            .of(title)
            .at(self.path(&ignored.path), "")
    }

    /// `Kind namespace/name`, as far as known.
    fn title(&self, kind: &str, metadata: &Metadata) -> String {
        if let Some((title, _)) = self.within {
            return title.to_owned();
        }
        if kind.is_empty() || metadata.name.is_empty() {
            return kind.to_owned();
        }
        let namespace = match metadata.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        format!("{kind} {namespace}/{}", metadata.name)
    }

    fn path(&self, inner: &str) -> String {
        match self.within {
            Some((_, outer)) if inner.is_empty() => outer.to_owned(),
            Some((_, outer)) => format!("{outer}.{inner}"),
            None => inner.to_owned(),
        }
    }

    fn place_at(&self, line: u32) -> Place {
        match (self.chunk.line, line) {
            (0, _) | (_, 0) => self.place.clone(),
            (first, relative) => self.place.at_line(first + relative - 1),
        }
    }

    fn line_text(&self, relative: u32) -> &str {
        let at = usize::try_from(relative.saturating_sub(1)).unwrap_or(usize::MAX);
        self.chunk.text.lines().nth(at).unwrap_or_default()
    }
}

/// Whether the text may hold what nobody should see in a log.
fn is_secret(kind: &str, text: &str) -> bool {
    kind == "Secret" || text.contains("kind: Secret") || text.contains("\"Secret\"")
}
