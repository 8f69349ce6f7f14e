//! Captured DNS: the sidecar answers for services, so that two databases on one port are told apart by address, and
//! passes the pod's other questions on.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;

use egret_tests::egret::{ADMIN, Proxy};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{ServiceEntry, documents};
use egret_tests::places::{ELSEWHERE, Family, GOOGLE, HTTPBIN_COM, Located, SLEEP};
use egret_tests::process::{Finished, Process};
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret, scrape};
use serde_json::json;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, assert_fields, field};

/// Two services of bytes on one port, without addresses of their own.
fn databases() -> String {
    documents(&[
        &ServiceEntry::new("elsewhere.example").port(9000, "TCP"),
        &ServiceEntry::new("www.google.com").port(9000, "TCP"),
    ])
}

/// Starts a sidecar whose pod's queries are captured.
fn capturing<'p>(world: &World, pod: &'p Host, config: &Folder) -> anyhow::Result<Proxy<'p>> {
    let flags = [&egret::INJECTED[..], &["--redirect-dns"]].concat();
    stage::redirect(world, pod, &flags)?;
    stage::sidecar_settings(world, "default")
        .config(config.path())
        .with(&["--dns-capture"])
        .start(world, pod)
}

/// What the pod's own resolver says to a name, with the resolver options given.
fn resolve(pod: &Host, name: &str, options: &str) -> anyhow::Result<Finished> {
    let mut command = pod.command(1000, Path::new("getent"), &["ahosts", name]);
    command.env("RES_OPTIONS", options);
    Process::run(pod, command)
}

/// The addresses of a name.
fn addresses(pod: &Host, name: &str, options: &str) -> anyhow::Result<Vec<IpAddr>> {
    let said = resolve(pod, name, options)?;
    anyhow::ensure!(said.code == 0, "{name}: {said:?}");
    let mut found: Vec<IpAddr> = said
        .output
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The greeting of whoever answers at an address.
fn greeting(pod: &Host, address: IpAddr) -> std::io::Result<Vec<u8>> {
    pod.run(move || {
        let mut stream = TcpStream::connect((address, 9000))?;
        let mut greeting = vec![0; 6];
        stream.read_exact(&mut greeting)?;
        Ok(greeting)
    })
}

fn two_databases_on_one_port(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("dns-capture-{family:?}"), family)?;
    let first = world.echo(
        &world.internet,
        &[ELSEWHERE.v4(), ELSEWHERE.v6()],
        9000,
        b"first\n",
    )?;
    let second = world.echo(
        &world.internet,
        &[GOOGLE.v4(), GOOGLE.v6()],
        9000,
        b"other\n",
    )?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("databases.yaml", &databases())?;
    let sidecar = capturing(&world, &pod, &config)?;

    for (name, said, cluster) in [
        (
            "elsewhere.example",
            "first\n",
            "outbound|9000||elsewhere.example",
        ),
        ("www.google.com", "other\n", "outbound|9000||www.google.com"),
    ] {
        let found = addresses(&pod, name, "")?;
        assert_eq!(found.len(), 2, "{name}: {found:?}");
        assert!(found[0].to_string().starts_with("240.240."), "{found:?}");
        assert!(found[1].to_string().starts_with("2001:2::"), "{found:?}");
        let address = found[usize::from(family == Family::V6)];
        assert_eq!(greeting(&pod, address)?, said.as_bytes(), "{name}");
        let line = sidecar.await_access(|line| field(line, "upstream_cluster") == cluster)?;
        assert_fields(&line, &[("response_flags", json!("-"))]);
        for domain in ["default.svc.cluster.local", "svc.cluster.local"] {
            let long = format!("{name}.{domain}");
            assert_eq!(
                world.names.questions(&long),
                0,
                "{long}: answered in the pod"
            );
        }
    }
    assert_eq!((first.connections.len(), second.connections.len()), (1, 1));
    Ok(())
}

#[test]
fn two_databases_on_one_port_v4() -> anyhow::Result<()> {
    two_databases_on_one_port(Family::V4)
}

#[test]
fn two_databases_on_one_port_v6() -> anyhow::Result<()> {
    two_databases_on_one_port(Family::V6)
}

#[test]
fn other_names_are_the_name_servers_business() -> anyhow::Result<()> {
    let world = World::new("dns-capture-forwarded", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("databases.yaml", &databases())?;
    let _sidecar = capturing(&world, &pod, &config)?;
    for options in ["ndots:1", "ndots:1 use-vc"] {
        let asked = world.names.questions(HTTPBIN_COM.name);
        assert_eq!(
            addresses(&pod, HTTPBIN_COM.name, options)?,
            [HTTPBIN_COM.v4()],
            "{options}"
        );
        assert!(world.names.questions(HTTPBIN_COM.name) > asked, "{options}");
        let missing = resolve(&pod, "missing.example", options)?;
        assert_eq!(missing.code, 2, "no such name: {missing:?}");
        assert_eq!(addresses(&pod, "elsewhere.example", options)?.len(), 2);
    }
    Ok(())
}

#[test]
fn a_reload_changes_the_answers() -> anyhow::Result<()> {
    let world = World::new("dns-capture-reload", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = capturing(&world, &pod, &config)?;
    assert_eq!(
        addresses(&pod, ELSEWHERE.name, "ndots:1")?,
        [ELSEWHERE.v4()]
    );
    config.write("databases.yaml", &databases())?;
    sidecar.await_page("/names", DEADLINE, |page| page.contains(ELSEWHERE.name))?;
    assert_eq!(addresses(&pod, ELSEWHERE.name, "ndots:1")?.len(), 2);
    Ok(())
}

/// Services whose configuration dump is far larger than the kernel's buffers of a connection.
fn many_services() -> String {
    let mut text = String::new();
    for number in 0..2000 {
        let _ = write!(
            text,
            "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: many-{number}}}
spec:
  hosts: [a-host-with-a-long-name-{number}.of.many.example]
  ports:
  - {{number: 80, name: http, protocol: HTTP}}
  - {{number: 443, name: tls, protocol: TLS}}
  - {{number: 8080, name: http-too, protocol: HTTP}}
  resolution: NONE
"
        );
    }
    text
}

/// Asks for the configuration dump without reading it.
fn unread_dump(pod: &Host) -> anyhow::Result<TcpStream> {
    pod.run(|| {
        let mut stream = TcpStream::connect(ADMIN)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(
            stream,
            "GET /config_dump?format=json HTTP/1.0\r\nhost: {ADMIN}\r\n\r\n"
        )?;
        Ok(stream)
    })
}

#[test]
fn large_pages_hold_up_neither_queries_nor_probes() -> anyhow::Result<()> {
    let world = World::new("dns-capture-pages", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("databases.yaml", &databases())?;
    config.write("many.yaml", &many_services())?;
    let sidecar = capturing(&world, &pod, &config)?;
    let mut dumps = Vec::new();
    for _ in 0..8 {
        dumps.push(unread_dump(&pod)?);
    }
    assert_eq!(addresses(&pod, "elsewhere.example", "ndots:1")?.len(), 2);
    assert_eq!(
        addresses(&pod, HTTPBIN_COM.name, "ndots:1")?,
        [HTTPBIN_COM.v4()]
    );
    let health = SocketAddr::new(ADMIN.ip(), 15021);
    assert_eq!(scrape::get(&pod, health, "/healthz/ready")?.status, 200);
    assert_eq!(sidecar.page("/ready")?.status, 200);
    // All that was answered while pages were still to be made: more are asked for than are made at a time.
    let last = dumps.last().expect("eight");
    last.set_nonblocking(true)?;
    let waits = last.peek(&mut [0]).expect_err("no answer yet").kind();
    assert_eq!(waits, ErrorKind::WouldBlock);
    let mut dump = Vec::new();
    dumps.swap_remove(0).read_to_end(&mut dump)?;
    let dump = String::from_utf8(dump)?;
    assert!(dump.starts_with("HTTP/1.0 200 ") || dump.starts_with("HTTP/1.1 200 "));
    assert!(dump.len() > 4 << 20, "{} bytes", dump.len());
    assert!(dump.trim_end().ends_with('}'), "the page is whole");
    Ok(())
}
