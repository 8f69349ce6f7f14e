//! TLS that a gateway ends, or lets pass by name, seen with curl and OpenSSL.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use egret_tests::DEADLINE;
use egret_tests::certs::NOW;
use egret_tests::client::curl;
use egret_tests::objects::{MeshConfig, ServiceEntry, VirtualService, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{HTTPBIN_ORG, INGRESS_GATEWAY, Located};
use hyper::StatusCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, Stream, SupportedProtocolVersion,
};

use crate::helpers::stage::{field, until};
use crate::helpers::tls_stage::{Stage, TO_ORIGIN, behind, of_gateway};

#[test]
fn the_certificate_and_the_route_table_are_those_of_the_name() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-names")?;
    let [shop, shop_key] = stage.issued(&["shop.example"])?;
    let [wild, wild_key] = stage.issued(&["*.wild.example"])?;
    let servers = of_gateway(
        "HTTPS",
        "[shop.example]",
        &format!("{{mode: SIMPLE, serverCertificate: {shop}, privateKey: {shop_key}}}"),
    ) + &format!(
        "  - port: {{number: 443, name: wild, protocol: HTTPS}}\n    hosts: ['*.wild.example']\n    \
         tls: {{mode: SIMPLE, serverCertificate: {wild}, privateKey: {wild_key}}}\n"
    );
    stage.config.write("gateway.yaml", &servers)?;
    let gateway = stage.start()?;
    for name in ["shop.example", "a.wild.example"] {
        let answer = stage.get(name, &["--http1.1"])?;
        assert_eq!(answer.status_line, "HTTP/1.1 200 OK", "{answer:?}");
        // By ALPN.
        let answer = stage.get(name, &["--http2"])?;
        assert_eq!(answer.status_line.trim(), "HTTP/2 200", "{answer:?}");
    }
    let seen = stage.origin.requests.all();
    let proto = seen[0].headers.get("x-forwarded-proto");
    assert_eq!(proto.map(|value| value.as_bytes()), Some(&b"https"[..]));
    assert_eq!(seen.len(), 4);
    let line = gateway.await_access(|line| field(line, "authority") == "a.wild.example")?;
    assert_eq!(field(&line, "requested_server_name"), "a.wild.example");

    // The name in the hello and the one in the request are looked at apart.
    let other = stage.get("shop.example", &["-H", "host: other.example"])?;
    assert_eq!(other.status, 404, "{other:?}");

    let unknown = stage.get("unknown.example", &[])?;
    assert_eq!((unknown.status, unknown.exit), (0, 35), "{unknown:?}");
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "unknown.example")?;
    assert_eq!(field(&line, "response_flags"), "NR", "{line:#}");
    Ok(())
}

#[test]
fn versions_and_suites_are_those_of_the_server() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-versions")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let files = format!("mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}");
    let suites = "cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384, AES128-SHA]";
    stage.config.write(
        "gateway.yaml",
        &of_gateway("HTTPS", "[shop.example]", &format!("{{{files}, {suites}}}")),
    )?;
    let gateway = stage.start()?;
    gateway.await_log(&["AES128-SHA", "ignored"])?;
    let old = stage.s_client(
        "shop.example",
        &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
    )?;
    assert!(old.errors.contains("alert"), "{old:?}");
    let chosen = stage.s_client("shop.example", &["-tls1_2"])?;
    assert!(
        chosen
            .output
            .contains("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"),
        "{chosen:?}"
    );
    let other = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    let refused = stage.s_client("shop.example", &other)?;
    assert!(refused.errors.contains("handshake failure"), "{refused:?}");
    // Configurable is TLS 1.2 alone.
    let newest = stage.s_client("shop.example", &["-tls1_3"])?;
    assert!(newest.output.contains("New, TLSv1.3"), "{newest:?}");

    let only = |versions: &str| {
        let tls = format!("{{{files}, {versions}}}");
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    only("minProtocolVersion: TLSV1_3")?;
    until(|| {
        let refused = stage.s_client("shop.example", &["-tls1_2"])?;
        Ok(refused.errors.contains("alert"))
    })?;
    assert_eq!(stage.get("shop.example", &[])?.status, 200);
    only("maxProtocolVersion: TLSV1_2")?;
    until(|| {
        let refused = stage.s_client("shop.example", &["-tls1_3"])?;
        Ok(refused.errors.contains("alert"))
    })?;
    assert_eq!(stage.get("shop.example", &[])?.status, 200);
    Ok(())
}

#[test]
fn what_a_server_leaves_unsaid_the_mesh_says() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-defaults")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let files = format!("mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}");
    let server = |more: &str| {
        let tls = format!("{{{files}{more}}}");
        stage
            .config
            .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))
    };
    server("")?;
    stage.config.write(
        "mesh-allow-any.yaml",
        &MeshConfig::new()
            .set("tlsDefaults: {minProtocolVersion: TLSV1_3, ecdhCurves: [P-384]}")
            .to_string(),
    )?;
    let _gateway = stage.start()?;
    let old = stage.s_client("shop.example", &["-tls1_2"])?;
    assert!(old.errors.contains("alert"), "{old:?}");
    let other = stage.s_client("shop.example", &["-groups", "P-256:X25519"])?;
    assert!(other.errors.contains("alert"), "{other:?}");
    let chosen = stage.s_client("shop.example", &["-groups", "P-256:P-384"])?;
    assert!(chosen.output.contains("384 bits"), "{chosen:?}");
    server(", minProtocolVersion: TLSV1_2")?;
    until(|| {
        let old = stage.s_client("shop.example", &["-tls1_2"])?;
        Ok(old.output.contains("Cipher is ECDHE"))
    })?;
    Ok(())
}

#[test]
fn sessions_are_resumed() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-sessions")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    let _gateway = stage.start()?;
    let again = stage.s_client("shop.example", &["-tls1_2", "-reconnect"])?;
    assert_eq!(
        again.output.matches("Reused, TLSv1.2").count(),
        5,
        "{again:?}"
    );
    Ok(())
}

#[test]
fn tls_passes_by_name_and_keeps_the_origins_certificate() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-pass")?;
    let page = at_once(|_| text(StatusCode::OK, "origin's own\n"));
    let pair = stage.world.authority.pair(&["pass.example"], NOW)?;
    let secure = stage.world.https(HTTPBIN_ORG, pair.server(None)?, &page)?;
    let entry = ServiceEntry::new("pass.example").namespace("istio-system");
    let by_sni = VirtualService::new("pass.example")
        .gateways(&["tls"])
        .tls("{match: [{sniHosts: [pass.example]}], route: [{destination: {host: pass.example}}]}");
    stage.config.write(
        "pass.yaml",
        &(of_gateway("TLS", "[pass.example]", "{mode: PASSTHROUGH}")
            + "---\n"
            + &documents(&[
                &entry.port(443, "TLS").at([HTTPBIN_ORG.v4()]),
                &by_sni.namespace("istio-system"),
            ])),
    )?;
    let gateway = stage.start()?;
    let answer = stage.get("pass.example", &[])?;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "origin's own\n"),
        "{answer:?}"
    );
    let seen = secure.only_request()?;
    assert_eq!(
        (seen.sni.as_deref(), seen.peer.ip()),
        (Some("pass.example"), INGRESS_GATEWAY.v4())
    );
    assert_eq!(
        seen.headers.get("x-forwarded-for"),
        None,
        "its bytes are its own"
    );
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "pass.example")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|443||pass.example",
        "{line:#}"
    );
    assert_eq!(stage.get("other.example", &[])?.exit, 35);
    assert_eq!(secure.connections.len(), 1);
    Ok(())
}

#[test]
fn what_is_inside_of_ended_tls_may_be_bytes() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-bytes")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("behind.yaml", &behind(80, "HTTP", |all| all.tcp(TO_ORIGIN)))?;
    stage
        .config
        .write("gateway.yaml", &of_gateway("TLS", "[shop.example]", &tls))?;
    let gateway = stage.start()?;
    let answer = stage.get("shop.example", &[])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-envoy-upstream-service-time"), None);
    let seen = stage.origin.only_request()?;
    assert_eq!(seen.headers.get("x-request-id"), None, "nobody read it");
    let line =
        gateway.await_access(|line| field(line, "requested_server_name") == "shop.example")?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|80||origin.example",
        "{line:#}"
    );
    Ok(())
}

/// The end of what a client says is passed on, and what the server says after it comes back.
#[test]
fn each_direction_of_ended_tls_ends_for_itself() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-ends")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage.config.write(
        "behind.yaml",
        &behind(7000, "TCP", |all| all.tcp(TO_ORIGIN)),
    )?;
    stage
        .config
        .write("gateway.yaml", &of_gateway("TLS", "[shop.example]", &tls))?;
    let listener = stage.world.internet.listen(HTTPBIN_ORG.v4(), 7000)?;
    listener.set_nonblocking(false)?;
    let serving = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        write!(stream, "all {} bytes", heard.len())
    });
    let gateway = stage.start()?;
    let client = client(&stage, &rustls::version::TLS13)?;
    let said = stage.client.run(move || -> anyhow::Result<String> {
        let mut socket = TcpStream::connect((INGRESS_GATEWAY.v4(), 443))?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let mut tls = ClientConnection::new(client, "shop.example".try_into()?)?;
        let mut stream = Stream::new(&mut tls, &mut socket);
        stream.write_all(&[7; 100_000])?;
        stream.conn.send_close_notify();
        stream.flush()?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    })?;
    assert_eq!(said, "all 100000 bytes", "{}", gateway.everything());
    serving.join().expect("serving does not panic")?;
    Ok(())
}

#[test]
fn plain_http_is_sent_to_https() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-redirect")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    let servers = of_gateway("HTTPS", "[shop.example]", &tls)
        + "  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: [shop.example]\n    tls: {httpsRedirect: true}\n";
    stage.config.write("gateway.yaml", &servers)?;
    let _gateway = stage.start()?;
    let address = INGRESS_GATEWAY.v4();
    let (plain, secure) = (
        format!("shop.example:80:{address}"),
        format!("shop.example:443:{address}"),
    );
    let url = "http://shop.example/get?a=1";
    let first = curl(&stage.client, &["--resolve", &plain, url])?;
    assert_eq!(
        (first.status, first.header("location")),
        (301, Some("https://shop.example/get?a=1")),
        "{first:?}"
    );
    let followed = curl(
        &stage.client,
        &[
            "-L",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}\n",
            "--resolve",
            &plain,
            "--resolve",
            &secure,
            "http://shop.example/get",
        ],
    )?;
    assert_eq!(followed.status_line, "200", "{followed:?}");
    Ok(())
}

/// A client that takes up its session again, whichever worker it meets.
#[test]
fn sessions_are_resumed_with_every_version() -> anyhow::Result<()> {
    let stage = Stage::new("gateway-tls-tickets")?;
    let [chain, key] = stage.issued(&["shop.example"])?;
    let tls = format!("{{mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}}}");
    stage
        .config
        .write("gateway.yaml", &of_gateway("HTTPS", "[shop.example]", &tls))?;
    let _gateway = stage.start()?;
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = client(&stage, version)?;
        let mut kinds = Vec::new();
        for _ in 0..5 {
            let client = Arc::clone(&client);
            kinds.push(stage.client.run(move || handshake(client))?);
        }
        let resumed = [Some(HandshakeKind::Resumed); 4];
        assert_eq!(kinds[1..], resumed, "{version:?}: {kinds:?}");
        assert_ne!(kinds[0], resumed[0]);
    }
    Ok(())
}

/// A client that speaks this version, and trusts the world's authority.
fn client(
    stage: &Stage,
    version: &'static SupportedProtocolVersion,
) -> anyhow::Result<Arc<ClientConfig>> {
    let authority = stage.world.authority.pem().as_bytes();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(client))
}

/// Does a handshake and one request; what kind of handshake it was.
fn handshake(client: Arc<ClientConfig>) -> anyhow::Result<Option<HandshakeKind>> {
    let mut socket = TcpStream::connect((INGRESS_GATEWAY.v4(), 443))?;
    let mut tls = ClientConnection::new(client, "shop.example".try_into()?)?;
    let mut stream = Stream::new(&mut tls, &mut socket);
    stream.write_all(b"GET /get HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    Ok(tls.handshake_kind())
}
