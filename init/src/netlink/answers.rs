//! What the kernel answers to messages.

use std::collections::BTreeSet;

use nix::errno::Errno;

use crate::netlink::message::{HEADER_LENGTH, Message};
use crate::netlink::refusal::Refusal;

/// `NLMSG_ERROR`, which also acknowledges.
pub(super) const ERROR: u16 = 2;

/// `NLMSG_DONE`, which ends a list.
pub(super) const DONE: u16 = 3;

/// Length of an answer's header.
pub(super) const HEADER: usize = HEADER_LENGTH;

/// The header of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// The length of the answer with this header.
    pub(super) length: usize,
    pub(super) kind: u16,
    flags: u16,
    /// The number of the message that is answered.
    pub(super) number: u32,
}

impl Header {
    /// Whether a list has changed while it was read.
    pub(super) fn is_interrupted(self) -> bool {
        const INTERRUPTED: u16 = 0x10;
        self.flags & INTERRUPTED != 0
    }
}

/// The header of the answer at the front.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?)).ok()?;
    (length >= HEADER_LENGTH).then_some(())?;
    Some(Header {
        length,
        kind: u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?),
        flags: u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?),
        number: u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?),
    })
}

/// The error in the payload of [`ERROR`]; `None` when it acknowledges.
pub(super) fn error_code(payload: &[u8]) -> Option<Errno> {
    let code = i32::from_ne_bytes(payload.get(0..4)?.try_into().ok()?);
    // The kernel writes errors as negative numbers, and success as zero.
    (code != 0).then(|| Errno::from_raw(code.wrapping_neg()))
}

/// The kernel's answers to messages so far.
pub(super) struct Answers<'a> {
    messages: &'a [Message],
    /// The number of the first message.
    first: u32,
    /// Indexes of the messages that have no answer yet.
    missing: BTreeSet<usize>,
    refusal: Option<Refusal>,
}

impl<'a> Answers<'a> {
    pub(super) fn new(messages: &'a [Message], first: u32) -> Self {
        let wanting = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.wants_ack());
        Self {
            messages,
            first,
            missing: wanting.map(|(index, _)| index).collect(),
            refusal: None,
        }
    }

    /// Whether every message that needs an answer has one.
    pub(super) fn are_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Reads one datagram, which may hold several answers.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some(answer) = header(bytes) {
            let payload = bytes.get(HEADER..).unwrap_or_default();
            let index = usize::try_from(answer.number.wrapping_sub(self.first));
            if let (ERROR, Ok(index)) = (answer.kind, index)
                && let Some(message) = self.messages.get(index)
            {
                self.missing.remove(&index);
                if let (Some(reason), None) = (error_code(payload), &self.refusal) {
                    self.refusal = Some(Refusal::Message {
                        label: message.label().to_string(),
                        reason,
                        needs: message.needs().to_vec(),
                    });
                }
            }
            bytes = bytes
                .get(answer.length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }

    pub(super) fn verdict(self) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        match self.missing.first() {
            Some(index) => Err(Refusal::Unanswered(
                self.messages[*index].label().to_string(),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{Attributes, Need, flag};

    const FIRST: u32 = 7;

    fn messages() -> Vec<Message> {
        let message =
            |flags, label: &'static str| Message::new(1, flags, &[], &Attributes::new(), label);
        vec![
            message(0, "begin"),
            message(0, "first").needing(vec![Need::Module("nft_redir")]),
            message(flag::ACK, "second"),
        ]
    }

    /// The kernel's answer to the message at an index.
    fn answer(index: u32, code: i32) -> Vec<u8> {
        let mut bytes = 36u32.to_ne_bytes().to_vec();
        bytes.extend(ERROR.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(FIRST.wrapping_add(index).to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(code.to_ne_bytes());
        bytes.extend([0; 16]);
        bytes
    }

    #[test]
    fn acknowledged() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        assert!(!answers.are_complete());
        answers.read(&answer(2, 0));
        assert!(answers.are_complete());
        assert_eq!(answers.verdict(), Ok(()));
    }

    #[test]
    fn the_first_refused_message_is_named_with_its_needs() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        answers.read(&[answer(1, -2), answer(2, -22)].concat());
        let expected = Refusal::Message {
            label: "first".to_owned(),
            reason: Errno::ENOENT,
            needs: vec![Need::Module("nft_redir")],
        };
        assert_eq!(answers.verdict(), Err(expected));
    }

    /// A transaction that cannot be committed, or that the process may not begin, is refused at its beginning.
    #[test]
    fn a_refused_transaction() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        answers.read(&answer(0, -1));
        let refusal = answers.verdict().unwrap_err();
        assert!(refusal.is_denied(), "{refusal}");
    }

    #[test]
    fn silence_is_an_error() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        answers.read(&[1, 2, 3]);
        assert_eq!(
            answers.verdict(),
            Err(Refusal::Unanswered("second".to_owned()))
        );
    }

    #[test]
    fn answers_to_earlier_messages_are_ignored() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        answers.read(&[answer(u32::MAX, -22), answer(3, -22)].concat());
        assert!(!answers.are_complete());
        assert_eq!(
            answers.verdict(),
            Err(Refusal::Unanswered("second".to_owned()))
        );
    }

    /// Only the front of a long error is read.
    #[test]
    fn an_error_that_is_cut_off_counts() {
        let messages = messages();
        let mut answers = Answers::new(&messages, FIRST);
        let mut long = answer(2, -28);
        long[0..4].copy_from_slice(&40_000u32.to_ne_bytes());
        answers.read(&long);
        assert!(matches!(
            answers.verdict(),
            Err(Refusal::Message {
                reason: Errno::ENOSPC,
                ..
            })
        ));
    }
}
