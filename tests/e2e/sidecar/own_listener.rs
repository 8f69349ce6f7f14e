//! An upstream address that leads back to the proxy is refused before it is dialled: once, with one line of the log.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

use egret_tests::DEADLINE;
use egret_tests::client::{Answer, curl};
use egret_tests::egret::{Proxy, Settings};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{Gateway, ServiceEntry, VirtualService, documents};
use egret_tests::origin::{at_once, httpbin, text};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, assert_fields, field};

/// curl's exit code when a TLS handshake fails.
const TLS_FAILED: i32 = 35;

/// A user whose calls egret-init does not leave alone.
const OTHER_UID: u32 = 2000;

/// A gateway that forwards names below `loop.example` to what they resolve to: HTTP, TLS by its SNI, and bytes.
fn listeners() -> String {
    let hosts = &["*"];
    let listeners = Gateway::egress("egress")
        .server(80, "HTTP", hosts)
        .tls(443, "TLS", hosts, "{mode: PASSTHROUGH}")
        .server(7000, "TCP", hosts);
    let fixed = "fixed.loop.example";
    let bytes = VirtualService::new(fixed)
        .gateways(&["egress"])
        .tcp("{route: [{destination: {host: fixed.loop.example, port: {number: 7000}}}]}");
    let entry = ServiceEntry::new(fixed)
        .port(80, "HTTP")
        .port(7000, "TCP")
        .at([Ipv4Addr::UNSPECIFIED]);
    documents(&[
        &listeners.namespace("istio-system"),
        &bytes.namespace("istio-system"),
        &entry.namespace("istio-system"),
    ])
}

/// A host of the gateway.
fn host(name: &str, rule: &str) -> String {
    let host = format!("{name}.loop.example");
    let entry = ServiceEntry::new(&host)
        .port(80, "HTTP")
        .port(81, "HTTP")
        .port(443, "TLS");
    let by_sni = format!(
        "{{match: [{{port: 443, sniHosts: [{host}]}}], route: [{{destination: {{host: {host}, port: {{number: 443}}}}}}]}}"
    );
    let rules = VirtualService::new(&host)
        .gateways(&["egress"])
        .http(&format!("{{{rule}}}"))
        .tls(&by_sni);
    let objects = documents(&[
        &entry.namespace("istio-system"),
        &rules.namespace("istio-system"),
    ]);
    format!("---\n{objects}")
}

/// The rule of a host that goes to its own name.
fn own(name: &str) -> String {
    host(
        name,
        &format!("route: [{{destination: {{host: {name}.loop.example, port: {{number: 80}}}}}}]"),
    )
}

/// A gateway with these hosts, which is not told its own addresses.
fn gateway<'p>(
    world: &World,
    pod: &'p Host,
    hosts: &[String],
) -> anyhow::Result<(Proxy<'p>, Folder)> {
    let config = stage::registered("gateway.yaml", &(listeners() + &hosts.concat()))?;
    let gateway = Settings::gateway("istio=egressgateway")
        .config(config.path())
        .start(world, pod)?;
    Ok((gateway, config))
}

/// Calls a host by way of the gateway.
fn through(pod: &Host, scheme: &str, host: &str) -> anyhow::Result<Answer> {
    let port = if scheme == "https" { 443 } else { 80 };
    let resolve = format!("{host}:{port}:{}", EGRESS_GATEWAY.v4());
    curl(
        pod,
        &["--resolve", &resolve, &format!("{scheme}://{host}/")],
    )
}

/// The lines of the log that say `value` at `key`.
fn lines(proxy: &Proxy<'_>, key: &str, value: &str) -> Vec<Value> {
    let mut lines = proxy.access_log();
    lines.retain(|line| field(line, key) == value);
    lines
}

#[test]
fn a_gateway_does_not_dial_itself_for_a_name() -> anyhow::Result<()> {
    let world = World::new("own-listener-gateway", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let addresses: [(&str, IpAddr); 5] = [
        ("loop4", Ipv4Addr::LOCALHOST.into()),
        ("loop6", Ipv6Addr::LOCALHOST.into()),
        ("any4", Ipv4Addr::UNSPECIFIED.into()),
        ("own4", EGRESS_GATEWAY.v4()),
        ("own6", EGRESS_GATEWAY.v6()),
    ];
    for (name, address) in addresses {
        world.resolve(&format!("{name}.loop.example"), &[address]);
    }
    let hosts = addresses.map(|(name, _)| own(name));
    let (gateway, _config) = gateway(&world, &gateway_pod, &hosts)?;
    for (name, _) in addresses {
        let host = format!("{name}.loop.example");
        let answer = through(&pod, "http", &host)?;
        assert_eq!(answer.status, 502, "{answer:?}\n{}", gateway.everything());
        assert_eq!(answer.header("x-egret-verdict"), Some("own_listener"));
        let line = gateway.await_access(|line| field(line, "authority") == host)?;
        assert_fields(
            &line,
            &[
                ("response_code", json!(502)),
                ("response_code_details", json!("own_listener")),
                ("upstream_cluster", json!(format!("outbound|80||{host}"))),
                ("upstream_local_address", json!(null)),
            ],
        );
        let answer = through(&pod, "https", &host)?;
        assert_eq!(answer.exit, TLS_FAILED, "{answer:?}");
        let line = gateway.await_access(|line| field(line, "requested_server_name") == host)?;
        assert_fields(&line, &[("response_flags", json!("UH"))]);
        stage::assert_begins(
            &line,
            &[("connection_termination_details", "own_listener: ")],
        );
    }
    let all = gateway.access_log();
    assert_eq!(all.len(), 2 * addresses.len(), "{all:#?}");
    gateway.await_log(&["WARN", "refused to connect", "own_listener"])?;
    Ok(())
}

#[test]
fn a_gateway_does_not_dial_itself_for_an_endpoint() -> anyhow::Result<()> {
    let world = World::new("own-listener-endpoint", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let again = "retries: {attempts: 3, retryOn: '5xx,connect-failure,reset'}, \
         route: [{destination: {host: fixed.loop.example, port: {number: 80}}}]";
    let (gateway, _config) = gateway(&world, &gateway_pod, &[host("again", again)])?;
    let answer = through(&pod, "http", "again.loop.example")?;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(answer.header("x-egret-verdict"), Some("own_listener"));
    gateway.await_access(|line| field(line, "authority") == "again.loop.example")?;

    let told = pod.run(|| -> std::io::Result<usize> {
        let mut stream = TcpStream::connect((EGRESS_GATEWAY.v4(), 7000))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"\0\x01\x02")?;
        // Refused with bytes unread: a reset is an end, too.
        Ok(stream.read(&mut [0]).unwrap_or(0))
    })?;
    assert_eq!(told, 0);
    let bytes = "outbound|7000||fixed.loop.example";
    let line = gateway.await_access(|line| field(line, "upstream_cluster") == bytes)?;
    assert_fields(&line, &[("response_flags", json!("UH"))]);
    let all = gateway.access_log();
    assert_eq!(all.len(), 2, "{all:#?}");
    Ok(())
}

#[test]
fn a_mirror_is_not_sent_back_to_the_gateway() -> anyhow::Result<()> {
    let world = World::new("own-listener-mirror", Family::V4)?;
    let origin = world.http(ELSEWHERE, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    world.resolve("real.loop.example", &[ELSEWHERE.v4()]);
    let mirrored = "route: [{destination: {host: real.loop.example, port: {number: 80}}}], \
         mirrors: [{destination: {host: fixed.loop.example, port: {number: 80}}}]";
    let (gateway, _config) = gateway(&world, &gateway_pod, &[host("real", mirrored)])?;
    let answer = through(&pod, "http", "real.loop.example")?;
    assert_eq!(answer.status, 404, "httpbin has no such page: {answer:?}");
    gateway.await_log(&["refused to connect", "own_listener", "0.0.0.0:80"])?;
    origin.only_request()?;
    gateway.await_access(|line| field(line, "authority") == "real.loop.example")?;
    let all = gateway.access_log();
    assert_eq!(all.len(), 1, "{all:#?}");
    Ok(())
}

#[test]
fn a_gateway_dials_no_loopback_address_of_a_name() -> anyhow::Result<()> {
    let world = World::new("own-listener-loopback", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let page = at_once(|_| text(StatusCode::OK, "secret\n"));
    let here = Ipv4Addr::LOCALHOST.into();
    let secret = world.serve(&gateway_pod, &[here], 81, &page)?;
    world.resolve("inner.loop.example", &[here]);
    let rule = "route: [{destination: {host: inner.loop.example, port: {number: 81}}}]";
    let (gateway, _config) = gateway(&world, &gateway_pod, &[host("inner", rule)])?;
    let answer = through(&pod, "http", "inner.loop.example")?;
    assert_eq!(answer.status, 503, "{answer:?}");
    let line = gateway.await_access(|line| field(line, "authority") == "inner.loop.example")?;
    assert_fields(&line, &[("response_flags", json!("UH"))]);
    assert!(secret.connections.is_empty());
    Ok(())
}

#[test]
fn the_other_addresses_of_a_name_are_dialled() -> anyhow::Result<()> {
    let world = World::new("own-listener-others", Family::V4)?;
    let origin = world.http(ELSEWHERE, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let here = Ipv4Addr::LOCALHOST.into();
    let all = [here, EGRESS_GATEWAY.v4(), ELSEWHERE.v4()];
    world.resolve("both.loop.example", &all);
    let (gateway, _config) = gateway(&world, &gateway_pod, &[own("both")])?;
    for _ in 0..6 {
        let answer = through(&pod, "http", "both.loop.example")?;
        assert_eq!(answer.status, 404, "{answer:?}\n{}", gateway.everything());
    }
    assert_eq!(origin.requests.len(), 6);
    Ok(())
}

/// An egress listener on loopback, whose hosts lead back to it: by name, by address, and by what the client dialled.
fn on_loopback() -> String {
    let entry = |name: &str| ServiceEntry::new(&format!("{name}.loop.example")).port(9080, "HTTP");
    let listener = "apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: dialled}
spec:
  egress:
  - port: {number: 9080, name: http, protocol: HTTP}
    bind: 127.0.0.1
    captureMode: NONE
    hosts: ['./*']
";
    documents(&[
        &entry("name"),
        &entry("fixed").at([Ipv4Addr::LOCALHOST]),
        &entry("none").resolution("NONE"),
        &listener,
    ])
}

#[test]
fn a_sidecar_does_not_dial_its_listener_on_loopback() -> anyhow::Result<()> {
    let world = World::new("own-listener-sidecar", Family::V4)?;
    world.resolve("name.loop.example", &[Ipv4Addr::LOCALHOST.into()]);
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    config.write("on-loopback.yaml", &on_loopback())?;
    let sidecar = Settings::sidecar("default")
        .config(config.path())
        .start(&world, &pod)?;
    for name in ["name", "fixed", "none", "unknown"] {
        let host = format!("{name}.loop.example:9080");
        let header = format!("host: {host}");
        let answer = curl(&pod, &["-H", &header, "http://127.0.0.1:9080/"])?;
        assert_eq!(answer.status, 502, "{answer:?}\n{}", sidecar.everything());
        assert_eq!(answer.header("x-egret-verdict"), Some("own_listener"));
        sidecar.await_access(|line| field(line, "authority") == host)?;
        let lines = lines(&sidecar, "authority", &host);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(field(&lines[0], "response_flags"), "-");
        // What a name resolves to is not known offline.
        if name != "name" {
            let explained = explained(&pod, &world, &config, &host)?;
            assert_eq!(explained["verdict"], "blackhole", "{explained:#}");
            assert_eq!(explained["status"], lines[0]["response_code"]);
            assert_eq!(explained["response_flags"], json!(null));
            let trail = explained["trail"].to_string();
            assert!(trail.contains("own_listener"), "{explained:#}");
        }
    }
    assert_eq!(sidecar.access_log().len(), 4);
    Ok(())
}

/// What `explain` says of the same call.
fn explained(pod: &Host, world: &World, config: &Folder, host: &str) -> anyhow::Result<Value> {
    let config = config.path().display().to_string();
    let call = [
        "explain",
        "--output",
        "json",
        "--config",
        &config,
        "--namespace",
        "default",
        "--to",
        "127.0.0.1:9080",
        "--protocol",
        "http",
        "--host",
        host,
    ];
    let command = pod.command(1000, &world.program("egret-proxy")?, &call);
    let done = egret_tests::process::Process::run(pod, command)?;
    anyhow::ensure!(done.code == 0, "{done:?}");
    Ok(serde_json::from_str(&done.output)?)
}

/// A host behind a DNS name, for HTTP and bytes.
fn registered() -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    entry.port(80, "HTTP").port(7000, "TCP").to_string()
}

#[test]
fn a_sidecar_of_the_wrong_user_does_not_serve_itself() -> anyhow::Result<()> {
    wrong_user(Family::V4)
}

#[test]
fn a_sidecar_of_the_wrong_user_does_not_serve_itself_over_ipv6() -> anyhow::Result<()> {
    wrong_user(Family::V6)
}

fn wrong_user(family: Family) -> anyhow::Result<()> {
    let world = World::new(&format!("own-listener-uid-{family:?}"), family)?;
    let origin = world.http(ELSEWHERE, 80, &httpbin())?;
    let bytes = world.echo(
        &world.internet,
        &[ELSEWHERE.v4(), ELSEWHERE.v6()],
        7000,
        b"hello",
    )?;
    let pod = world.pod(SLEEP, "default")?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let config = stage::registered("elsewhere.yaml", &registered())?;
    let sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .uid(OTHER_UID)
        .start(&world, &pod)?;
    let answer = curl(&pod, &["http://elsewhere.example/get"])?;
    assert_eq!(answer.status, 503, "{answer:?}\n{}", sidecar.everything());
    sidecar.await_access(|line| field(line, "authority") == "elsewhere.example")?;
    sidecar.await_log(&["WARN", "own_listener", "uid 1337", "uid 2000"])?;
    let black_hole = "BlackHoleCluster";
    let line = sidecar.await_access(|line| field(line, "upstream_cluster") == black_hole)?;
    assert_fields(&line, &[("response_flags", json!("UH"))]);
    let details = field(&line, "connection_termination_details");
    for part in ["own_listener", "uid 1337", "uid 2000"] {
        assert!(details.contains(part), "{line:#}");
    }
    let all = sidecar.access_log();
    assert_eq!(all.len(), 2, "the call and what came back of it: {all:#?}");

    let to = ELSEWHERE.address(family);
    let read = pod.run(move || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect((to, 7000))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(stream.read(&mut [0]).unwrap_or(0))
    })?;
    assert_eq!(read, 0);
    let cluster = "outbound|7000||elsewhere.example";
    sidecar.await_access(|line| field(line, "upstream_cluster") == cluster)?;
    let dialled = SocketAddr::new(to, 7000).to_string();
    sidecar.await_access(|line| {
        field(line, "upstream_cluster") == black_hole
            && field(line, "downstream_local_address") == dialled
    })?;
    let all = sidecar.access_log();
    assert_eq!(all.len(), 4, "{all:#?}");
    assert!(origin.connections.is_empty() && bytes.connections.is_empty());
    Ok(())
}

/// The pages of the proxy are no upstream either.
#[test]
fn the_admin_port_is_no_endpoint() -> anyhow::Result<()> {
    let world = World::new("own-listener-admin", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let entry = ServiceEntry::new("admin.example")
        .port_to(80, "HTTP", 15000)
        .at([Ipv4Addr::LOCALHOST]);
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("admin.yaml", &entry.to_string())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let resolve = format!("admin.example:80:{}", ELSEWHERE.v4());
    let answer = curl(
        &pod,
        &["--resolve", &resolve, "http://admin.example/config_dump"],
    )?;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(answer.header("x-egret-verdict"), Some("own_listener"));
    sidecar.await_access(|line| field(line, "authority") == "admin.example")?;
    Ok(())
}
