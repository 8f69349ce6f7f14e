//! A new proxy takes the place of an old one while calls are made: none is refused, and none is lost.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::thread::JoinHandle;

use egret_tests::DEADLINE;
use egret_tests::egret::Proxy;
use egret_tests::netns::Host;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::stage;

/// Connections that are kept, and clients that make a new one for each request.
const CLIENTS: usize = 8;

/// What the clients met.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answered: AtomicU64,
    lost: AtomicU64,
}

/// Clients in `pod` that call until the tally says stop.
struct Load {
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(pod: &Host, to: IpAddr) -> anyhow::Result<Self> {
        let tally = Arc::new(Tally::default());
        let shared = Arc::clone(&tally);
        let clients = pod.run(move || -> std::io::Result<_> {
            let clients = (0..CLIENTS).map(|number| {
                let tally = Arc::clone(&shared);
                thread::spawn(move || call(&tally, to, number % 2 == 0))
            });
            Ok(clients.collect())
        })?;
        Ok(Self { tally, clients })
    }

    /// Returns once so many more requests were answered.
    fn await_answers(&self, more: u64) -> anyhow::Result<()> {
        let before = self.tally.answered.load(Ordering::Relaxed);
        stage::until(|| Ok(self.tally.answered.load(Ordering::Relaxed) >= before + more))
    }

    /// How many requests were answered, and how many were not.
    fn finish(self) -> (u64, u64) {
        self.tally.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            assert!(client.join().is_ok(), "a client panicked");
        }
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (read(&self.tally.answered), read(&self.tally.lost))
    }
}

fn call(tally: &Tally, to: IpAddr, keeps: bool) {
    let mut kept = None;
    while !tally.stop.load(Ordering::Relaxed) {
        match exchange(kept.take(), to, keeps) {
            Ok(next) => {
                kept = next;
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                tally.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// One request; gives its connection when another one may follow on it.
fn exchange(
    kept: Option<BufReader<TcpStream>>,
    to: IpAddr,
    keeps: bool,
) -> std::io::Result<Option<BufReader<TcpStream>>> {
    let mut stream = match kept {
        Some(stream) => stream,
        None => BufReader::new(TcpStream::connect((to, 80))?),
    };
    stream.get_ref().set_read_timeout(Some(DEADLINE))?;
    let close = if keeps { "" } else { "connection: close\r\n" };
    let request = format!("GET /quick HTTP/1.1\r\nhost: elsewhere.example\r\n{close}\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut length, mut last, mut line) = (0, !keeps, String::new());
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(line));
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let field = line.trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            Some(("connection", value)) => last |= value == "close",
            Some(_) => {}
            None if field.is_empty() => break,
            None => return Err(std::io::Error::other(line)),
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok((!last).then_some(stream))
}

fn pid(proxy: &Proxy<'_>) -> anyhow::Result<u64> {
    let info = proxy.json("/server_info")?;
    Ok(info["pid"].as_u64().unwrap_or_default())
}

#[test]
fn a_new_proxy_takes_over_without_a_lost_request() -> anyhow::Result<()> {
    let world = World::new("hot-restart", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let folder = world.folder().join("handover");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let path = folder.join("socket").display().to_string();
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let settings = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--hot-restart", &path]);
    let mut proxy = settings.start(&world, &pod)?;
    let load = Load::start(&pod, ELSEWHERE.v4())?;
    load.await_answers(100)?;
    for round in 0..3 {
        let before = pid(&proxy)?;
        let next = settings.start(&world, &pod)?;
        let old = std::mem::replace(&mut proxy, next);
        assert_eq!(old.await_end()?, 0, "round {round}");
        load.await_answers(100)?;
        assert_ne!(pid(&proxy)?, before, "round {round}");
    }
    let (answered, lost) = load.finish();
    assert_eq!(lost, 0, "of {answered}: {}", proxy.everything());
    Ok(())
}

#[test]
fn without_the_flag_a_second_proxy_is_refused() -> anyhow::Result<()> {
    let world = World::new("hot-restart-none", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let settings = stage::sidecar_settings(&world, "default").config(config.path());
    let first = settings.start(&world, &pod)?;
    let second = settings.refused(&world, &pod)?;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.errors.contains("the port is in use"), "{second:?}");
    assert_eq!(first.page("/ready")?.status, 200);
    Ok(())
}
