use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;

/// A real hello, as rustls sends it: with post-quantum keys it has more than 1,460 bytes.
pub(in crate::sniff) fn hello(name: &str, alpn: &[&str]) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from(name.to_owned()).expect("name");
    let mut connection = ClientConnection::new(config.into(), name).expect("connection");
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).expect("write");
    bytes
}

/// The same handshake in records of this many bytes.
pub(in crate::sniff) fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let records = hello[5..].chunks(size).map(|chunk| {
        let mut record = vec![22, 3, 1];
        record.extend_from_slice(&(chunk.len() as u16).to_be_bytes());
        record.extend_from_slice(chunk);
        record
    });
    records.collect::<Vec<_>>().concat()
}

/// A hello with these extensions and nothing else of interest.
fn with_extensions(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, body) in extensions {
        list.extend_from_slice(&kind.to_be_bytes());
        list.extend_from_slice(&(body.len() as u16).to_be_bytes());
        list.extend_from_slice(body);
    }
    let mut body = vec![3; 34];
    body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
    body.extend_from_slice(&(list.len() as u16).to_be_bytes());
    body.extend_from_slice(&list);
    let mut message = vec![0, 0, 0, 0, 0, 1, 0];
    message.extend_from_slice(&(body.len() as u16).to_be_bytes());
    message.extend_from_slice(&body);
    in_records(&message, RECORD_MAX)
}

fn complete(sni: Option<&str>, alpn: &[&str]) -> Hello {
    Hello::Complete(ClientHello {
        sni: sni.map(Into::into),
        alpn: alpn
            .iter()
            .map(|protocol| protocol.as_bytes().into())
            .collect(),
    })
}

#[test]
fn every_prefix_waits_and_the_whole_is_read() {
    let hello = hello("WWW.Example.com", &["h2", "http/1.1"]);
    assert!(hello.len() > 1460, "{}", hello.len());
    for size in [RECORD_MAX, 1000, 100, 1] {
        let bytes = in_records(&hello, size);
        for end in 0..bytes.len() {
            assert_eq!(
                parse(&bytes[..end]),
                Hello::More,
                "{end} bytes in records of {size}"
            );
        }
        assert_eq!(
            parse(&bytes),
            complete(Some("www.example.com"), &["h2", "http/1.1"])
        );
        let followed = [&bytes[..], b"\x17\x03\x03 early data"].concat();
        assert_eq!(
            parse(&followed),
            complete(Some("www.example.com"), &["h2", "http/1.1"])
        );
    }
}

#[test]
fn without_a_name_there_is_none() {
    assert_eq!(parse(&hello("10.0.0.1", &[])), complete(None, &[]));
    assert_eq!(
        parse(&with_extensions(&[(0x0a0a, &[])])),
        complete(None, &[])
    );
}

#[test]
fn malformed_hellos_differ_from_hellos_without_a_name() {
    let name = b"\0\x08\0\0\x05a.com";
    assert_eq!(
        parse(&with_extensions(&[(0, name)])),
        complete(Some("a.com"), &[])
    );
    for (extensions, reason) in [
        (&[(0, &name[..]), (0, &name[..])][..], "two server names"),
        (
            &[(0, &b"\0\x10\0\0\x05a.com\0\0\x05b.com"[..])],
            "malformed server name",
        ),
        (&[(0, b"\0\x08\0\0\x05a\0com")], "malformed server name"),
        (&[(0, b"\0\x03\0\0\0")], "malformed server name"),
        (&[(0, b"")], "malformed server name"),
        (&[(16, b"\0\x09\x02h2")], "shorter than its length field"),
    ] {
        assert_eq!(
            parse(&with_extensions(extensions)),
            Hello::Malformed(reason),
            "{extensions:?}"
        );
    }
}

#[test]
fn a_broken_record_in_the_middle_is_malformed() {
    let mut bytes = in_records(&hello("a.com", &[]), 100);
    bytes[105] = 23;
    assert_eq!(
        parse(&bytes),
        Hello::Malformed("a record that is no handshake")
    );
}

#[test]
fn a_hello_of_absurd_length_is_not_waited_for() {
    assert_eq!(
        parse(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"),
        Hello::Malformed("longer than any hello")
    );
}

#[test]
fn other_bytes_are_not_tls() {
    for bytes in [
        &b"GET / HTTP/1.1"[..],
        b"\x16\x02",
        b"\x16\x03\x05",
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\0\x05\x02",
        b"\x15\x03\x01\0\x02\x02\x28",
        b"\x80\x2e\x01\x03\x01",
    ] {
        assert_eq!(parse(bytes), Hello::NotTls, "{}", bytes.escape_ascii());
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let hello = hello("www.example.com", &["h2"]);
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let mut bytes = hello.clone();
        for _ in 0..dice.usize(1..8) {
            let at = dice.usize(..bytes.len());
            bytes[at] = dice.u8(..);
        }
        bytes.truncate(dice.usize(..=bytes.len()));
        let answer = parse(&bytes);
        assert_eq!(answer, parse(&bytes));
    }
}
