//! HTTP/2 by the frame: a client that sends what no library would, and tells what comes back.

use std::io;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};

use anyhow::Context;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Linger;

use crate::DEADLINE;
use crate::netns::Host;

/// What a client sends first (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113, 6).
pub mod kind {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// PRIORITY.
    pub const PRIORITY: u8 = 2;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// PUSH_PROMISE.
    pub const PUSH_PROMISE: u8 = 5;
    /// PING.
    pub const PING: u8 = 6;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION.
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    /// SETTINGS and PING: an acknowledgement.
    pub const ACK: u8 = 1;
    /// HEADERS and DATA: the last of the stream.
    pub const END_STREAM: u8 = 1;
    /// HEADERS and CONTINUATION: the last of the block.
    pub const END_HEADERS: u8 = 4;
    /// HEADERS and DATA: with padding.
    pub const PADDED: u8 = 8;
    /// HEADERS: with a priority.
    pub const PRIORITY: u8 = 0x20;
    /// HEADERS: a whole request.
    pub const WHOLE: u8 = END_STREAM | END_HEADERS;
}

/// Error codes (RFC 9113, 7).
pub mod code {
    /// NO_ERROR.
    pub const NO_ERROR: u32 = 0;
    /// PROTOCOL_ERROR.
    pub const PROTOCOL: u32 = 1;
    /// FLOW_CONTROL_ERROR.
    pub const FLOW_CONTROL: u32 = 3;
    /// STREAM_CLOSED.
    pub const STREAM_CLOSED: u32 = 5;
    /// FRAME_SIZE_ERROR.
    pub const FRAME_SIZE: u32 = 6;
    /// REFUSED_STREAM.
    pub const REFUSED_STREAM: u32 = 7;
    /// CANCEL.
    pub const CANCEL: u32 = 8;
    /// COMPRESSION_ERROR.
    pub const COMPRESSION: u32 = 9;
    /// ENHANCE_YOUR_CALM.
    pub const CALM: u32 = 11;
}

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type, of [`kind`].
    pub kind: u8,
    /// Its flags, of [`flag`].
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The number at a place of the payload.
    #[must_use]
    pub fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// The status of a response whose head this is.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        (self.kind == kind::HEADERS)
            .then(|| status(&self.payload))
            .flatten()
    }

    /// Whether it has a flag.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag
    }
}

/// A frame as bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload is shorter than 16 MiB");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A SETTINGS frame.
#[must_use]
pub fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in all {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// A WINDOW_UPDATE frame.
#[must_use]
pub fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

/// A block of fields, each spelled out (RFC 7541, 6.2.2): nothing is remembered, nothing is compressed.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            literal(text.as_bytes(), &mut bytes);
        }
    }
    bytes
}

fn literal(text: &[u8], into: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(short @ 0..=126) => into.push(short),
        _ => {
            into.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                into.push(u8::try_from(rest % 128).expect("below 128") | 128);
                rest /= 128;
            }
            into.push(u8::try_from(rest).expect("below 128"));
        }
    }
    into.extend(text);
}

/// The first field of a block where it is the status.
fn status(block: &[u8]) -> Option<u16> {
    // The sender may say first how much it remembers.
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20)?;
    match block[start] {
        first @ 0x88..=0x8e => {
            let known = [200, 204, 206, 304, 400, 404, 500];
            Some(known[usize::from(first - 0x88)])
        }
        // Its name is one of the seven above; its value is spelled out.
        0x08..=0x0e | 0x48..=0x4e => {
            let length = *block.get(start + 1)?;
            let text = block.get(start + 2..start + 2 + usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                std::str::from_utf8(text).ok()?.parse().ok()
            } else {
                digits(text)
            }
        }
        _ => None,
    }
}

/// Three digits in Huffman's code (RFC 7541, appendix B): 0, 1 and 2 have five bits, the others six.
fn digits(text: &[u8]) -> Option<u16> {
    let bits = text
        .iter()
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut left = text.len() * 8;
    let mut number = 0;
    for _ in 0..3 {
        let short = u16::try_from(bits >> left.checked_sub(5)? & 0x1f).ok()?;
        let digit = if short <= 2 {
            left -= 5;
            short
        } else {
            left = left.checked_sub(6)?;
            u16::try_from(bits >> left & 0x3f).ok()?.checked_sub(22)?
        };
        number = number * 10 + digit;
    }
    Some(number)
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Connects from a host; says nothing yet.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(host: &Host, to: IpAddr, port: u16) -> anyhow::Result<Self> {
        let stream = host
            .run(move || TcpStream::connect((to, port)))
            .with_context(|| format!("connect to {to} port {port}"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Connects, and exchanges the settings.
    ///
    /// # Errors
    /// When the other side does not do as a server does.
    pub fn open(host: &Host, to: IpAddr, port: u16) -> anyhow::Result<Self> {
        let mut wire = Self::connect(host, to, port)?;
        wire.send(&[PREFACE, &settings(&[])].concat())?;
        let first = wire.read()?.context("a server's settings come first")?;
        anyhow::ensure!(
            first.kind == kind::SETTINGS && !first.has(flag::ACK),
            "a server's settings come first, not {first:?}"
        );
        wire.send(&frame(kind::SETTINGS, flag::ACK, 0, &[]))?;
        wire.until(|frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK))?;
        Ok(wire)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Resets the connection when it is dropped.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reset(&self) -> io::Result<()> {
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        Ok(setsockopt(&self.stream, Linger, &linger)?)
    }

    /// How long sending may take from now on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn patience(&self, limit: std::time::Duration) -> io::Result<()> {
        self.stream.set_write_timeout(Some(limit))
    }

    /// The next frame; `None` at the end, however it came.
    ///
    /// # Errors
    /// When nothing comes in time, or the connection ends within a frame.
    pub fn read(&mut self) -> anyhow::Result<Option<Frame>> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).context("no frame came"),
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length)?];
        self.stream
            .read_exact(&mut payload)
            .context("a frame breaks off")?;
        Ok(Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff,
            payload,
        }))
    }

    /// Reads up to a frame that is wanted, and gives it.
    ///
    /// # Errors
    /// When none comes; tells what came.
    pub fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> anyhow::Result<Frame> {
        let mut others = Vec::new();
        loop {
            match self.read() {
                Ok(Some(frame)) if wanted(&frame) => return Ok(frame),
                Ok(Some(frame)) => others.push(frame),
                Ok(None) => anyhow::bail!("the connection ended after {others:?}"),
                Err(error) => return Err(error.context(format!("after {others:?}"))),
            }
        }
    }

    /// The bytes that come up to the end, for what is not HTTP/2.
    ///
    /// # Errors
    /// When the end does not come.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
            _ => Ok(rest),
        }
    }
}
