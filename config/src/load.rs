//! Texts to documents, and documents to objects; one bad document never hides a good one.
//!
//! Files are read elsewhere: this module sees their bytes and the names to call them by.

use std::mem;
use std::sync::Arc;

use crate::model::objects::Objects;
use crate::model::outbound_policy::OutboundPolicy;
use crate::problem::{Place, Problem, Severity};
use crate::wire::envelope::{Body, Header, HeaderSeed, Metadata};

mod chunk;
mod document;
mod format;
mod installs;
mod list;
pub mod mesh;
mod objects;
mod plain;

use chunk::Chunk;
use document::{Expect, Outcome, Source};
use format::Format;
use list::List;

/// The content of one file.
#[derive(Clone, Debug)]
pub struct Text {
    /// What problems call the file.
    pub file: Arc<str>,
    /// YAML or JSON, one or many documents.
    pub bytes: Vec<u8>,
}

/// One document as its author wrote it.
#[derive(Clone, Debug)]
pub struct Document {
    /// File, and the line on which the document begins.
    pub place: Place,
    /// Who it is; empty for a bare MeshConfig.
    pub metadata: Metadata,
    /// What it says.
    pub body: Body,
}

/// Bytes of one text that are read. Larger ones are refused whole.
pub const TEXT_BYTES_MAX: usize = 256 << 20;

/// Bytes of one document that are read, several times what Kubernetes stores. Lists may be larger, their items not.
pub const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// Documents of one text that are read, list items included. The rest is left out.
pub const DOCUMENTS_MAX: usize = 250_000;

/// Broken JSON documents of one text after which reading goes on: each costs a search to the end of the text.
const JSON_BREAKS_MAX: usize = 20;

/// Documents, whatever they come from, with one mesh configuration at the most.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// The documents, in the order in which they were read.
    pub list: Vec<Document>,
    /// What is wrong with documents that were left out, or doubtful in those that were not.
    pub problems: Vec<Problem>,
    /// Where a mesh configuration is that could not be read, or a REGISTRY_ONLY that is carried by a document which egret
    /// does not read. Without another one among the documents the mesh is closed (REGISTRY_ONLY).
    pub mesh_unread: Option<Place>,
}

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
        // A text that could not be read does not bring the others back: the user wanted this one.
        let (others, kept): (Vec<_>, Vec<_>) = mem::take(&mut reader.documents)
            .into_iter()
            .partition(mesh::is_mesh);
        reader.documents = kept;
        let title = format!("that of {} (--mesh-config)", text.file);
        for document in &others {
            reader.tell(mesh::ignored(document, &title));
        }
        reader.mesh_unread = None;
        let before = reader.documents.len();
        reader.text(text, Expect::MeshConfig);
        let own = reader.documents.iter().skip(before);
        if own.filter(|one| mesh::is_mesh(one)).count() == 0 && reader.mesh_unread.is_none() {
            let words = (
                "no mesh configuration in it: Istio's defaults apply, which allow all calls",
                "write `outboundTrafficPolicy: {mode: ALLOW_ANY}` if that is intended",
            );
            let place = Place::file(text.file.clone(), 0);
            reader.tell(Problem::new(Severity::Warning, place, words));
        }
    }
    let mut problems = reader.problems;
    let list = mesh::choose(reader.documents, &mut problems);
    Documents {
        list,
        problems,
        mesh_unread: reader.mesh_unread,
    }
}

/// Makes objects of documents. What cannot be understood is left out and is among the problems; the rest is there.
pub fn build(documents: Documents) -> (Objects, Vec<Problem>) {
    let Documents {
        list,
        mut problems,
        mesh_unread,
    } = documents;
    let mut objects = objects::build(list, &mut problems);
    if let Some(place) = mesh_unread.filter(|_| objects.mesh.meta.is_none()) {
        objects.mesh.outbound_policy = OutboundPolicy::RegistryOnly;
        let words = (
            "without a mesh configuration that can be read, calls to unregistered hosts are refused (REGISTRY_ONLY)",
            "correct this one",
        );
        problems.push(Problem::new(Severity::Warning, place, words).of("MeshConfig"));
    }
    (objects, problems)
}

/// Reads every document of every text, in order, all mesh configurations among them.
pub fn read(texts: &[Text]) -> (Vec<Document>, Vec<Problem>) {
    let mut reader = Reader::default();
    for text in texts {
        reader.text(text, Expect::Anything);
    }
    (reader.documents, reader.problems)
}

/// Gathers what was read and what is wrong with it.
#[derive(Default)]
struct Reader {
    documents: Vec<Document>,
    problems: Vec<Problem>,
    /// See [`Documents::mesh_unread`].
    mesh_unread: Option<Place>,
    /// Documents of the present text met so far.
    met: usize,
}

impl Reader {
    fn tell(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn text(&mut self, text: &Text, expect: Expect<'_>) {
        self.met = 0;
        let refuse = |line, reason: String| {
            let place = Place::file(text.file.clone(), line);
            Problem::new(Severity::Error, place, reason)
        };
        if text.bytes.len() > TEXT_BYTES_MAX {
            let reason = format!(
                "larger than {} MiB, left out; split it",
                TEXT_BYTES_MAX >> 20
            );
            return self.tell(refuse(0, reason));
        }
        let content = match str::from_utf8(&text.bytes) {
            Ok(content) => content,
            Err(error) => {
                let (good, _) = text.bytes.split_at(error.valid_up_to());
                let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
                let line = u32::try_from(line).unwrap_or(0);
                return self.tell(refuse(line, "not UTF-8, the file is left out".into()));
            }
        };
        let content = content.strip_prefix('\u{feff}').unwrap_or(content);
        for chunk in chunk::documents(content) {
            let Some(line) = chunk.first_line() else {
                continue;
            };
            let place = Place::file(text.file.clone(), line);
            if self.met > DOCUMENTS_MAX {
                return;
            }
            self.chunk(place, chunk, expect);
        }
    }

    /// A YAML document, or a stream of JSON ones.
    fn chunk(&mut self, place: Place, chunk: Chunk<'_>, expect: Expect<'_>) {
        if chunk.looks_like_json() {
            let values = list::json_values(chunk);
            if !values.is_empty() || !format::is_well_formed(Format::Yaml, chunk.text) {
                return self.stream(&place, chunk, values, expect);
            }
        }
        self.document(place, chunk, Format::Yaml, expect);
    }

    /// JSON documents one after another, `values` being those before the first broken one. After a broken one the
    /// reading goes on at the next line that begins with `{`.
    fn stream<'t>(
        &mut self,
        outer: &Place,
        chunk: Chunk<'t>,
        mut values: Vec<Chunk<'t>>,
        expect: Expect<'_>,
    ) {
        let place_of = |chunk: &Chunk<'_>| outer.at_line(chunk.first_line().unwrap_or(chunk.line));
        let mut rest = chunk;
        for _ in 0..JSON_BREAKS_MAX {
            for value in &values {
                self.document(place_of(value), *value, Format::Json, expect);
            }
            rest = rest.after(values.last());
            let place = place_of(&rest);
            if rest.text.is_empty() || !self.admit(&place) {
                return;
            }
            let broken = Source {
                place,
                chunk: rest,
                format: Format::Json,
                within: None,
            };
            let mut header = Header::default();
            if let Err(fault) = format::parse(Format::Json, rest.text, HeaderSeed(&mut header)) {
                self.tell(broken.malformed(&header, &fault));
            }
            let Some(next) = rest.next_json() else {
                return;
            };
            rest = next;
            values = list::json_values(rest);
        }
        let reason =
            format!("more than {JSON_BREAKS_MAX} broken JSON documents, the rest is left out");
        self.tell(Problem::new(Severity::Error, place_of(&rest), reason));
    }

    /// Counts one more document of the present text; `false` when it is one too many, which is told once.
    fn admit(&mut self, place: &Place) -> bool {
        self.met += 1;
        if self.met == DOCUMENTS_MAX + 1 {
            let reason = format!(
                "more than {DOCUMENTS_MAX} documents, the rest is left out; split the file"
            );
            self.tell(Problem::new(Severity::Error, place.clone(), reason));
        }
        self.met <= DOCUMENTS_MAX
    }

    fn document(&mut self, place: Place, chunk: Chunk<'_>, format: Format, expect: Expect<'_>) {
        if !self.admit(&place) {
            return;
        }
        let source = Source {
            place,
            chunk,
            format,
            within: None,
        };
        // Only a list can be this large; other documents are not read at all.
        let large = chunk.text.len() > DOCUMENT_BYTES_MAX;
        if !large
            && !list::is_sequence(chunk)
            && document::read(&source, expect, self) == Outcome::Read
        {
            return;
        }
        let list = match format {
            Format::Yaml => list::yaml(chunk),
            Format::Json => list::json(chunk),
        };
        match list {
            Some(list) => self.list(&source, &list),
            None if large => {
                let size = DOCUMENT_BYTES_MAX >> 20;
                let reason = format!("a document larger than {size} MiB, left out; no API server would store it");
                self.tell(source.problem(Severity::Error, reason));
            }
            None => self.tell(source.problem(
                Severity::Error,
                "a list of documents must be written in block style, as kubectl prints it; left out",
            )),
        }
    }

    fn list(&mut self, outer: &Source<'_>, list: &List<'_>) {
        let expect = match list.kind_of_items() {
            Some((api_version, kind)) => Expect::Kind(api_version, kind),
            None => Expect::Anything,
        };
        for (text, line) in &list.items {
            let source = Source {
                place: outer.place.at_line(*line),
                chunk: Chunk { text, line: *line },
                format: outer.format,
                within: None,
            };
            if !self.admit(&source.place) {
                return;
            }
            if document::read(&source, expect, self) == Outcome::IsList {
                self.tell(source.problem(Severity::Error, "a list within a list, left out"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
