//! Passes over the text of one document.

use std::cell::Cell;

use crate::load::format::{self, Format, ParseError};
use crate::load::plain;
use crate::load::source::Source;
use crate::wire::envelope::{Draft, DraftSeed, Halt, Header, HeaderSeed};
use crate::wire::reading::Reading;

/// One pass over a document.
pub(super) struct DocumentPass {
    pub(super) reading: Reading,
    pub(super) halt: Option<Halt>,
    pub(super) error: Option<ParseError>,
}

impl Source<'_> {
    /// Reads the document into `draft`, the quick way where that is possible.
    pub(super) fn read_into(&self, draft: &mut Draft) -> DocumentPass {
        if self.format == Format::Yaml
            && let Some(pass) = self.read_plain(draft)
        {
            return pass;
        }
        let reading = Reading::default();
        let halt = Cell::new(None);
        let seed = DraftSeed {
            draft,
            reading: &reading,
            halt: &halt,
        };
        let error = format::parse(self.format, self.chunk.text, seed).err();
        DocumentPass {
            reading,
            halt: halt.get(),
            error,
        }
    }

    /// The document's header, up to the error if it has one.
    pub(super) fn header(&self) -> (Header, Option<ParseError>) {
        let mut header = Header::default();
        let plain = (self.format == Format::Yaml)
            .then(|| plain::read(self.chunk.text))
            .flatten();
        if plain.is_some_and(|tree| tree.read_into(HeaderSeed(&mut header)).is_ok()) {
            return (header, None);
        }
        let mut header = Header::default();
        let error = format::parse(self.format, self.chunk.text, HeaderSeed(&mut header)).err();
        (header, error)
    }

    /// The quick parser, for a document in plain form without an error.
    fn read_plain(&self, draft: &mut Draft) -> Option<DocumentPass> {
        let tree = plain::read(self.chunk.text)?;
        let mut plain = draft.unread();
        let reading = Reading::default();
        let halt = Cell::new(None);
        let seed = DraftSeed {
            draft: &mut plain,
            reading: &reading,
            halt: &halt,
        };
        if tree.read_into(seed).is_err() && halt.get().is_none() {
            return None;
        }
        *draft = plain;
        Some(DocumentPass {
            reading,
            halt: halt.get(),
            error: None,
        })
    }
}
