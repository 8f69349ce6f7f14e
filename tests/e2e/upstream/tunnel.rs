//! `tunnel`: out through a corporate HTTP proxy, by CONNECT.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::{io, thread};

use egret_tests::client::curl;
use egret_tests::ledger::Ledger;
use egret_tests::objects::{ServiceEntry, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{Family, GOOGLE, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::helpers::stage;
use crate::helpers::stage::field;

const PROXY: Site = Site {
    name: "proxy.corp.example",
    number: 20,
};

/// The corporate proxy, and the service that is called through it.
fn entries(proxy: &str, host: &str, port: u16, protocol: &str) -> String {
    documents(&[
        &ServiceEntry::new(PROXY.name).port(3128, proxy),
        &ServiceEntry::new(host).port(port, protocol),
    ])
}

fn config() -> String {
    entries("TCP", GOOGLE.name, 443, "TLS") + BY_CONNECT
}

const BY_CONNECT: &str = "---
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

/// Reads to the end of a head.
fn head(from: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn serve(
    listener: &TcpListener,
    told: &Ledger<String>,
    consent: &str,
    upstream: Option<TcpStream>,
) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    let (mut client, _) = listener.accept()?;
    told.push(head(&mut client)?);
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
    let config = stage::registered("tunnel.yaml", &config())?;
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

/// Reads one chunk of a POST's body; empty for the last.
fn chunk(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = String::new();
    while !line.ends_with("\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        line.push(char::from(byte[0]));
    }
    let size = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
    let mut data = vec![0; size + 2];
    from.read_exact(&mut data)?;
    data.truncate(size);
    Ok(data)
}

/// A proxy that takes the body of one POST to `upstream`, and answers with what comes from there, in chunks too.
fn post_proxy(world: &World, upstream: IpAddr) -> anyhow::Result<Ledger<String>> {
    let listener = world.internet.listen(PROXY.v4(), 3128)?;
    let asked = Ledger::default();
    let told = asked.clone();
    let mut upstream = world
        .internet
        .run(move || TcpStream::connect((upstream, 443)))?;
    thread::spawn(move || {
        listener.set_nonblocking(false)?;
        let (mut client, _) = listener.accept()?;
        told.push(head(&mut client)?);
        client.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let (mut answers, mut back) = (upstream.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let mut data = [0; 1000];
            loop {
                let count = answers.read(&mut data)?;
                write!(back, "{count:x}\r\n")?;
                back.write_all(&data[..count])?;
                back.write_all(b"\r\n")?;
                if count == 0 {
                    return io::Result::Ok(());
                }
            }
        });
        loop {
            let data = chunk(&mut client)?;
            if data.is_empty() {
                return upstream.shutdown(Shutdown::Write);
            }
            upstream.write_all(&data)?;
        }
    });
    Ok(asked)
}

#[test]
fn a_post_carries_the_clients_tls() -> anyhow::Result<()> {
    let world = World::new("tunnel-post", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    let large = "x".repeat(300_000);
    let page = at_once(move |_| text(StatusCode::OK, &large));
    let origin = world.https(GOOGLE, world.authority.server(&[GOOGLE.name])?, &page)?;
    let asked = post_proxy(&world, GOOGLE.v4())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered(
        "tunnel.yaml",
        &config().replace("protocol: CONNECT", "protocol: POST"),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let body = "y".repeat(100_000);
    let answer = curl(&pod, &["-d", &body, "https://www.google.com/"])?;
    assert_eq!(
        (answer.exit, answer.status),
        (0, 200),
        "{}",
        sidecar.everything()
    );
    assert_eq!(answer.body.trim_end().len(), 300_000);
    assert_eq!(origin.only_request()?.body.len(), 100_000);
    assert_eq!(
        asked.all(),
        ["POST / HTTP/1.1\r\nhost: www.google.com:443\r\ntransfer-encoding: chunked\r\n\r\n"]
    );
    Ok(())
}

/// Requests to `shop.example` go out through a proxy that speaks TLS.
fn tls_config() -> String {
    entries("HTTP", "shop.example", 80, "HTTP") + BY_TLS
}

const BY_TLS: &str = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  http:
  - route:
    - destination: {host: proxy.corp.example, subset: shop, port: {number: 3128}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: proxy}
spec:
  host: proxy.corp.example
  subsets:
  - name: shop
    trafficPolicy:
      tls: {mode: SIMPLE, sni: proxy.corp.example}
      tunnel: {protocol: CONNECT, targetHost: shop.example, targetPort: 80}
";

/// A proxy that speaks TLS, and itself answers what comes through the tunnel. Gives the heads it read.
fn https_proxy(world: &World, tls: Arc<ServerConfig>) -> anyhow::Result<Ledger<String>> {
    let listener = world.internet.listen(PROXY.v4(), 3128)?;
    let heads = Ledger::default();
    let told = heads.clone();
    thread::spawn(move || {
        listener.set_nonblocking(false)?;
        loop {
            let (socket, _) = listener.accept()?;
            let session = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(session, socket);
            // A client that does not trust us leaves here.
            let Ok(asked) = head(&mut stream) else {
                continue;
            };
            told.push(asked);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            told.push(head(&mut stream)?);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\npage\n")?;
            stream.flush()?;
        }
        #[expect(unreachable_code, reason = "says what the thread's errors are")]
        io::Result::Ok(())
    });
    Ok(heads)
}

#[test]
fn requests_go_through_a_proxy_that_speaks_tls() -> anyhow::Result<()> {
    let world = World::new("tunnel-https-proxy", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    world.resolve("shop.example", &[GOOGLE.v4()]);
    let heads = https_proxy(&world, world.authority.server(&[PROXY.name])?)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("tunnel.yaml", &tls_config())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["http://shop.example/a"])?;
    assert_eq!(
        answer.body,
        "page\n",
        "{answer:?}\n{}",
        sidecar.everything()
    );
    let heads = heads.all();
    assert_eq!(
        heads[0],
        "CONNECT shop.example:80 HTTP/1.1\r\nhost: shop.example:80\r\n\r\n"
    );
    assert!(heads[1].starts_with("GET /a HTTP/1.1\r\n"), "{heads:?}");
    Ok(())
}

#[test]
fn a_proxy_with_a_wrong_certificate_is_asked_nothing() -> anyhow::Result<()> {
    let world = World::new("tunnel-wrong-proxy", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    world.resolve("shop.example", &[GOOGLE.v4()]);
    let heads = https_proxy(&world, world.authority.server(&["other.corp.example"])?)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("tunnel.yaml", &tls_config())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://shop.example/a"])?.status, 503);
    let line = sidecar.await_access(|line| line["response_code"] == 503)?;
    let why = field(&line, "upstream_transport_failure_reason");
    assert!(why.contains("expected `proxy.corp.example`"), "{line:#}");
    assert!(heads.is_empty(), "{:?}", heads.all());
    Ok(())
}

#[test]
fn a_proxy_that_refuses_is_told_of() -> anyhow::Result<()> {
    let world = World::new("tunnel-refused", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    let _asked = corporate_proxy(&world, GOOGLE.v4(), "HTTP/1.1 403 Forbidden\r\n\r\n")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("tunnel.yaml", &config())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_ne!(answer.exit, 0, "{answer:?}");
    let line = sidecar.await_access(|line| field(line, "requested_server_name") == GOOGLE.name)?;
    assert_eq!(field(&line, "response_flags"), "UF,URX", "{line:#}");
    let reason = field(&line, "upstream_transport_failure_reason");
    assert!(reason.contains("the proxy answered 403"), "{line:#}");
    Ok(())
}

/// Whatever else a proxy says, or does not say, the call fails and the log tells why; nothing hangs.
#[test]
fn proxies_that_do_not_consent() -> anyhow::Result<()> {
    let world = World::new("tunnel-unwilling", Family::V4)?;
    world.resolve(PROXY.name, &[PROXY.v4()]);
    let listener = world.internet.listen(PROXY.v4(), 3128)?;
    let answers: [(&[u8], &str); 5] = [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"", "the proxy closed the connection"),
        (b"220 mail.example\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200", "the proxy closed the connection"),
    ];
    thread::spawn(move || -> io::Result<()> {
        listener.set_nonblocking(false)?;
        for (answer, _) in answers {
            let (mut client, _) = listener.accept()?;
            head(&mut client)?;
            client.write_all(answer)?;
        }
        Ok(())
    });
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("tunnel.yaml", &config())?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (answer, words) in answers {
        let known = sidecar.output.len();
        let call = curl(&pod, &["https://www.google.com/"])?;
        assert_ne!(call.exit, 0, "{answer:?}: {call:?}");
        let line = sidecar.await_access_from(known, |_| true)?;
        let why = field(&line, "upstream_transport_failure_reason");
        assert!(why.contains(words), "{answer:?}: {line:#}");
        assert_eq!(field(&line, "response_flags"), "UF,URX", "{line:#}");
    }
    Ok(())
}
