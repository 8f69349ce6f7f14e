//! Reads server name and application protocols from a TLS ClientHello (RFC 8446, RFC 6066, RFC 7301), which may come in
//! any number of TLS records and of reads. Pure: it is called again with all bytes when more are received.

use std::borrow::Cow;
use std::str;

use egret_config::decide::call::ClientHello;

/// Longer hellos are not read. The largest in use, with post-quantum keys and many extensions, have a few KiB.
const HELLO_MAX: usize = 60 << 10;
/// Longest plaintext record (RFC 8446, 5.1).
const RECORD_MAX: usize = 1 << 14;

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const APPLICATION_PROTOCOLS: u16 = 16;
const HOST_NAME: u8 = 0;

/// The result for the first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A whole hello; without a server name it has none.
    Complete(ClientHello),
    /// More bytes are needed.
    More,
    /// Not TLS.
    NotTls,
    /// A malformed hello, with the reason.
    Malformed(&'static str),
}

/// Parses the first bytes of a connection, all that were received so far.
pub fn parse(bytes: &[u8]) -> Hello {
    let message = match handshake(bytes) {
        Handshake::Message(message) => message,
        Handshake::NotTls => return Hello::NotTls,
        Handshake::Malformed(message) => return Hello::Malformed(message),
    };
    let Some((header, body)) = message.split_first_chunk::<4>() else {
        return if message.first().is_none_or(|kind| *kind == CLIENT_HELLO) {
            Hello::More
        } else {
            Hello::NotTls
        };
    };
    let [kind, length @ ..] = *header;
    if kind != CLIENT_HELLO {
        return Hello::NotTls;
    }
    let [high, middle, low] = length;
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > HELLO_MAX {
        return Hello::Malformed("longer than any hello");
    }
    match body.get(..length) {
        None => Hello::More,
        Some(body) => read(&mut Reader(body)).map_or_else(Hello::Malformed, Hello::Complete),
    }
}

/// Whether these bytes, which may still become a hello, begin as one.
pub fn is_begun(bytes: &[u8]) -> bool {
    bytes.first() == Some(&HANDSHAKE_RECORD)
}

/// What the records of the first bytes carry.
enum Handshake<'b> {
    /// A handshake message, as far as it has come.
    Message(Cow<'b, [u8]>),
    /// The first record is no TLS record of a handshake.
    NotTls,
    /// A later record is malformed, for this reason.
    Malformed(&'static str),
}

/// Takes the handshake message out of its records.
fn handshake(bytes: &[u8]) -> Handshake<'_> {
    let mut message = Cow::Borrowed(&[][..]);
    let mut rest = bytes;
    loop {
        let refused = if message.is_empty() {
            Handshake::NotTls
        } else {
            Handshake::Malformed("a record that is no handshake")
        };
        let header = &rest[..rest.len().min(5)];
        let plausible = header
            .iter()
            .zip([HANDSHAKE_RECORD..=HANDSHAKE_RECORD, 3..=3, 0..=4]);
        if !plausible
            .into_iter()
            .all(|(byte, range)| range.contains(byte))
        {
            return refused;
        }
        let &[_, _, _, high, low] = header else {
            return Handshake::Message(message);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 || length > RECORD_MAX {
            return refused;
        }
        let fragment = &rest[5..];
        let have = &fragment[..fragment.len().min(length)];
        if message.is_empty() {
            message = Cow::Borrowed(have);
        } else {
            message.to_mut().extend_from_slice(have);
        }
        if is_whole(&message) || fragment.len() <= length {
            return Handshake::Message(message);
        }
        rest = &fragment[length..];
    }
}

/// Whether no more records are needed. Bytes after a hello (early data) are not parsed, nor bytes after a message that is
/// none.
fn is_whole(message: &[u8]) -> bool {
    match message {
        [kind, ..] if *kind != CLIENT_HELLO => true,
        [_, high, middle, low, body @ ..] => {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            length > HELLO_MAX || body.len() >= length
        }
        _ => false,
    }
}

fn read(hello: &mut Reader<'_>) -> Result<ClientHello, &'static str> {
    let short = "shorter than its length field";
    let _version_and_random = hello.take(2 + 32).ok_or(short)?;
    let _session = hello.vector8().ok_or(short)?;
    let _cipher_suites = hello.vector16().ok_or(short)?;
    let _compression = hello.vector8().ok_or(short)?;
    let mut client_hello = ClientHello::default();
    if hello.0.is_empty() {
        return Ok(client_hello);
    }
    let mut extensions = Reader(hello.vector16().ok_or(short)?);
    if !hello.0.is_empty() {
        return Err("longer than its length field");
    }
    let (mut named, mut offered) = (false, false);
    while !extensions.0.is_empty() {
        let kind = extensions.u16().ok_or(short)?;
        let mut body = Reader(extensions.vector16().ok_or(short)?);
        match kind {
            SERVER_NAME => {
                if named {
                    return Err("two server names");
                }
                named = true;
                client_hello.sni = Some(server_name(&mut body)?.into());
            }
            APPLICATION_PROTOCOLS => {
                if offered {
                    return Err("two lists of application protocols");
                }
                offered = true;
                let mut list = Reader(body.vector16().ok_or(short)?);
                while !list.0.is_empty() {
                    client_hello.alpn.push(list.vector8().ok_or(short)?.into());
                }
            }
            _ => {}
        }
    }
    Ok(client_hello)
}

/// The only host name of the list. With a second one an upstream could use another name than egret.
fn server_name(extension: &mut Reader<'_>) -> Result<String, &'static str> {
    let malformed = "malformed server name";
    let mut list = Reader(extension.vector16().ok_or(malformed)?);
    let kind = list.u8().ok_or(malformed)?;
    let name = list.vector16().ok_or(malformed)?;
    if kind != HOST_NAME || !list.0.is_empty() || !extension.0.is_empty() {
        return Err(malformed);
    }
    let graphic = !name.is_empty() && name.len() <= 255 && name.iter().all(u8::is_ascii_graphic);
    let name = str::from_utf8(name)
        .ok()
        .filter(|_| graphic)
        .ok_or(malformed)?;
    Ok(name.to_ascii_lowercase())
}

/// Takes bytes from the front; `None` when there are too few.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|front| front[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|front| u16::from_be_bytes([front[0], front[1]]))
    }

    fn vector8(&mut self) -> Option<&'b [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    fn vector16(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

#[cfg(test)]
pub(in crate::sniff) mod tests;
