//! Servers that speak first, on ports where egret has to look at the bytes: a real MariaDB, and a mail server's greeting.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::origin::httpbin;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::field;

const OTHER: Site = Site {
    name: "other",
    number: 20,
};

/// How much longer than a direct call a call of a silent client may take.
const MORE: Duration = Duration::from_millis(300);

/// The default time that a silent client is waited for.
const DETECTION: Duration = Duration::from_millis(200);

/// Longer than any refusal takes, and shorter than what clients had to wait for before.
const HANG: Duration = Duration::from_secs(8);

/// The port's protocol is unknown, so HTTP is looked for on it.
const AUTO: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere}
spec:
  hosts: [elsewhere.example]
  ports:
  - {number: 3306, name: any}
  - {number: 25, name: other}
  resolution: DNS
";

/// A MariaDB server on a host, with an empty root password. It ends when this is dropped.
fn mariadb(world: &World, host: &Host) -> anyhow::Result<Process> {
    let data = world.folder().join("mariadb");
    let datadir = format!("--datadir={}", data.display());
    let basics = ["--no-defaults", "--user=root", &datadir];
    let install = [
        &basics[..],
        &["--auth-root-authentication-method=normal", "--skip-test-db"],
    ];
    let command = host.command(0, Path::new("mariadb-install-db"), &install.concat());
    let done = Process::run(host, command).context("mariadb-server-core is needed")?;
    anyhow::ensure!(done.code == 0, "mariadb-install-db: {done:?}");
    let socket = format!("--socket={}", data.join("socket").display());
    let pid = format!("--pid-file={}", data.join("pid").display());
    let bind = format!("--bind-address={}", ELSEWHERE.v4());
    let init = data.join("init.sql");
    std::fs::write(
        &init,
        "CREATE USER me IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO me;\n",
    )?;
    let init = format!("--init-file={}", init.display());
    let serve = [
        &basics[..],
        &[
            &socket,
            &pid,
            &bind,
            &init,
            "--port=3306",
            "--skip-name-resolve",
        ],
    ];
    // Debian keeps it out of the ordinary user's path.
    let command = host.command(0, Path::new("/usr/sbin/mariadbd"), &serve.concat());
    let server = Process::start(host, command, None)?;
    server
        .errors
        .await_one(|line| line.contains("ready for connections"))
        .with_context(|| server.everything())?;
    Ok(server)
}

/// Asks the database for a sum; gives the answer and how long it took.
fn sum(pod: &Host) -> anyhow::Result<(String, Duration)> {
    let host = format!("--host={}", ELSEWHERE.v4());
    let arguments = [
        "--no-defaults",
        &host,
        "--user=me",
        "--password=secret",
        "--skip-ssl",
        "--batch",
        "--skip-column-names",
        "--execute=SELECT 40 + 2",
    ];
    let start = Instant::now();
    let command = pod.command(1000, Path::new("mariadb"), &arguments);
    let done = Process::run(pod, command)?;
    anyhow::ensure!(done.code == 0, "{done:?}");
    Ok((done.output, start.elapsed()))
}

#[test]
fn a_database_answers_as_fast_as_directly() -> anyhow::Result<()> {
    let world = World::new("server-first-mariadb", Family::V4)?;
    let _server = mariadb(&world, &world.internet)?;
    let pod = world.pod(SLEEP, "default")?;
    let (answer, direct) = sum(&pod)?;
    assert_eq!(answer, "42\n");
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let fastest = (0..5).map(|_| sum(&pod)).collect::<Result<Vec<_>, _>>()?;
    assert!(fastest.iter().all(|(answer, _)| answer == "42\n"));
    let fastest = fastest
        .iter()
        .map(|(_, time)| *time)
        .min()
        .context("five")?;
    assert!(fastest < direct + MORE, "{fastest:?}, {direct:?} directly");
    Ok(())
}

/// What a mail server says first, what it says to QUIT, and how long the first took.
fn greeted(pod: &Host) -> anyhow::Result<([u8; 10], [u8; 6], Duration)> {
    let greeted = pod.run(|| {
        let start = Instant::now();
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 25))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut greeting = [0; 10];
        stream.read_exact(&mut greeting)?;
        let took = start.elapsed();
        stream.write_all(b"QUIT\r\n")?;
        let mut echo = [0; 6];
        stream.read_exact(&mut echo)?;
        std::io::Result::Ok((greeting, echo, took))
    })?;
    Ok(greeted)
}

#[test]
fn a_greeting_comes_soon_and_http_on_the_same_port_is_still_read() -> anyhow::Result<()> {
    let world = World::new("server-first-greeting", Family::V4)?;
    let _mail = world.echo(&world.internet, &[ELSEWHERE.v4()], 25, b"220 mail\r\n")?;
    let web = world.http(ELSEWHERE, 3306, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let (_, _, direct) = greeted(&pod)?;
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let (greeting, echo, took) = greeted(&pod)?;
        assert_eq!((&greeting, &echo), (b"220 mail\r\n", b"QUIT\r\n"));
        fastest = fastest.min(took);
    }
    assert!(fastest < direct + MORE, "{fastest:?}, {direct:?} directly");
    let answer = curl(&pod, &["http://elsewhere.example:3306/get"])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(web.only_request()?.target, "/get");
    Ok(())
}

/// As AUTO, with a second host on the port, which only the Host header leads to.
fn two_hosts() -> String {
    let other = AUTO.replace("elsewhere", "other").replace(
        "resolution: DNS",
        "resolution: STATIC\n  endpoints: [{address: 198.51.100.20}]",
    );
    format!("{AUTO}---{other}")
}

/// The client connects, waits until egret has dialled the opaque destination on its account, however long that takes, and
/// only then says what it wants, by `host`.
fn late(pod: &Host, dialled: &Ledger<SocketAddr>, host: &str) -> anyhow::Result<String> {
    let known = dialled.len();
    let mut stream = pod.run(|| TcpStream::connect((ELSEWHERE.v4(), 3306)))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    dialled.await_from(known, |_| true)?;
    write!(
        stream,
        "GET /late HTTP/1.1\r\nhost: {host}:3306\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_client_that_connects_early_and_speaks_late_is_read_all_the_same() -> anyhow::Result<()> {
    let world = World::new("server-first-late", Family::V4)?;
    let web = world.http(ELSEWHERE, 3306, &httpbin())?;
    let other = world.http(OTHER, 3306, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", &two_hosts())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let call = |host: &str| late(&pod, &web.connections, host);
    for (host, origin) in [("elsewhere.example", &web), ("other.example", &other)] {
        let answer = call(host)?;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
        // Only who reads HTTP adds this.
        assert!(answer.contains("x-envoy-upstream-service-time"), "{answer}");
        let seen = origin.requests.await_one(|seen| seen.target == "/late")?;
        assert_eq!(seen.host, format!("{host}:3306"));
    }
    let answer = call("unknown.example")?;
    assert!(
        answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"),
        "{answer}"
    );
    let line = sidecar.await_access(|line| field(line, "authority") == "unknown.example:3306")?;
    assert_eq!(field(&line, "route_name"), "block_all", "{line:#}");
    Ok(())
}

/// nginx closes a connection on which nobody says anything; the client knows nothing of that one.
#[test]
fn a_server_that_tires_of_the_silence_ends_no_connection_of_the_client() -> anyhow::Result<()> {
    let world = World::new("server-first-tired", Family::V4)?;
    let listener = world.internet.listen(ELSEWHERE.v4(), 3306)?;
    listener.set_nonblocking(false)?;
    let dialled = Ledger::default();
    let told = dialled.clone();
    thread::spawn(move || -> std::io::Result<()> {
        let (mut silent, peer) = listener.accept()?;
        silent.shutdown(Shutdown::Write)?;
        // The other side has seen the end when it has closed, too.
        silent.read_to_end(&mut Vec::new())?;
        told.push(peer);
        let (mut stream, peer) = listener.accept()?;
        told.push(peer);
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\npage\n")
    });
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = late(&pod, &dialled, "elsewhere.example")?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("page\n"), "{answer}");
    assert_eq!(dialled.len(), 2);
    Ok(())
}

/// As SSH: both sides say who they are, in any order.
#[test]
fn both_sides_may_speak_first() -> anyhow::Result<()> {
    let world = World::new("server-first-ssh", Family::V4)?;
    let banner: &[u8] = b"SSH-2.0-OpenSSH_9.2\r\n";
    let server = world.echo(&world.internet, &[ELSEWHERE.v4()], 3306, banner)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let own = b"SSH-2.0-paramiko_3\r\n";
    for waits in [true, false] {
        let (first, second) = pod.run(move || {
            let mut stream = TcpStream::connect((ELSEWHERE.v4(), 3306))?;
            stream.set_read_timeout(Some(DEADLINE))?;
            let mut first = vec![0; banner.len()];
            if waits {
                stream.read_exact(&mut first)?;
            }
            stream.write_all(own)?;
            if !waits {
                stream.read_exact(&mut first)?;
            }
            let mut second = vec![0; own.len()];
            stream.read_exact(&mut second)?;
            std::io::Result::Ok((first, second))
        })?;
        assert_eq!((&first[..], &second[..]), (banner, &own[..]), "{waits}");
    }
    assert_eq!(server.connections.len(), 2, "one for each");
    let sent = banner.len() + own.len();
    let line = sidecar.await_access(|line| line["bytes_sent"] == sent)?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|3306||elsewhere.example"
    );
    Ok(())
}

/// Connects to a port that nobody registered, says these words if any, and waits for the end; gives what came.
fn refused(pod: &Host, port: u16, words: &'static [u8]) -> anyhow::Result<usize> {
    let read = pod.run(move || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), port))?;
        stream.set_read_timeout(Some(HANG))?;
        stream.write_all(words)?;
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(0),
            read => read,
        }
    })?;
    Ok(read)
}

#[test]
fn who_waits_for_an_unregistered_server_is_refused_soon() -> anyhow::Result<()> {
    let world = World::new("server-first-unregistered", Family::V4)?;
    let ports = [3306, 25, 143, 110, 21, 4222];
    let mut servers = Vec::new();
    for port in ports {
        servers.push(world.echo(&world.internet, &[ELSEWHERE.v4()], port, b"220 hello\r\n")?);
    }
    let pod = world.pod(SLEEP, "default")?;
    let config = egret_tests::folder::Folder::with(&[stage::REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let line_of = |port: u16| {
        let to = stage::at(ELSEWHERE.v4(), port);
        let line = sidecar.await_access(|line| field(line, "downstream_local_address") == to)?;
        stage::assert_fields(
            &line,
            &[
                ("response_flags", serde_json::json!("UH")),
                ("upstream_cluster", serde_json::json!("BlackHoleCluster")),
            ],
        );
        anyhow::Ok(())
    };
    for port in ports {
        assert_eq!(refused(&pod, port, b"")?, 0);
        line_of(port)?;
    }
    // A word that may become a request line is refused as soon as it pauses.
    assert_eq!(refused(&pod, 2181, b"ruok")?, 0);
    line_of(2181)?;
    // Who leaves first is refused, too: at once, and while its silence is waited for.
    pod.run(|| TcpStream::connect((ELSEWHERE.v4(), 1433)).map(drop))?;
    line_of(1433)?;
    pod.run(|| -> std::io::Result<()> {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 1521))?;
        stream.set_read_timeout(Some(2 * DETECTION))?;
        // Whatever it reads, it leaves after that.
        drop(stream.read(&mut [0]));
        Ok(())
    })?;
    line_of(1521)?;
    assert_eq!(sidecar.access_log().len(), ports.len() + 3);
    assert!(servers.iter().all(|server| server.connections.is_empty()));
    Ok(())
}

/// As ZooKeeper's commands, which have no end of line.
#[test]
fn a_short_word_is_answered_soon_where_http_is_looked_for() -> anyhow::Result<()> {
    let world = World::new("server-first-word", Family::V4)?;
    let server = world.echo(&world.internet, &[ELSEWHERE.v4()], 3306, b"")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let echo = pod.run(|| -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 3306))?;
        stream.set_read_timeout(Some(HANG))?;
        stream.write_all(b"ruok")?;
        let mut echo = [0; 4];
        stream.read_exact(&mut echo)?;
        Ok(echo)
    })?;
    assert_eq!(&echo, b"ruok");
    assert_eq!(server.connections.len(), 1, "dialled once");
    let line = sidecar.await_access(|line| line["bytes_sent"] == 4)?;
    assert_eq!(
        field(&line, "upstream_cluster"),
        "outbound|3306||elsewhere.example"
    );
    Ok(())
}
