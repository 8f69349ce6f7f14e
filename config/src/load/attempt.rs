//! Passes over the text of one document.

use std::cell::Cell;

use crate::load::format::{self, Fault, Format};
use crate::load::plain;
use crate::load::source::Source;
use crate::wire::envelope::{Draft, DraftSeed, Halt, Header, HeaderSeed};
use crate::wire::reading::Reading;

/// One pass over a document.
pub(super) struct Attempt {
    pub(super) reading: Reading,
    pub(super) halt: Option<Halt>,
    pub(super) fault: Option<Fault>,
}

impl Source<'_> {
    /// Reads the document into `draft`, the quick way where that is possible.
    pub(super) fn attempt(&self, draft: &mut Draft) -> Attempt {
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

    /// The document's header, up to the fault if it has one.
    pub(super) fn header(&self) -> (Header, Option<Fault>) {
        let mut header = Header::default();
        let plain = (self.format == Format::Yaml)
            .then(|| plain::read(self.chunk.text))
            .flatten();
        if plain.is_some_and(|tree| tree.read_into(HeaderSeed(&mut header)).is_ok()) {
            return (header, None);
        }
        let mut header = Header::default();
        let fault = format::parse(self.format, self.chunk.text, HeaderSeed(&mut header)).err();
        (header, fault)
    }

    /// The quick way, for a document that is written plainly and without a fault.
    fn attempt_plain(&self, draft: &mut Draft) -> Option<Attempt> {
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
        Some(Attempt {
            reading,
            halt: halt.get(),
            fault: None,
        })
    }
}
