//! `gatewayTopology.proxyProtocol`: a gateway learns from a PROXY header who the client is, and serves nobody without one.

use std::io::{Read, Write};
use std::net::TcpStream;

use egret_tests::client::curl;
use egret_tests::objects::{Gateway, MeshConfig};
use egret_tests::places::{INGRESS_GATEWAY, Located, SLEEP};
use serde_json::json;

use crate::helpers::stage::{assert_fields, field};
use crate::helpers::tls_stage::Stage;

fn mesh() -> String {
    let mesh = MeshConfig::logged();
    mesh.set("defaultConfig: {gatewayTopology: {proxyProtocol: {}}}")
        .to_string()
}

fn plain() -> String {
    let gateway = Gateway::ingress("tls").namespace("istio-system");
    gateway.server(80, "HTTP", &["*"]).to_string()
}

const REQUEST: &[u8] = b"GET /get HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";

/// What the gateway says to these bytes until it closes.
fn said(stage: &Stage, bytes: &[&[u8]]) -> anyhow::Result<String> {
    let bytes = bytes.concat();
    stage.client.run(move || {
        let mut stream = TcpStream::connect((INGRESS_GATEWAY.v4(), 80))?;
        stream.write_all(&bytes)?;
        let mut said = Vec::new();
        // Bytes that nobody reads may become a reset.
        let _ = stream.read_to_end(&mut said);
        Ok(String::from_utf8_lossy(&said).into_owned())
    })
}

#[test]
fn the_client_is_the_one_that_the_header_names() -> anyhow::Result<()> {
    let stage = Stage::new("proxy-protocol-in-front")?;
    stage.config.write("mesh-allow-any.yaml", &mesh())?;
    stage.config.write("gateway.yaml", &plain())?;
    let gateway = stage.start()?;
    let forwarded = || {
        let last = stage.origin.requests.all().pop();
        let value = last.and_then(|seen| seen.headers.get("x-forwarded-for").cloned());
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };

    let line = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n";
    assert!(said(&stage, &[line, REQUEST])?.starts_with("HTTP/1.1 200"));
    assert_eq!(forwarded().as_deref(), Some("203.0.113.7"));
    let logged = gateway.await_access(|line| field(line, "path") == "/get")?;
    let client = json!("203.0.113.7:4711");
    let dialled = json!("198.51.100.1:80");
    assert_fields(
        &logged,
        &[
            ("downstream_remote_address", client),
            ("downstream_local_address", dialled),
        ],
    );

    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 8, 198, 51, 100, 1, 0x12, 0x67, 0, 80]);
    assert!(said(&stage, &[&header[..], REQUEST])?.starts_with("HTTP/1.1 200"));
    assert_eq!(forwarded().as_deref(), Some("203.0.113.8"));

    // The balancer asks on its own behalf.
    let own = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    assert!(said(&stage, &[own, REQUEST])?.starts_with("HTTP/1.1 200"));
    assert_eq!(forwarded(), Some(SLEEP.v4().to_string()));

    let url = format!("http://{}/get", INGRESS_GATEWAY.v4());
    let answer = curl(&stage.client, &["--haproxy-protocol", &url])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(())
}

#[test]
fn who_does_not_say_is_not_served() -> anyhow::Result<()> {
    let stage = Stage::new("proxy-protocol-missing")?;
    stage.config.write("mesh-allow-any.yaml", &mesh())?;
    stage.config.write("gateway.yaml", &plain())?;
    let gateway = stage.start()?;
    for bytes in [REQUEST, b"PROXY TCP4 nobody 198.51.100.1 4711 80\r\n"] {
        let known = gateway.output.len();
        assert_eq!(said(&stage, &[bytes])?, "");
        let line = gateway.await_access_from(known, |_| true)?;
        assert_fields(&line, &[("response_flags", json!("DPE"))]);
        let why = field(&line, "connection_termination_details");
        assert!(why.contains("PROXY header"), "{line:#}");
    }
    assert!(stage.origin.requests.is_empty());
    Ok(())
}
