//! Servers that speak first, on ports where egret has to look at the bytes: a real MariaDB, and a mail server's greeting.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use egret_tests::client::curl;
use egret_tests::netns::Host;
use egret_tests::origin::httpbin;
use egret_tests::places::ELSEWHERE;
use egret_tests::places::Family;
use egret_tests::places::Located;
use egret_tests::places::SLEEP;
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::stage;

/// How much longer than a direct call a call of a silent client may take.
const MORE: Duration = Duration::from_millis(300);

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

#[test]
fn a_greeting_comes_soon_and_http_on_the_same_port_is_still_read() -> anyhow::Result<()> {
    let world = World::new("server-first-greeting", Family::V4)?;
    let _mail = world.echo(&world.internet, &[ELSEWHERE.v4()], 25, b"220 mail\r\n")?;
    let web = world.http(ELSEWHERE, 3306, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("elsewhere.yaml", AUTO)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let greeted = pod.run(|| {
        let start = Instant::now();
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 25))?;
        let mut greeting = [0; 10];
        stream.read_exact(&mut greeting)?;
        let took = start.elapsed();
        stream.write_all(b"QUIT\r\n")?;
        let mut echo = [0; 6];
        stream.read_exact(&mut echo)?;
        std::io::Result::Ok((greeting, echo, took))
    })?;
    assert_eq!((&greeted.0, &greeted.1), (b"220 mail\r\n", b"QUIT\r\n"));
    assert!(greeted.2 < MORE, "{:?}", greeted.2);
    let answer = curl(&pod, &["http://elsewhere.example:3306/get"])?;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(web.only_request()?.target, "/get");
    Ok(())
}
