//! TLS is let through by the name in its ClientHello, and stays the origin's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::{Answer, at_once, text};
use egret_tests::places::{Family, GOOGLE, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};

/// Google registered, and routed by its names.
const ROUTED: [&str; 3] = [
    REGISTRY_ONLY,
    "google_by_sni/google.yaml",
    "google_by_sni/google-virtual-service.yaml",
];

#[test]
fn the_registered_name_passes_with_the_origins_certificate() -> anyhow::Result<()> {
    let world = World::new("001-sni", Family::V4)?;
    let tls = world.authority.server(&[GOOGLE.name, "other.google.com"])?;
    let origin = world.https(GOOGLE, tls, &page())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&ROUTED)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let answer = curl(&pod, &["-v", "https://www.google.com/"])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "page\n"),
        "{answer:?}"
    );
    assert!(
        answer.errors.contains("CN=egret test authority"),
        "issued by the origin's authority: {answer:?}"
    );
    let seen = origin.only_request()?;
    assert_eq!(
        (seen.sni.as_deref(), seen.peer.ip()),
        (Some(GOOGLE.name), SLEEP.v4())
    );
    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("outbound|443||www.google.com")),
            ("response_flags", json!("-")),
        ],
    );

    let other = format!("other.google.com:443:{}", GOOGLE.v4());
    let refused = curl(&pod, &["--resolve", &other, "https://other.google.com/"])?;
    assert_eq!(
        refused.exit, 35,
        "another name at the same address: {refused:?}"
    );
    assert_eq!(origin.connections.len(), 1);
    let line =
        sidecar.await_access(|line| field(line, "requested_server_name") == "other.google.com")?;
    assert_fields(&line, &[("upstream_cluster", json!("BlackHoleCluster"))]);
    Ok(())
}

#[test]
fn without_a_virtual_service_the_registered_name_is_enough() -> anyhow::Result<()> {
    let world = World::new("001-sni-plain", Family::V4)?;
    let origin = world.https(GOOGLE, world.authority.server(&[GOOGLE.name])?, &page())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "google_by_sni/google.yaml"])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["https://www.google.com/"])?.status, 200);
    assert_eq!(origin.only_request()?.sni.as_deref(), Some(GOOGLE.name));
    Ok(())
}

/// A hello may come byte by byte, and spread over several TLS records; not one byte may be lost.
#[test]
fn a_client_hello_in_pieces_is_read_and_passed_on_whole() -> anyhow::Result<()> {
    let world = World::new("001-sni-pieces", Family::V4)?;
    let origin = world.https(GOOGLE, world.authority.server(&[GOOGLE.name])?, &page())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&ROUTED)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let client = client_trusting(world.authority.pem())?;
    for (record, segment) in [(usize::MAX, 1), (64, usize::MAX), (50, 7)] {
        let client = Arc::clone(&client);
        let answer = pod.run(move || call_in_pieces(client, record, segment))?;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n"),
            "records of {record}, segments of {segment}: {answer:?}"
        );
        assert!(answer.ends_with("page\n"), "{answer:?}");
    }
    assert_eq!(origin.requests.len(), 3);
    Ok(())
}

/// A hello of 50 kB takes several records however it is sent, and every byte of it is passed on.
#[test]
fn a_long_client_hello_is_read_and_passed_on_whole() -> anyhow::Result<()> {
    let world = World::new("001-sni-long", Family::V4)?;
    let origin = world.https(GOOGLE, world.authority.server(&[GOOGLE.name])?, &page())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&ROUTED)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut client = ClientConfig::clone(&*client_trusting(world.authority.pem())?);
    let strange = (0..240u8).map(|number| vec![number; 200]);
    client.alpn_protocols = strange.chain([b"http/1.1".to_vec()]).collect();
    let client = Arc::new(client);
    for segment in [usize::MAX, 100] {
        let client = Arc::clone(&client);
        let answer = pod.run(move || call_in_pieces(client, usize::MAX, segment))?;
        assert!(answer.ends_with("page\n"), "{answer:?}");
    }
    assert_eq!(origin.requests.len(), 2);
    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert!(line["bytes_received"].as_u64() > Some(48_000), "{line:#}");
    Ok(())
}

fn page() -> Answer {
    at_once(|_| text(StatusCode::OK, "page\n"))
}

fn client_trusting(pem: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn call_in_pieces(
    client: Arc<ClientConfig>,
    record: usize,
    segment: usize,
) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect((GOOGLE.v4(), 443))?;
    socket.set_nodelay(true)?;
    let mut tls = ClientConnection::new(client, GOOGLE.name.try_into()?)?;
    let mut hello = Vec::new();
    tls.write_tls(&mut hello)?;
    if record != usize::MAX {
        hello = records(&hello, record);
    }
    for piece in hello.chunks(segment.min(4096)) {
        socket.write_all(piece)?;
    }
    let mut stream = Stream::new(&mut tls, &mut socket);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: www.google.com\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The same handshake message in TLS records of at most `size` bytes.
fn records(hello: &[u8], size: usize) -> Vec<u8> {
    let (header, message) = hello.split_at(5);
    let pieces = message.chunks(size.min(message.len()));
    let record = |piece: &[u8]| {
        let length = u16::try_from(piece.len())
            .expect("a hello is small")
            .to_be_bytes();
        [&header[..3], &length, piece].concat()
    };
    pieces.flat_map(record).collect()
}
