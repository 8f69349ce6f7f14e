//! Few descriptors: what is too much is refused at once, connections that idle make room, and the pages are there.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use egret_tests::client::curl;
use egret_tests::egret::Proxy;
use egret_tests::netns::Host;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret, scrape};
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::field;

/// A limit that leaves descriptors for some dozen calls.
const FEW: u32 = 256;

/// More connections than that.
const MANY: usize = 300;

const HEALTH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15021);

fn sidecar<'p>(
    world: &World,
    pod: &'p Host,
) -> anyhow::Result<(Proxy<'p>, egret_tests::folder::Folder)> {
    let config = stage::registered_elsewhere()?;
    stage::redirect(world, pod, &egret::INJECTED)?;
    let sidecar = stage::sidecar_settings(world, "default")
        .config(config.path())
        .open_files(FEW)
        .start(world, pod)?;
    Ok((sidecar, config))
}

fn assert_pages_answer(pod: &Host, sidecar: &Proxy<'_>) -> anyhow::Result<()> {
    assert_eq!(sidecar.page("/ready")?.status, 200);
    assert_eq!(sidecar.page("/config_dump")?.status, 200);
    assert_eq!(scrape::get(pod, HEALTH, "/healthz/ready")?.status, 200);
    Ok(())
}

/// A byte stream to a server that greets; `None` when it was refused. Whoever neither greets nor refuses is an error.
fn greeted(pod: &Host) -> anyhow::Result<Option<TcpStream>> {
    pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        match stream.read_exact(&mut [0; 5]) {
            Ok(()) => Ok(Some(stream)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    })
}

#[test]
fn calls_too_many_are_refused_at_once() -> anyhow::Result<()> {
    let world = World::new("descriptors-busy", Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod)?;
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..MANY {
        match greeted(&pod)? {
            Some(stream) => open.push(stream),
            None => refused += 1,
        }
    }
    assert_eq!(open.len() + refused, MANY, "none is lost");
    assert!(
        open.len() >= 32 && refused > 0,
        "{} open, {refused} refused",
        open.len()
    );
    let line = sidecar.await_access(|line| field(line, "response_flags") == "OM")?;
    assert_eq!(
        field(&line, "response_code_details"),
        "overload",
        "{line:#}"
    );
    sidecar.await_log(&["refusing calls", "limit of open files"])?;
    assert_pages_answer(&pod, &sidecar)?;
    drop(open);
    stage::until(|| Ok(greeted(&pod)?.is_some()))
}

/// A request and its answer on a connection that stays open.
fn asked(pod: &Host) -> anyhow::Result<TcpStream> {
    pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n")?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"done\n") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece)?;
            anyhow::ensure!(
                count > 0,
                "ended after {:?}",
                String::from_utf8_lossy(&answer)
            );
            answer.extend_from_slice(&piece[..count]);
        }
        anyhow::ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
        Ok(stream)
    })
}

#[test]
fn clients_that_idle_make_room() -> anyhow::Result<()> {
    let world = World::new("descriptors-idle", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod)?;
    let mut open = Vec::new();
    for number in 0..MANY {
        let stream = asked(&pod);
        open.push(stream.map_err(|error| error.context(format!("connection {number}")))?);
    }
    assert_pages_answer(&pod, &sidecar)?;
    assert_eq!(curl(&pod, &["http://elsewhere.example/"])?.status, 200);
    let mut first = open.remove(0);
    let ended = pod.run(move || first.read(&mut [0]));
    assert_eq!(ended?, 0, "who idled longest was sent away");
    Ok(())
}
