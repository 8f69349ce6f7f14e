//! The PROXY protocol's header, by which a load balancer in front of a gateway names the client.
//!
//! The format is HAProxy's, <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Buf;
use egret_config::address::{ClientAddress, LocalAddress};
use tokio::io::AsyncRead;

use crate::sniff::read::{SNIFFED_MAX, read};
use crate::sniff::rewind::Rewind;

/// The signature of a version 2 header.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, the command, the family and the length of the rest.
const FIXED: usize = 16;
/// The prefix of a version 1 header, and its maximum length.
const LINE: &[u8] = b"PROXY ";
const LINE_MAX: usize = 107;

/// The contents of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The address of the client.
    pub client: ClientAddress,
    /// The address that it was made to.
    pub local: LocalAddress,
}

/// The result for the first bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Header {
    /// More bytes are needed.
    More,
    /// No header, or a broken one.
    Broken(&'static str),
    /// A header with its length in bytes, and its contents if it names a client.
    Whole(usize, Option<Named>),
}

/// Reads the header off a connection, which must begin with one; returns its addresses. The header of a load
/// balancer's own health check has none.
///
/// # Errors
/// Those of reading; `InvalidData` where there is no header, or a broken one.
pub async fn proxy_header<S: AsyncRead + Unpin>(
    stream: &mut Rewind<S>,
) -> io::Result<Option<Named>> {
    loop {
        match parse(stream.sniffed()) {
            Header::Whole(length, named) => {
                stream.parts_mut().1.advance(length);
                return Ok(named);
            }
            Header::Broken(what) => return Err(io::Error::new(io::ErrorKind::InvalidData, what)),
            Header::More if stream.sniffed().len() >= SNIFFED_MAX + FIXED => {
                let what = "a PROXY header that is too long";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            Header::More => {}
        }
        if read(stream).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads the first bytes of a connection. What follows the header does not count.
pub fn parse(bytes: &[u8]) -> Header {
    let begins = |with: &[u8]| {
        let known = bytes.len().min(with.len());
        bytes[..known] == with[..known]
    };
    if begins(SIGNATURE) {
        binary(bytes)
    } else if begins(LINE) {
        line(bytes)
    } else {
        Header::Broken("no PROXY header")
    }
}

fn line(bytes: &[u8]) -> Header {
    let within = &bytes[..bytes.len().min(LINE_MAX)];
    let Some(end) = within.windows(2).position(|two| two == b"\r\n") else {
        return match bytes.len() < LINE_MAX {
            true => Header::More,
            false => Header::Broken("a PROXY header without an end"),
        };
    };
    let named = std::str::from_utf8(&bytes[LINE.len()..end])
        .ok()
        .and_then(named_by_line);
    match named {
        Some(named) => Header::Whole(end + 2, named),
        None => Header::Broken("a PROXY header of version 1 that cannot be read"),
    }
}

/// Family, source, destination and their ports. The outer `None` is what cannot be read.
fn named_by_line(text: &str) -> Option<Option<Named>> {
    let mut parts = text.split(' ');
    let family = parts.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let mut address = || parts.next()?.parse::<IpAddr>().ok();
    let (from, to) = (address()?, address()?);
    let mut port = || parts.next()?.parse::<u16>().ok();
    let (from_port, to_port) = (port()?, port()?);
    let fits = match family {
        "TCP4" => from.is_ipv4() && to.is_ipv4(),
        "TCP6" => from.is_ipv6() && to.is_ipv6(),
        _ => false,
    };
    let named = Named {
        client: ClientAddress(SocketAddr::new(from, from_port)),
        local: LocalAddress(SocketAddr::new(to, to_port)),
    };
    (fits && parts.next().is_none()).then_some(Some(named))
}

fn binary(bytes: &[u8]) -> Header {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else {
        return Header::More;
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let Some(rest) = rest.get(..length) else {
        return Header::More;
    };
    let broken = Header::Broken("a PROXY header of version 2 that cannot be read");
    let named = match (fixed[12], fixed[13]) {
        // LOCAL: the connection is the balancer's own.
        (0x20, _) => None,
        // No family, or Unix sockets: no address to go by.
        (0x21, 0x00 | 0x31) => None,
        (0x21, 0x11) => match ends::<4>(rest) {
            Some(ends) => Some(ends),
            None => return broken,
        },
        (0x21, 0x21) => match ends::<16>(rest) {
            Some(ends) => Some(ends),
            None => return broken,
        },
        _ => return broken,
    };
    Header::Whole(FIXED + length, named)
}

/// Source, destination and their ports, with addresses of `LENGTH` bytes.
fn ends<const LENGTH: usize>(bytes: &[u8]) -> Option<Named>
where
    IpAddr: From<[u8; LENGTH]>,
{
    let (from, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (to, rest) = rest.split_first_chunk::<LENGTH>()?;
    let (from_port, rest) = rest.split_first_chunk::<2>()?;
    let to_port = rest.first_chunk::<2>()?;
    let end = |ip: &[u8; LENGTH], port: &[u8; 2]| {
        SocketAddr::new((*ip).into(), u16::from_be_bytes(*port))
    };
    Some(Named {
        client: ClientAddress(end(from, from_port)),
        local: LocalAddress(end(to, to_port)),
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn whole(length: usize, client: &str, local: &str) -> Header {
        let named = Named {
            client: ClientAddress(client.parse().expect("address")),
            local: LocalAddress(local.parse().expect("address")),
        };
        Header::Whole(length, Some(named))
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend((rest.len() as u16).to_be_bytes());
        header.extend(rest);
        header
    }

    #[test]
    fn lines_of_version_1() {
        for (text, expected) in [
            (
                "PROXY TCP4 10.0.0.1 10.0.0.2 258 80\r\nGET",
                whole(37, "10.0.0.1:258", "10.0.0.2:80"),
            ),
            (
                "PROXY TCP6 fd00::1 fd00::2 1 80\r\n",
                whole(33, "[fd00::1]:1", "[fd00::2]:80"),
            ),
            ("PROXY UNKNOWN\r\n", Header::Whole(15, None)),
            ("PROXY UNKNOWN fd00::1 x\r\n", Header::Whole(25, None)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
            for end in 0..text.find('\n').expect("line") {
                assert_eq!(
                    parse(&text.as_bytes()[..end]),
                    Header::More,
                    "{text:?} {end}"
                );
            }
        }
    }

    #[test]
    fn headers_of_version_2() {
        let v4 = [10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 0, 80];
        let header = version_2(0x21, 0x11, &v4);
        assert_eq!(parse(&header), whole(28, "10.0.0.1:258", "10.0.0.2:80"));
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end]), Header::More, "{end}");
        }
        let more = [&v4[..], &[4, 0, 1, 0]].concat();
        assert_eq!(
            parse(&version_2(0x21, 0x11, &more)),
            whole(32, "10.0.0.1:258", "10.0.0.2:80")
        );
        let mut v6 = [0; 36];
        (v6[0], v6[15], v6[33]) = (0xfd, 1, 7);
        (v6[16], v6[31], v6[35]) = (0xfd, 2, 80);
        assert_eq!(
            parse(&version_2(0x21, 0x21, &v6)),
            whole(52, "[fd00::1]:7", "[fd00::2]:80")
        );
        assert_eq!(parse(&version_2(0x20, 0x00, &[])), Header::Whole(16, None));
        assert_eq!(parse(&version_2(0x21, 0x00, &[1])), Header::Whole(17, None));
    }

    #[test]
    fn other_bytes_are_refused_at_once() {
        let long = format!("PROXY TCP4 {}", "1".repeat(200));
        for bytes in [
            &b"G"[..],
            b"PROXX",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n",
            b"PROXY TCP4 10.0.0.1 fd00::2 1 2\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n",
            b"PROXY TCP4 10.0.0.1 10.0.0.2 1 70000\r\n",
            b"PROXY TCP4 \xff\r\n",
            long.as_bytes(),
            &version_2(0x31, 0x11, &[0; 12]),
            &version_2(0x21, 0x11, &[0; 11]),
            &version_2(0x21, 0x21, &[0; 35]),
            &version_2(0x21, 0x12, &[0; 12]),
        ] {
            assert!(matches!(parse(bytes), Header::Broken(_)), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn later_bytes_stay_in_the_stream() {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nhi")
            .await
            .expect("write");
        drop(near);
        let mut stream = Rewind::new(far);
        let named = proxy_header(&mut stream).await.expect("header");
        assert_eq!(
            named.map(|named| named.client),
            Some(ClientAddress(([10, 0, 0, 1], 1).into()))
        );
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("read");
        assert_eq!(rest, "hi");
        let cut = proxy_header(&mut Rewind::new(&b"PROXY TCP4"[..])).await;
        assert_eq!(
            cut.expect_err("cut off").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
