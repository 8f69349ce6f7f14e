//! `tunnel`: out through a corporate HTTP proxy, by CONNECT.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::origin::at_once;
use egret_tests::origin::text;
use egret_tests::places::Family;
use egret_tests::places::GOOGLE;
use egret_tests::places::Located;
use egret_tests::places::SLEEP;
use egret_tests::places::Site;
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::stage;
use crate::stage::REGISTRY_ONLY;
use crate::stage::field;

const PROXY: Site = Site {
    name: "proxy.corp.example",
    number: 20,
};

const CONFIG: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: proxy}
spec:
  hosts: [proxy.corp.example]
  ports: [{number: 3128, name: tcp, protocol: TCP}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: google}
spec:
  hosts: [www.google.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: google}
spec:
  hosts: [www.google.com]
  tls:
  - match: [{port: 443, sniHosts: [www.google.com]}]
    route:
    - destination: {host: proxy.corp.example, subset: google, port: {number: 3128}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: proxy}
spec:
  host: proxy.corp.example
  subsets:
  - name: google
    trafficPolicy:
      tunnel: {protocol: CONNECT, targetHost: www.google.com, targetPort: 443}
";

/// A CONNECT proxy that consents with `consent` and relays to `target` where it is a 200. Gives what it was asked.
fn corporate_proxy(
    world: &World,
    target: IpAddr,
    consent: &'static str,
) -> anyhow::Result<Ledger<String>> {
    let listener = world.internet.listen(PROXY.v4(), 3128)?;
    let asked = Ledger::default();
    let told = asked.clone();
    // Connects from its own namespace, hence on the host's thread. One call a time is enough here.
    let upstream = match consent.contains(" 200 ") {
        true => Some(
            world
                .internet
                .run(move || TcpStream::connect((target, 443)))?,
        ),
        false => None,
    };
    thread::spawn(move || serve(&listener, &told, consent, upstream));
    Ok(asked)
}

fn serve(
    listener: &TcpListener,
    told: &Ledger<String>,
    consent: &str,
    upstream: Option<TcpStream>,
) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    let (mut client, _) = listener.accept()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    told.push(String::from_utf8_lossy(&head).into_owned());
    client.write_all(consent.as_bytes())?;
    let Some(upstream) = upstream else {
        return Ok(());
    };
    let pump = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            io::copy(&mut from, &mut to)?;
            to.shutdown(Shutdown::Write)
        })
    };
    pump(client.try_clone()?, upstream.try_clone()?);
    pump(upstream, client);
    Ok(())
}

#[test]
fn the_clients_tls_goes_through_the_tunnel() -> anyhow::Result<()> {
    let world = World::new("tunnel-connect", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    let page = at_once(|_| text(StatusCode::OK, "page\n"));
    let origin = world.https(GOOGLE, world.authority.server(&[GOOGLE.name])?, &page)?;
    let asked = corporate_proxy(
        &world,
        GOOGLE.v4(),
        "HTTP/1.1 200 Connection established\r\n\r\n",
    )?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("tunnel.yaml", CONFIG)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_eq!(
        answer.body,
        "page\n",
        "{answer:?}\n{}",
        sidecar.everything()
    );
    assert_eq!(
        asked.all(),
        ["CONNECT www.google.com:443 HTTP/1.1\r\nhost: www.google.com:443\r\n\r\n"]
    );
    assert_eq!(origin.only_request()?.sni.as_deref(), Some(GOOGLE.name));
    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert_eq!(field(&line, "upstream_host"), "198.51.100.20:3128");
    Ok(())
}

#[test]
fn a_proxy_that_refuses_is_told_of() -> anyhow::Result<()> {
    let world = World::new("tunnel-refused", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    let _asked = corporate_proxy(&world, GOOGLE.v4(), "HTTP/1.1 403 Forbidden\r\n\r\n")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("tunnel.yaml", CONFIG)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_ne!(answer.exit, 0, "{answer:?}");
    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert_eq!(field(&line, "response_flags"), "UF", "{line:#}");
    let reason = field(&line, "upstream_transport_failure_reason");
    assert!(reason.contains("the proxy answered 403"), "{line:#}");
    Ok(())
}
