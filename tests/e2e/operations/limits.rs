//! Limits on what clients take together: what is too much is refused, counted and logged; what goes on is served.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use egret_tests::client::curl;
use egret_tests::egret::Proxy;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret};
use hyper::StatusCode;

use crate::helpers::stage;
use crate::helpers::stage::field;

const URL: &str = "http://elsewhere.example/";

fn sidecar<'p>(
    world: &World,
    pod: &'p Host,
    flags: &[&str],
) -> anyhow::Result<(Proxy<'p>, Folder)> {
    let config = stage::registered_elsewhere()?;
    stage::redirect(world, pod, &egret::INJECTED)?;
    let settings = stage::sidecar_settings(world, "default").config(config.path());
    Ok((settings.with(flags).start(world, pod)?, config))
}

/// A byte stream to a server that greets; `None` when it was reset.
fn greeted(pod: &Host) -> anyhow::Result<Option<TcpStream>> {
    pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        match stream.read_exact(&mut [0; 5]) {
            Ok(()) => Ok(Some(stream)),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}

/// How often a limit was in the way.
pub(crate) fn hits(proxy: &Proxy<'_>, limit: &str) -> anyhow::Result<f64> {
    let sample = format!("egret_limit_hits_total{{limit=\"{limit}\"}} ");
    let text = proxy.page("/stats/prometheus")?.body;
    let line = text.lines().find_map(|line| line.strip_prefix(&sample));
    let number = line.ok_or_else(|| anyhow::anyhow!("no sample of {limit}"))?;
    Ok(number.parse()?)
}

/// Has two streams at most, of which this is told apart by the limit's name in metrics and in details.
fn third_is_reset(name: &str, flag: &str, limit: &str, details: &str) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    let _origin = world.echo(&world.internet, &[ELSEWHERE.v4()], 7000, b"hello")?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod, &[flag, "2"])?;
    assert_eq!(hits(&sidecar, limit)?, 0.0, "{limit} from the start");
    let first = greeted(&pod)?;
    let mut second = greeted(&pod)?.ok_or_else(|| anyhow::anyhow!("the second was reset"))?;
    assert!(first.is_some() && greeted(&pod)?.is_none(), "the third");
    let line = sidecar.await_access(|line| field(line, "response_flags") == "OM")?;
    assert_eq!(field(&line, "response_code_details"), details, "{line:#}");
    sidecar.await_log(&["refusing calls", flag])?;
    assert_eq!(hits(&sidecar, limit)?, 1.0, "{limit}");
    second.write_all(b"on")?;
    second.read_exact(&mut [0; 2])?;
    drop(first);
    stage::until(|| Ok(greeted(&pod)?.is_some()))
}

#[test]
fn connections_too_many_are_reset() -> anyhow::Result<()> {
    third_is_reset(
        "client-limits-connections",
        "--max-connections",
        "downstream_connections",
        "overload{connections}",
    )
}

#[test]
fn connections_of_one_source_too_many_are_reset() -> anyhow::Result<()> {
    third_is_reset(
        "client-limits-source",
        "--max-connections-per-source",
        "connections_per_source",
        "overload{connections_of_source}",
    )
}

/// A request whose body does not come.
fn unfinished(pod: &Host) -> anyhow::Result<TcpStream> {
    pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
        stream.write_all(
            b"POST / HTTP/1.1\r\nhost: elsewhere.example\r\ncontent-length: 9\r\n\r\nbody",
        )?;
        Ok(stream)
    })
}

#[test]
fn requests_too_many_are_answered_503() -> anyhow::Result<()> {
    let world = World::new("client-limits-requests", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done")))?;
    let pod = world.pod(SLEEP, "default")?;
    let (sidecar, _config) = sidecar(&world, &pod, &["--max-requests", "2"])?;
    let mut open = vec![unfinished(&pod)?, unfinished(&pod)?];
    stage::until(|| Ok(curl(&pod, &[URL])?.status == 503))?;
    let refused = curl(&pod, &["--http2-prior-knowledge", URL])?;
    assert_eq!(refused.status, 503, "{refused:?}");
    let line = sidecar.await_access(|line| field(line, "response_flags") == "OM")?;
    assert_eq!(
        field(&line, "response_code_details"),
        "overload{requests}",
        "{line:#}"
    );
    sidecar.await_log(&["refusing calls", "--max-requests"])?;
    assert!(hits(&sidecar, "requests_in_flight")? >= 2.0);
    let mut first = open.remove(0);
    first.set_read_timeout(Some(DEADLINE))?;
    first.write_all(b" ends")?;
    let mut answer = [0; 12];
    first.read_exact(&mut answer)?;
    assert_eq!(&answer, b"HTTP/1.1 200", "what was begun is served");
    stage::until(|| Ok(curl(&pod, &[URL])?.status == 200))
}
