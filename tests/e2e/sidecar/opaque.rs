//! Bytes without a protocol that egret knows, whoever speaks first.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, assert_fields, at, field};

const GREETING: &[u8] = b"220 mail.example ESMTP\r\n";

#[test]
fn the_client_speaks_first() -> anyhow::Result<()> {
    let world = World::new("opaque-client", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let sent = vec![0x07; 300_000];
    assert_eq!(
        exchange(&pod, 7000, sent.clone())?,
        sent,
        "every byte comes back"
    );
    let line = sidecar
        .await_access(|line| field(line, "downstream_local_address") == at(ELSEWHERE.v4(), 7000))?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("PassthroughCluster")),
            ("bytes_sent", json!(300_000)),
            ("bytes_received", json!(300_000)),
            ("response_code", json!(0)),
            ("method", json!(null)),
        ],
    );
    Ok(())
}

#[test]
fn the_server_speaks_first() -> anyhow::Result<()> {
    let world = World::new("opaque-server", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 25, GREETING)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = pod.run(|| -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 25))?;
        let mut answer = vec![0; GREETING.len()];
        stream.read_exact(&mut answer)?;
        stream.write_all(b"EHLO me\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    })?;
    assert_eq!(answer, [GREETING, b"EHLO me\r\n"].concat());
    Ok(())
}

#[test]
fn the_registry_alone_refuses_bytes() -> anyhow::Result<()> {
    let world = World::new("opaque-refused", Family::V4)?;
    let origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = exchange(&pod, 7000, vec![0x07; 10]);
    assert!(
        answer.as_ref().map_or(true, Vec::is_empty),
        "closed without an answer: {answer:?}"
    );
    let line = sidecar
        .await_access(|line| field(line, "downstream_local_address") == at(ELSEWHERE.v4(), 7000))?;
    assert_fields(
        &line,
        &[
            ("upstream_cluster", json!("BlackHoleCluster")),
            ("response_flags", json!("UH")),
        ],
    );
    assert!(origin.connections.is_empty());
    Ok(())
}

fn exchange(pod: &Host, port: u16, sent: Vec<u8>) -> std::io::Result<Vec<u8>> {
    pod.run(move || {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), port))?;
        let mut writer = stream.try_clone()?;
        let writing = std::thread::spawn(move || {
            writer.write_all(&sent)?;
            writer.shutdown(Shutdown::Write)
        });
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let written = writing.join().expect("writing does not panic");
        read.and(written).map(|()| answer)
    })
}
