//! The layout all netlink messages share: a header, and attributes inside attributes.

use std::borrow::Cow;
use std::fmt;

use crate::rules::{ChainName, Reason};

/// A message under construction. Integers in headers are in host byte order, those in nf_tables attributes big endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
    label: Label,
    needs: Vec<Need>,
}

/// The subject of an error about a message. Errors are rare, so the text is made when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// A text.
    Text(Cow<'static, str>),
    /// A chain of ours.
    Chain(ChainName),
    /// A rule of ours.
    Rule {
        /// Its chain.
        chain: ChainName,
        /// Its number in the chain, from 1.
        number: usize,
        /// Why it is there.
        reason: Reason,
    },
}

/// What a kernel must have for a message beside its protocol's own part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A module, by its name.
    Module(&'static str),
    /// What it must have been built with, by the name of the build option.
    Option(&'static str),
}

/// Attributes under construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    bytes: Vec<u8>,
}

/// The bits of a message header's flags.
pub mod flag {
    /// Every message to the kernel has it.
    pub const REQUEST: u16 = 0x1;
    /// The kernel shall answer, also when all is well.
    pub const ACK: u16 = 0x4;
    /// The kernel shall list all objects.
    pub const DUMP: u16 = 0x300;
    /// Replace an existing object.
    pub const REPLACE: u16 = 0x100;
    /// Fail when the object exists.
    pub const EXCLUSIVE: u16 = 0x200;
    /// Make the object when there is none.
    pub const CREATE: u16 = 0x400;
    /// Put the rule behind the others.
    pub const APPEND: u16 = 0x800;
}

/// Length of `struct nlmsghdr`.
pub const HEADER_LENGTH: usize = 16;

impl Message {
    /// A message of a type, with the fixed part that its protocol puts after the header.
    pub fn new(
        kind: u16,
        flags: u16,
        fixed: &[u8],
        attributes: &Attributes,
        label: impl Into<Label>,
    ) -> Self {
        let length = HEADER_LENGTH + fixed.len() + attributes.bytes.len();
        let mut bytes = Vec::with_capacity(length);
        let length = u32::try_from(length).expect("attributes are chunked far below 4 GiB");
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | flag::REQUEST).to_ne_bytes());
        // The sequence number is set on sending; port 0 is the kernel.
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        bytes.extend(&attributes.bytes);
        Self {
            bytes,
            label: label.into(),
            needs: Vec::new(),
        }
    }

    /// Notes what the kernel must have for the message.
    #[must_use]
    pub fn needing(mut self, needs: Vec<Need>) -> Self {
        self.needs = needs;
        self
    }

    /// Asks the kernel to acknowledge success. It reports a failure in any case.
    #[must_use]
    pub fn acknowledged(mut self) -> Self {
        let flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | flag::ACK;
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self
    }

    /// What the kernel must have for the message, as far as that is known.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What an error about this message is about.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// How many bytes the message has.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the message with a sequence number.
    pub fn write(&self, sequence: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(&self.bytes);
        out[start + 8..start + 12].copy_from_slice(&sequence.to_ne_bytes());
    }

    /// Whether the message requests an answer.
    pub fn wants_ack(&self) -> bool {
        u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) & flag::ACK != 0
    }
}

impl From<&'static str> for Label {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Chain(chain) => write!(out, "chain {chain}"),
            Self::Rule {
                chain,
                number,
                reason,
            } => write!(out, "rule {number} of chain {chain} ({reason})"),
        }
    }
}

impl Attributes {
    /// No attributes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No attributes yet, and room for so many bytes of them.
    pub fn with_room(length: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(length),
        }
    }

    /// Adds bytes as they are, padded to the next multiple of four.
    #[must_use]
    pub fn bytes(self, kind: u16, value: &[u8]) -> Self {
        self.put(kind, value)
    }

    /// Adds a big-endian number.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// Adds a number in host byte order, which rtnetlink uses.
    #[must_use]
    pub fn host_number(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds text with its final NUL.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.put_parts(kind, &[value.as_bytes(), &[0]])
    }

    /// Adds attributes inside an attribute.
    #[must_use]
    pub fn nested(self, kind: u16, inner: &Self) -> Self {
        self.put(kind | NESTED, &inner.bytes)
    }

    /// Adds the attributes that `fill` adds, inside an attribute. It writes them where they belong.
    #[must_use]
    pub fn within(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = fill(self.put(kind | NESTED, &[]));
        // Whatever is inside is padded already.
        let length = u16::try_from(self.bytes.len() - start).expect("callers chunk what may grow");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Adds attributes beside the present ones.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        self.bytes.extend(&others.bytes);
        self
    }

    fn put(self, kind: u16, value: &[u8]) -> Self {
        self.put_parts(kind, &[value])
    }

    fn put_parts(mut self, kind: u16, parts: &[&[u8]]) -> Self {
        let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        // Most attributes are a few small ones, which so are put together without moving.
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(length + USUAL_LENGTH);
        }
        let length = u16::try_from(length).expect("callers chunk what may grow");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

/// Attributes as the kernel sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Each attribute's type and value. What is cut off is left out.
    pub fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        self.marked().map(|(kind, _, value)| (kind, value))
    }

    /// As [`Self::iter`], and whether the attribute is marked as nested. Ours are; not every kernel's.
    pub fn marked(self) -> impl Iterator<Item = (u16, bool, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let length = usize::from(u16::from_ne_bytes(rest.get(0..2)?.try_into().ok()?));
            let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
            let value = rest.get(4..length)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some((kind & !(NESTED | ENDIAN), kind & NESTED != 0, value))
        })
    }

    /// The value of the first attribute of a type.
    pub fn value(self, kind: u16) -> Option<&'a [u8]> {
        self.iter()
            .find(|(own, _)| *own == kind)
            .map(|(_, value)| value)
    }

    /// The attributes inside the first attribute of a type.
    pub fn nested(self, kind: u16) -> Option<Self> {
        self.value(kind).map(Self)
    }

    /// A text without its final NUL.
    pub fn text(self, kind: u16) -> Option<&'a str> {
        let value = self.value(kind)?;
        std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()
    }

    /// A big-endian number.
    pub fn number(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.value(kind)?.try_into().ok()?))
    }

    /// A number in host byte order.
    pub fn host_number(self, kind: u16) -> Option<u32> {
        Some(u32::from_ne_bytes(self.value(kind)?.try_into().ok()?))
    }
}

impl Attributes {
    /// The attributes as a reader sees them.
    pub fn reader(&self) -> Reader<'_> {
        Reader(&self.bytes)
    }
}

/// Room for the attributes of an expression.
const USUAL_LENGTH: usize = 64;

/// Flag of an attribute that holds attributes.
const NESTED: u16 = 0x8000;

/// Flag of an attribute in network byte order; the kernel sets it rarely.
const ENDIAN: u16 = 0x4000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_but_not_counted() {
        let attributes = Attributes::new().text(3, "lo").number(1, 7);
        let mut expected = Vec::new();
        expected.extend(7u16.to_ne_bytes());
        expected.extend(3u16.to_ne_bytes());
        expected.extend(*b"lo\0\0");
        expected.extend(8u16.to_ne_bytes());
        expected.extend(1u16.to_ne_bytes());
        expected.extend([0, 0, 0, 7]);
        assert_eq!(attributes.bytes, expected);
    }

    #[test]
    fn nested_attributes_are_marked() {
        let attributes = Attributes::new().nested(2, &Attributes::new().bytes(1, &[9]));
        let mut expected = Vec::new();
        expected.extend(12u16.to_ne_bytes());
        expected.extend(0x8002u16.to_ne_bytes());
        expected.extend(5u16.to_ne_bytes());
        expected.extend(1u16.to_ne_bytes());
        expected.extend([9, 0, 0, 0]);
        assert_eq!(attributes.bytes, expected);
    }

    #[test]
    fn attributes_inside_attributes_are_written_in_place() {
        let inner = Attributes::new().text(1, "lo").number(2, 7);
        let middle = Attributes::new().nested(3, &inner).bytes(4, &[9]);
        let expected = Attributes::new().number(8, 1).nested(5, &middle);
        let filled = Attributes::new().number(8, 1).within(5, |middle| {
            let middle = middle.within(3, |inner| inner.text(1, "lo").number(2, 7));
            middle.bytes(4, &[9])
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn header_has_length_type_flags_and_sequence() {
        let message = Message::new(
            0x0a06,
            flag::ACK | flag::CREATE,
            &[1, 0, 0, 0],
            &Attributes::new(),
            "a rule",
        );
        let mut bytes = vec![0xff; 4];
        message.write(5, &mut bytes);
        let mut expected = vec![0xff; 4];
        expected.extend(20u32.to_ne_bytes());
        expected.extend(0x0a06u16.to_ne_bytes());
        expected.extend(0x0405u16.to_ne_bytes());
        expected.extend(5u32.to_ne_bytes());
        expected.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes, expected);
        assert!(message.wants_ack());
    }
}
