//! How byte streams end, and where they go: resets, half-closes, weights, equal clients to equal endpoints.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP, Site};
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Linger;

use crate::helpers::stage;
use crate::helpers::stage::{ALLOW_ANY, REGISTRY_ONLY, elsewhere};

const ONE: Site = Site {
    name: "one",
    number: 20,
};
const OTHER: Site = Site {
    name: "other",
    number: 21,
};

/// Closes a connection with a reset.
fn reset(stream: TcpStream) -> std::io::Result<()> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&stream, Linger, &linger)?;
    drop(stream);
    Ok(())
}

#[test]
fn a_reset_is_passed_on_both_ways() -> anyhow::Result<()> {
    let world = World::new("streams-reset", Family::V4)?;
    let listener = world.internet.listen(ELSEWHERE.v4(), 7000)?;
    listener.set_nonblocking(false)?;
    let ends = Ledger::default();
    let told = ends.clone();
    let serving = thread::spawn(move || -> std::io::Result<()> {
        let (mut first, _) = listener.accept()?;
        first.read_exact(&mut [0; 2])?;
        reset(first)?;
        let (mut second, _) = listener.accept()?;
        second.write_all(b"go")?;
        second.read_exact(&mut [0; 2])?;
        let end = second.read(&mut [0; 1]).map_err(|error| error.kind());
        told.push(end);
        Ok(())
    });
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let end = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.write_all(b"\x07!")?;
        std::io::Result::Ok(stream.read(&mut [0; 1]).map_err(|error| error.kind()))
    })?;
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.write_all(b"\x07!")?;
        stream.read_exact(&mut [0; 2])?;
        reset(stream)
    })?;
    let end = ends.await_one(|_| true)?;
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    serving.join().expect("serving does not panic")?;
    Ok(())
}

#[test]
fn each_direction_ends_for_itself() -> anyhow::Result<()> {
    let world = World::new("streams-half-close", Family::V4)?;
    let listener = world.internet.listen(ELSEWHERE.v4(), 7000)?;
    listener.set_nonblocking(false)?;
    let serving = thread::spawn(move || -> std::io::Result<Vec<u8>> {
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"all of mine")?;
        stream.shutdown(Shutdown::Write)?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        Ok(heard)
    });
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let heard = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 7000))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        // The server has ended its side; ours goes on.
        stream.write_all(b"and then mine")?;
        std::io::Result::Ok(heard)
    })?;
    assert_eq!(heard, "all of mine");
    let server_heard = serving.join().expect("serving does not panic")?;
    assert_eq!(server_heard, b"and then mine");
    Ok(())
}

#[test]
fn weights_share_byte_streams_out() -> anyhow::Result<()> {
    let world = World::new("streams-weights", Family::V4)?;
    let one = world.echo(&world.internet, &[ONE.v4()], 7000, b"1")?;
    let other = world.echo(&world.internet, &[OTHER.v4()], 7000, b"2")?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let entry = |name: &str, address| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{name}.example]\n  addresses: [10.99.0.{}]\n  ports: [{{number: 7000, name: tcp, protocol: TCP}}]\n  resolution: STATIC\n  endpoints: [{{address: {address}}}]\n",
            name.len()
        )
    };
    let route = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one}
spec:
  hosts: [one.example]
  tcp:
  - route:
    - {destination: {host: one.example}, weight: 50}
    - {destination: {host: other.example}, weight: 50}
";
    let text = entry("one", ONE.v4()) + &entry("other", OTHER.v4()) + route;
    config.write("weights.yaml", &text)?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for _ in 0..40 {
        pod.run(|| {
            let mut stream = TcpStream::connect(("10.99.0.3", 7000))?;
            stream.read_exact(&mut [0; 1])
        })?;
    }
    let (one, other) = (one.connections.len(), other.connections.len());
    assert_eq!(one + other, 40);
    // By chance less than once in ten thousand million runs.
    assert!(one > 0 && other > 0, "{one} and {other}");
    Ok(())
}

#[test]
fn equal_requests_go_to_equal_endpoints() -> anyhow::Result<()> {
    let world = World::new("streams-hash", Family::V4)?;
    let page = at_once(|seen| text(StatusCode::OK, &seen.local.ip().to_string()));
    let _one = world.http(ONE, 80, &page)?;
    let _other = world.http(OTHER, 80, &page)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let rule = |hash: &str| {
        let entry = ServiceEntry::new("elsewhere.example").port(80, "HTTP");
        let policy = format!("{{loadBalancer: {{consistentHash: {{{hash}}}}}}}");
        documents(&[
            &entry.at([ONE.v4(), OTHER.v4()]),
            &DestinationRule::new("elsewhere.example", &policy),
        ])
    };
    config.write(
        "hash.yaml",
        &rule("httpHeaderName: x-user, maglev: {tableSize: 65537}"),
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mut all = BTreeSet::new();
    for user in 0..20 {
        let header = format!("x-user: {user}");
        let call = || {
            Ok::<_, anyhow::Error>(curl(&pod, &["-H", &header, "http://elsewhere.example/"])?.body)
        };
        let places = [call()?, call()?, call()?];
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
        all.insert(places[0].clone());
    }
    assert_eq!(all.len(), 2, "both are used");
    drop(sidecar);

    let cookie = "httpCookie: {name: place, path: /, ttl: 60s}";
    config.write("hash.yaml", &rule(cookie))?;
    let _sidecar = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .start(&world, &pod)?;
    for _ in 0..4 {
        let first = curl(&pod, &["http://elsewhere.example/"])?;
        let made = first.header("set-cookie").unwrap_or_default();
        assert!(
            made.starts_with("place=\"") && made.contains("Max-Age=60"),
            "{first:?}"
        );
        let cookie = made.split(';').next().unwrap_or_default();
        for _ in 0..3 {
            let next = curl(&pod, &["-b", cookie, "http://elsewhere.example/"])?;
            assert_eq!((&next.body, next.header("set-cookie")), (&first.body, None));
        }
    }
    Ok(())
}

#[test]
fn equal_queries_and_callers_go_to_equal_endpoints() -> anyhow::Result<()> {
    let world = World::new("streams-hash-query", Family::V4)?;
    let page = at_once(|seen| text(StatusCode::OK, &seen.local.ip().to_string()));
    let _one = world.http(ONE, 80, &page)?;
    let _other = world.http(OTHER, 80, &page)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let rule = |hash: &str| {
        let policy = format!("loadBalancer: {{consistentHash: {{{hash}}}}}");
        elsewhere(&[ONE.v4(), OTHER.v4()], &policy)
    };
    config.write(
        "hash.yaml",
        &rule("httpQueryParameterName: user, ringHash: {minimumRingSize: 4096}"),
    )?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let place = |query: String| {
        let url = format!("http://elsewhere.example/{query}");
        Ok::<_, anyhow::Error>(curl(&pod, &[&url])?.body)
    };
    let mut all = BTreeSet::new();
    for user in 0..20 {
        let first = place(format!("?user={user}"))?;
        for more in ["", "&more", "&user=other"] {
            assert_eq!(place(format!("?user={user}{more}"))?, first, "{user}");
        }
        all.insert(first);
    }
    assert_eq!(all.len(), 2, "both are used");

    config.write("hash.yaml", &rule("useSourceIp: true"))?;
    let one_place = || {
        let places: BTreeSet<_> = (0..20)
            .map(|user| place(format!("?user={user}")))
            .collect::<Result<_, _>>()?;
        Ok(places.len() == 1)
    };
    stage::until(one_place)
}

#[test]
fn a_request_whose_client_has_said_all_is_answered() -> anyhow::Result<()> {
    let world = World::new("streams-said-all", Family::V4)?;
    let listener = world.internet.listen(ELSEWHERE.v4(), 80)?;
    listener.set_nonblocking(false)?;
    let serving = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    });
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[ALLOW_ANY])?;
    config.write("elsewhere.yaml", &elsewhere(&[ELSEWHERE.v4()], ""))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let answer = pod.run(|| {
        let mut stream = TcpStream::connect((ELSEWHERE.v4(), 80))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /all HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    })?;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhi"),
        "{answer}"
    );
    serving.join().expect("serving does not panic")?;
    let line = sidecar.await_access(|line| line["path"] == "/all")?;
    assert_eq!(
        (&line["response_code"], &line["response_flags"]),
        (&200.into(), &"-".into())
    );
    Ok(())
}
