//! `proxyProtocol`: the upstream learns who called, and whom.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::nginx;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, elsewhere, until};

const UPSTREAM: Site = Site {
    name: "upstream",
    number: 20,
};

/// What an upstream hears of a client that says `hi`, and the client's port.
fn heard(name: &str, version: &str) -> anyhow::Result<(Vec<u8>, u16)> {
    let world = World::new(name, Family::V4)?;
    let _origin = world.echo(&world.internet, &[UPSTREAM.v4()], 7000, b"")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let policy = format!("proxyProtocol: {{version: {version}}}");
    config.write("elsewhere.yaml", &elsewhere(&[UPSTREAM.v4()], &policy))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let (heard, port) = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.write_all(b"hi")?;
        stream.shutdown(Shutdown::Write)?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        std::io::Result::Ok((heard, stream.local_addr()?.port()))
    })?;
    Ok((heard, port))
}

#[test]
fn version_1() -> anyhow::Result<()> {
    let (heard, port) = heard("proxy-protocol-1", "V1")?;
    let (client, to) = (SLEEP.v4(), ELSEWHERE.v4());
    assert_eq!(
        String::from_utf8(heard)?,
        format!("PROXY TCP4 {client} {to} {port} 7000\r\nhi")
    );
    Ok(())
}

#[test]
fn version_2() -> anyhow::Result<()> {
    let (heard, port) = heard("proxy-protocol-2", "V2")?;
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    expected.extend([10, 34, 0, 140, 198, 51, 100, 15]);
    expected.extend(port.to_be_bytes());
    expected.extend(7000u16.to_be_bytes());
    expected.extend(b"hi");
    assert_eq!(heard, expected);
    Ok(())
}

/// Requests of two clients to an nginx that wants to know on whose behalf it is called.
fn requests(name: &str, version: &str) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let server = format!(
        "  server {{ listen {}:80 proxy_protocol;\n  \
         return 200 \"$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr\"; }}",
        UPSTREAM.v4()
    );
    let _nginx = nginx::serve(&world, &server)?;
    let pod = world.pod(SLEEP, "default")?;
    world.resolve("elsewhere.example", &[ELSEWHERE.v4()]);
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let policy =
        |policy: &str| config.write("elsewhere.yaml", &elsewhere(&[UPSTREAM.v4()], policy));
    policy(&format!("proxyProtocol: {{version: {version}}}"))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let url = "http://elsewhere.example/";
    for port in ["40001", "40002"] {
        let local = format!("{port}-{port}");
        let answer = curl(&pod, &["--local-port", &local, url])?;
        let told = format!("{} {port} {}", SLEEP.v4(), ELSEWHERE.v4());
        assert_eq!(answer.body.trim_end(), told, "{answer:?}");
    }
    // It refuses whoever does not say.
    policy("loadBalancer: {simple: RANDOM}")?;
    until(|| Ok(curl(&pod, &[url])?.status >= 500))
}

#[test]
fn requests_of_each_client_with_version_1() -> anyhow::Result<()> {
    requests("proxy-protocol-http-1", "V1")
}

#[test]
fn requests_of_each_client_with_version_2() -> anyhow::Result<()> {
    requests("proxy-protocol-http-2", "V2")
}
