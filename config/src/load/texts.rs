//! Texts to documents: where each document of a text begins, how many are read, and what is a list of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::load::chunk::{self, Chunk};
use crate::load::format::{self, Format};
use crate::load::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, JSON_BREAKS_MAX, TEXT_BYTES_MAX};
use crate::load::list::{self, List};
use crate::load::parse::{self, Expect, Outcome};
use crate::load::source::Source;
use crate::load::text_documents::{Kept, TextDocuments};
use crate::load::wire_document::WireDocuments;
use crate::problem::{Location, Problem, Severity};
use crate::wire::envelope::{Header, HeaderSeed};

/// The content of one file.
#[derive(Clone, Debug)]
pub struct Text {
    /// What problems call the file.
    pub file: Arc<str>,
    /// YAML or JSON, one or many documents.
    pub bytes: Vec<u8>,
}

/// Reads texts into documents. A text that was read before is read again only where it changed.
#[derive(Debug, Default)]
pub struct TextReader {
    /// Hashes are of this reader alone, so that nobody can write two texts that have the same one.
    hashes: RandomState,
}

impl TextReader {
    /// Reads a text with objects. `before` is what this reader read last of the file.
    pub fn objects(&self, text: &Text, before: Option<TextDocuments>) -> TextDocuments {
        self.read(text, Expect::Anything, before)
    }

    /// Reads a text with the mesh configuration, bare or in its ConfigMap. `before` is what this reader read last of
    /// the file.
    pub fn mesh_config(&self, text: &Text, before: Option<TextDocuments>) -> TextDocuments {
        self.read(text, Expect::MeshConfig, before)
    }

    fn read(
        &self,
        text: &Text,
        expect: Expect<'_>,
        before: Option<TextDocuments>,
    ) -> TextDocuments {
        let mut reading = Reading {
            hashes: &self.hashes,
            documents: TextDocuments::default(),
            kept: Kept::new(before),
            met: 0,
        };
        reading.text(text, expect);
        reading.documents.finish()
    }
}

/// Gathers what one text says.
struct Reading<'r> {
    hashes: &'r RandomState,
    documents: TextDocuments,
    /// What an earlier reading read, if it was not used yet.
    kept: Kept,
    /// Documents met so far.
    met: usize,
}

impl Reading<'_> {
    fn report(&mut self, problem: Problem) {
        self.documents.report(problem);
    }

    /// Reads a document, unless it is what an earlier reading read.
    fn read(&mut self, source: &Source<'_>, expect: Expect<'_>) -> Outcome {
        let line = source.location.line();
        let file = source.location.file_name();
        let key = self
            .hashes
            .hash_one((file, expect, source.format, source.chunk.text))
            .max(1);
        let kept = self.kept.take(key);
        if self.documents.add_kept(kept, line) {
            return Outcome::Read;
        }
        let mut read = WireDocuments::default();
        let outcome = parse::read(source, expect, &mut read);
        if outcome == Outcome::Read {
            self.documents.add(key, line, read);
        }
        outcome
    }

    fn text(&mut self, text: &Text, expect: Expect<'_>) {
        let refuse = |line, reason: String| {
            let location = Location::file(text.file.clone(), line);
            Problem::new(Severity::Error, location, reason)
        };
        if text.bytes.len() > TEXT_BYTES_MAX {
            let reason = format!(
                "larger than {} MiB, left out; split it",
                TEXT_BYTES_MAX >> 20
            );
            return self.report(refuse(0, reason));
        }
        let content = match str::from_utf8(&text.bytes) {
            Ok(content) => content,
            Err(error) => {
                let (good, _) = text.bytes.split_at(error.valid_up_to());
                let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
                let line = u32::try_from(line).unwrap_or(0);
                return self.report(refuse(line, "not UTF-8, the file is left out".into()));
            }
        };
        let content = content.strip_prefix('\u{feff}').unwrap_or(content);
        for chunk in chunk::documents(content) {
            let Some(line) = chunk.first_line() else {
                continue;
            };
            let location = Location::file(text.file.clone(), line);
            if self.met > DOCUMENTS_MAX {
                return;
            }
            self.chunk(location, chunk, expect);
        }
    }

    /// A YAML document, or a stream of JSON ones.
    fn chunk(&mut self, location: Location, chunk: Chunk<'_>, expect: Expect<'_>) {
        if chunk.looks_like_json() {
            let values = list::json_values(chunk);
            if !values.is_empty() || !format::is_well_formed(Format::Yaml, chunk.text) {
                return self.stream(&location, chunk, values, expect);
            }
        }
        self.document(location, chunk, Format::Yaml, expect);
    }

    /// JSON documents one after another, `values` being those before the first broken one. After a broken one the
    /// reading goes on at the next line that begins with `{`.
    fn stream<'t>(
        &mut self,
        outer: &Location,
        chunk: Chunk<'t>,
        mut values: Vec<Chunk<'t>>,
        expect: Expect<'_>,
    ) {
        let location_of =
            |chunk: &Chunk<'_>| outer.at_line(chunk.first_line().unwrap_or(chunk.line));
        let mut rest = chunk;
        for _ in 0..JSON_BREAKS_MAX {
            for value in &values {
                self.document(location_of(value), *value, Format::Json, expect);
            }
            rest = rest.after(values.last());
            let location = location_of(&rest);
            if rest.text.is_empty() || !self.admit(&location) {
                return;
            }
            let broken = Source {
                location,
                chunk: rest,
                format: Format::Json,
                within: None,
            };
            let mut header = Header::default();
            if let Err(error) = format::parse(Format::Json, rest.text, HeaderSeed(&mut header)) {
                self.report(broken.malformed(&header, &error));
            }
            let Some(next) = rest.next_json() else {
                return;
            };
            rest = next;
            values = list::json_values(rest);
        }
        let reason =
            format!("more than {JSON_BREAKS_MAX} broken JSON documents, the rest is left out");
        self.report(Problem::new(Severity::Error, location_of(&rest), reason));
    }

    /// Counts one more document of the present text; `false` when it is one too many, which is reported once.
    fn admit(&mut self, location: &Location) -> bool {
        self.met += 1;
        if self.met == DOCUMENTS_MAX + 1 {
            let reason = format!(
                "more than {DOCUMENTS_MAX} documents, the rest is left out; split the file"
            );
            self.report(Problem::new(Severity::Error, location.clone(), reason));
        }
        self.met <= DOCUMENTS_MAX
    }

    fn document(
        &mut self,
        location: Location,
        chunk: Chunk<'_>,
        format: Format,
        expect: Expect<'_>,
    ) {
        if !self.admit(&location) {
            return;
        }
        let source = Source {
            location,
            chunk,
            format,
            within: None,
        };
        // Only a list can be this large; other documents are not read at all.
        let large = chunk.text.len() > DOCUMENT_BYTES_MAX;
        if !large && !list::is_list(chunk) && self.read(&source, expect) == Outcome::Read {
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
                self.report(source.problem(Severity::Error, reason));
            }
            None => self.report(source.problem(
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
                location: outer.location.at_line(*line),
                chunk: Chunk { text, line: *line },
                format: outer.format,
                within: None,
            };
            if !self.admit(&source.location) {
                return;
            }
            if self.read(&source, expect) == Outcome::IsList {
                self.report(source.problem(Severity::Error, "a list within a list, left out"));
            }
        }
    }
}
