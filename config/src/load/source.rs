//! The text of one document, and how problems name it and its parts.

use crate::load::chunk::Chunk;
use crate::load::format::{self, Format, ParseError};
use crate::problem::{Location, Message, Problem, Severity};
use crate::wire::envelope::{Draft, Header, HeaderSeed, Metadata};
use crate::wire::istio_kinds::NoBody;
use crate::wire::reading::{Ignored, IgnoredReason, Reading};

/// The text of one document, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) location: Location,
    /// A line of 0 means that the lines of this text are not those of the file.
    pub(super) chunk: Chunk<'a>,
    pub(super) format: Format,
    /// `Kind namespace/name` and field of the object that this text is a value of.
    pub(super) within: Option<(&'a str, &'a str)>,
}

impl Source<'_> {
    /// A problem of this document.
    pub(super) fn problem(&self, severity: Severity, message: impl Into<Message>) -> Problem {
        let problem = Problem::new(severity, self.location.clone(), message);
        match self.within {
            Some((title, field)) => problem.of(title).at(field, ""),
            None => problem,
        }
    }

    /// A value that has the wrong shape; or, when no part of the text can be trusted, the broken line.
    pub(super) fn wrong_shape(
        &self,
        draft: &Draft,
        reading: &Reading,
        error: &ParseError,
    ) -> Problem {
        let mut header = Header::default();
        let whole = format::parse(self.format, self.chunk.text, HeaderSeed(&mut header));
        if let (Err(error), None) = (whole, self.within) {
            return self.malformed(&header, &error);
        }
        let known = if draft.kind.is_empty() {
            &header.kind
        } else {
            &draft.kind
        };
        let title = self.title(known, &header.metadata);
        let path = self.path(&reading.path());
        let location = self.location_at(error.line);
        if is_secret(known, self.chunk.text) {
            return Problem::new(Severity::Error, location, "this value has the wrong shape")
                .of(title)
                .at(path, "");
        }
        let value = if error.value.is_empty() {
            self.line_text(error.line)
        } else {
            &error.value
        };
        Problem::new(Severity::Error, location, error.reason.as_str())
            .of(title)
            .at(path, value)
    }

    /// A text that breaks the rules of its format: what is broken, and the line.
    pub(super) fn malformed(&self, header: &Header, error: &ParseError) -> Problem {
        let title = self.title(&header.kind, &header.metadata);
        let value = match is_secret(&header.kind, self.chunk.text) {
            true => "",
            false => self.line_text(error.line),
        };
        let format = match self.format {
            Format::Yaml => "YAML",
            Format::Json => "JSON",
        };
        let reason = format!("not well-formed {format}, left out: {}", error.reason);
        Problem::new(Severity::Error, self.location_at(error.line), reason)
            .of(title)
            .at(self.path(""), value)
    }

    /// A document of a kind that egret does not read.
    pub(super) fn no_body(&self, draft: &Draft) -> Problem {
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
                let message: Message = match meant {
                    Some(meant) => (reason, format!("did you mean {meant}?")).into(),
                    None => reason.into(),
                };
                self.problem(Severity::Error, message)
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

    pub(super) fn ignored(&self, ignored: &Ignored, title: &str) -> Problem {
        let line = self
            .chunk
            .line_of_key(&ignored.key)
            .filter(|_| self.chunk.line > 0);
        let location =
            line.map_or_else(|| self.location.clone(), |line| self.location.at_line(line));
        let message: Message = match &ignored.reason {
            IgnoredReason::Unknown(Some(meant)) => {
                ("unknown field, ignored", format!("did you mean `{meant}`?")).into()
            }
            IgnoredReason::Unknown(None) => "unknown field, ignored".into(),
            IgnoredReason::Unsupported((effect, hint)) => {
                (format!("not supported yet, ignored: {effect}"), *hint).into()
            }
        };
        Problem::new(Severity::Warning, location, message)
            .of(title)
            .at(self.path(&ignored.path), "")
    }

    /// `Kind namespace/name`, as far as known.
    pub(super) fn title(&self, kind: &str, metadata: &Metadata) -> String {
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

    fn location_at(&self, line: u32) -> Location {
        match (self.chunk.line, line) {
            (0, _) | (_, 0) => self.location.clone(),
            (first, relative) => self.location.at_line(first + relative - 1),
        }
    }

    fn line_text(&self, relative: u32) -> &str {
        let at = usize::try_from(relative.saturating_sub(1)).unwrap_or(usize::MAX);
        self.chunk.text.lines().nth(at).unwrap_or_default()
    }
}

/// Whether the text may have secrets, which must not be logged.
fn is_secret(kind: &str, text: &str) -> bool {
    kind == "Secret" || text.contains("kind: Secret") || text.contains("\"Secret\"")
}
