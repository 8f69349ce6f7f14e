//! The frames of an HTTP/2 connection, followed by their headers (RFC 9113, 4.1).

/// The length of the connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// The length of what each frame begins with.
const HEADER: usize = 9;

/// Types of frames (RFC 9113, 6).
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames (RFC 9113, 6).
pub mod flag {
    /// SETTINGS and PING: an acknowledgement.
    pub const ACK: u8 = 1;
    /// DATA and HEADERS: the last of the stream.
    pub const END_STREAM: u8 = 1;
    /// HEADERS and CONTINUATION: the last of the block.
    pub const END_HEADERS: u8 = 4;
}

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    /// Bytes of the preface that are to come.
    preface: usize,
    header: [u8; HEADER],
    header_length: usize,
    /// What is to come of a frame's payload.
    left: usize,
}

/// A frame that went over the connection.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Its stream, 0 for the connection.
    pub stream: u32,
    /// Its type, of [`kind`].
    pub kind: u8,
    /// Its flags, of [`flag`].
    pub flags: u8,
    /// Its length in bytes, header and payload.
    pub length: u64,
}

impl Frame {
    /// Those of its bytes that are of a head.
    pub fn heads(&self) -> u64 {
        match self.kind {
            kind::HEADERS | kind::CONTINUATION => self.length,
            _ => 0,
        }
    }

    /// Whether it has no payload.
    pub fn is_empty(&self) -> bool {
        self.length == HEADER as u64
    }
}

impl Frames {
    /// Follows what a client sends, which begins with the connection preface.
    pub fn after_preface() -> Self {
        Self {
            preface: PREFACE,
            ..Self::default()
        }
    }

    /// Takes the next bytes, and gives each frame that ends in them.
    pub fn feed(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame)) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.header_length < HEADER {
                let count = (HEADER - self.header_length).min(bytes.len());
                self.header[self.header_length..][..count].copy_from_slice(&bytes[..count]);
                self.header_length += count;
                bytes = &bytes[count..];
                if self.header_length < HEADER {
                    return;
                }
                self.left = payload_length(self.header);
            }
            let count = self.left.min(bytes.len());
            self.left -= count;
            bytes = &bytes[count..];
            if self.left == 0 {
                self.header_length = 0;
                let [_, _, _, kind, flags, id @ ..] = self.header;
                seen(Frame {
                    stream: u32::from_be_bytes(id) & (u32::MAX >> 1),
                    kind,
                    flags,
                    length: (HEADER + payload_length(self.header)) as u64,
                });
            }
        }
    }
}

fn payload_length([a, b, c, ..]: [u8; HEADER]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

/// A GOAWAY frame (RFC 9113, 6.8): what was not begun may be sent again elsewhere.
pub fn goaway(last_stream: u32, reason: h2::Reason) -> [u8; HEADER + 8] {
    let mut frame = [0; HEADER + 8];
    frame[2] = 8;
    frame[3] = kind::GOAWAY;
    frame[HEADER..][..4].copy_from_slice(&last_stream.to_be_bytes());
    frame[HEADER + 4..].copy_from_slice(&u32::from(reason).to_be_bytes());
    frame
}
