//! The same of a gateway: requests, those inside TLS that ends there, and TLS that passes through.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use egret_config::model::tls::{ClientTls, ClientTlsMode, Hashed, Roots};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use crate::connection;
use crate::connection::ListenerKind;
use crate::http::tests::explained::said;
use crate::http::tests::world::*;
use crate::life::files::FdBudget;
use crate::tls::Alpn;
use crate::tls::originate::{Handshake, Originator};

/// How a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// HTTP to the plaintext port.
    Http,
    /// HTTP inside TLS, to the other port.
    Https,
    /// TLS whose inside nobody on the way understands.
    Tls,
}

/// The first byte of TLS (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Calls, with the word that `explain` has for each, and status, flags, details and cluster of the log's line.
const CALLS: &[(Speaks, &str, &str, &str)] = &[
    (
        Speaks::Http,
        "plain.test/",
        "route",
        "200 - via_upstream outbound|80||a.test",
    ),
    (
        Speaks::Http,
        "plain.test/teapot",
        "direct_response",
        "418 - direct_response -",
    ),
    (
        Speaks::Http,
        "nowhere.test/",
        "not_found",
        "404 NR route_not_found -",
    ),
    (
        Speaks::Https,
        "ended.test/",
        "route",
        "200 - via_upstream outbound|80||a.test",
    ),
    (
        Speaks::Https,
        "ended.test/other",
        "not_found",
        "404 NR route_not_found -",
    ),
    // The SNI chooses the server, and its names do not have the host.
    (
        Speaks::Https,
        "ended.test/ plain.test",
        "not_found",
        "404 NR route_not_found -",
    ),
    (
        Speaks::Tls,
        "passed.test",
        "route",
        "0 - - outbound|443||passed.test",
    ),
    (
        Speaks::Https,
        "nowhere.test/",
        "no_chain",
        "0 NR filter_chain_not_found -",
    ),
];

/// Two servers on these ports, the certificate of the one that ends TLS in `folder`; services at `origin` behind them.
fn objects(plain: u16, tls: u16, origin: std::net::SocketAddr, folder: &Path) -> String {
    let object = |kind: &str, name: &str, spec: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        )
    };
    let at = |name: &str| folder.join(name).display().to_string();
    let files = format!(
        "serverCertificate: {}, privateKey: {}",
        at("certificate.pem"),
        at("key.pem")
    );
    let endpoints = format!(
        "resolution: STATIC, endpoints: [{{address: {}, ports: {{p: {}}}}}]",
        origin.ip(),
        origin.port()
    );
    let to = |host: &str| format!("route: [{{destination: {{host: {host}}}}}]");
    [
        object(
            "Gateway",
            "gateway",
            &format!(
                "{{servers: [
                 {{port: {{number: {plain}, name: http, protocol: HTTP}}, hosts: [plain.test]}},
                 {{port: {{number: {tls}, name: https, protocol: HTTPS}}, hosts: [ended.test], tls: {{mode: SIMPLE, {files}}}}},
                 {{port: {{number: {tls}, name: tls, protocol: TLS}}, hosts: [passed.test], tls: {{mode: PASSTHROUGH}}}}]}}"
            ),
        ),
        service("a", "HTTP", &[origin]),
        object(
            "ServiceEntry",
            "passed",
            &format!("{{hosts: [passed.test], ports: [{{number: 443, name: p, protocol: TLS}}], {endpoints}}}"),
        ),
        object(
            "VirtualService",
            "plain",
            &format!(
                "{{hosts: [plain.test], gateways: [gateway], http: [
                 {{match: [{{uri: {{exact: /teapot}}}}], directResponse: {{status: 418}}}}, {{{}}}]}}",
                to("a.test")
            ),
        ),
        object(
            "VirtualService",
            "ended",
            &format!(
                "{{hosts: [ended.test], gateways: [gateway], http: [{{match: [{{uri: {{exact: /}}}}], {}}}]}}",
                to("a.test")
            ),
        ),
        object(
            "VirtualService",
            "passed",
            &format!(
                "{{hosts: [passed.test], gateways: [gateway], tls: [{{match: [{{sniHosts: [passed.test]}}], {}}}]}}",
                to("passed.test")
            ),
        ),
    ]
    .concat()
}

/// Writes a certificate for `ended.test`, and its key.
fn certify(folder: &Path) {
    let key = KeyPair::generate().expect("key");
    let params = CertificateParams::new(vec!["ended.test".to_owned()]).expect("params");
    let certificate = params.self_signed(&key).expect("certificate");
    fs::write(folder.join("certificate.pem"), certificate.pem()).expect("written");
    fs::write(folder.join("key.pem"), key.serialize_pem()).expect("written");
}

/// Sends a request, and reads what comes until the end. What becomes of it is in the log.
async fn request<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, host: &str, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// Shakes hands for a name, whatever the certificate says, and sends a request inside. `None` for the request where
/// the handshake is all.
async fn request_in_tls(stream: TcpStream, sni: &str, inside: Option<(&str, &str)>) {
    let tls = Hashed::new(ClientTls {
        mode: ClientTlsMode::Simple,
        sni: None,
        subject_alt_names: vec![],
        roots: Roots::System,
        revoked: None,
        skip_verify: true,
        in_mesh: false,
        only_tls13: false,
        suites: vec![],
        curves: vec![],
    });
    let names = Arc::new([]) as Arc<[Arc<str>]>;
    let originator = Originator::new();
    let handshake = Handshake {
        tls: &tls,
        service_names: &names,
        host: Some(sni),
        alpn: Alpn::None,
    };
    let connected = originator.connect(stream, handshake).await;
    if let (Ok((stream, _)), Some((host, path))) = (connected, inside) {
        request(stream, host, path).await;
    }
}

/// `STATUS FLAGS DETAILS CLUSTER` of a line of the log.
fn row(line: &Value) -> String {
    let keys = [
        "response_code",
        "response_flags",
        "response_code_details",
        "upstream_cluster",
    ];
    let words = keys.map(|key| match &line[key] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    words.join(" ")
}

/// What `explain` says of the same, as far as it can be known before anything was dialled.
fn foretold(said: &Value, line: &Value) -> String {
    let or = |key: &str, known: &Value| match (&said[key], known) {
        (Value::Null, Value::String(text)) => text.clone(),
        (Value::Null, _) => "-".to_owned(),
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    };
    let status = match &said["status"] {
        // The upstream answers, or nobody does.
        Value::Null => line["response_code"].to_string(),
        status => status.to_string(),
    };
    let details = match (&said["verdict"], &said["response_code_details"]) {
        (Value::String(verdict), Value::Null) if verdict == "route" => {
            or("response_code_details", &line["response_code_details"])
        }
        _ => or("response_code_details", &Value::Null),
    };
    let flags = or("response_flags", &Value::Null);
    format!("{status} {flags} {details} {}", or("cluster", &Value::Null))
}

#[test]
fn explain_and_a_gateway_agree() {
    worker(|| async {
        let folder = tempfile::tempdir().expect("folder");
        certify(folder.path());
        let (origin, accepted) = origin(|mut stream, _| async move {
            let mut first = [0];
            stream.peek(&mut first).await.expect("a byte");
            if first == [TLS_HANDSHAKE] {
                // No answer; all is read, as unread bytes would make a reset of the end.
                stream.shutdown().await.expect("ended");
                let _ = stream.read_to_end(&mut Vec::new()).await;
                return;
            }
            while message(&mut stream).await.is_some() {
                answer(&mut stream, OK).await;
            }
        })
        .await;
        let plain = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let tls = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = |listener: &TcpListener| listener.local_addr().expect("address").port();
        let yaml = objects(port(&plain), port(&tls), origin, folder.path());
        let world = World::gateway(&yaml);
        for (speaks, call, verdict, expected) in CALLS {
            let (url, other) = call.split_once(' ').unwrap_or((call, ""));
            let (sni, path) = url.split_at(url.find('/').unwrap_or(url.len()));
            let host = if other.is_empty() { sni } else { other };
            let (listener, query) = match speaks {
                Speaks::Http => (&plain, format!("protocol=http&host={host}&path={path}")),
                Speaks::Https => (
                    &tls,
                    format!("protocol=https&host={host}&path={path}&sni={sni}"),
                ),
                Speaks::Tls => (&tls, format!("protocol=tls&sni={sni}")),
            };
            let to = listener.local_addr().expect("address");
            let said = said(&world, &format!("to={to}&{query}"));
            assert_eq!(said["verdict"], *verdict, "{call}: {said}");

            let client = TcpStream::connect(to).await.expect("connected");
            let client = spawn_local(async move {
                match speaks {
                    Speaks::Http => request(client, host, path).await,
                    Speaks::Https => request_in_tls(client, sni, Some((host, path))).await,
                    Speaks::Tls => request_in_tls(client, sni, None).await,
                }
            });
            let (socket, _) = listener.accept().await.expect("accepted");
            let held = FdBudget::new(2).try_hold().expect("room for one");
            let proxy = world.proxy.clone();
            let counters = Default::default();
            connection::serve(socket, ListenerKind::Dialled, proxy, held, counters).await;
            client.await.expect("no panic");

            let line = world.lines().pop().expect("a line");
            assert_eq!(row(&line), *expected, "{call}: {line}");
            assert_eq!(foretold(&said, &line), *expected, "{call}: {said}");
        }
        assert_eq!(world.lines().len(), CALLS.len());
        assert_eq!(accepted.get(), 2, "a connection for each cluster");
    });
}
