//! What HTTP/1 and HTTP/2 say differently, said in the other's way: bodies without a length, trailers, cookies, and
//! interim answers; and to a mirror the same.

mod peers;

use std::io::{BufReader, Write};
use std::net::TcpStream;

use anyhow::Context;
use egret_tests::DEADLINE;
use egret_tests::client::curl;
use egret_tests::netns::Host;
use egret_tests::objects::ServiceEntry;
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use tokio::runtime::Runtime;

use crate::helpers::stage;
use crate::http::conversion::peers::{ask_http2, http1, http2, message, trailer};

/// The same site in HTTP/1 on port 80, and in HTTP/2 on port 8080.
fn config() -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    entry.port(80, "HTTP").port(8080, "HTTP2").to_string()
}

fn staged(
    name: &str,
    more: &str,
    test: impl FnOnce(&World, &Runtime, &Host) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let world = World::new(name, Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered("conversion.yaml", &(config() + more))?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    test(&world, &runtime, &pod)
}

#[test]
fn http2_to_http1_and_back() -> anyhow::Result<()> {
    staged("conversion-down", "", |world, runtime, pod| {
        let answer = "HTTP/1.1 103 Early Hints\r\nlink: </style>\r\n\r\n\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
            3\r\nans\r\n3\r\nwer\r\n0\r\nx-sum: 6\r\n\r\n";
        let requests = http1(world.internet.listen(ELSEWHERE.v4(), 80)?, answer)?;
        runtime.block_on(async {
            let cookies = [("cookie", "a=1"), ("cookie", "b=2"), ("trailer", "x-mine")];
            let asked = ask_http2(pod, 80, &cookies, &["one", "two"], Some(("x-mine", "7")));
            let got = tokio::time::timeout(DEADLINE, asked).await??;
            assert_eq!((got.status, &*got.body), (200, "answer"));
            assert_eq!(got.trailers, trailer("x-sum", "6"));
            assert_eq!(got.interim, [103]);
            // Nobody needs a word beforehand.
            let asked = ask_http2(pod, 80, &[], &["one"], Some(("x-mine", "7")));
            assert_eq!(tokio::time::timeout(DEADLINE, asked).await??.status, 200);
            let asked = ask_http2(pod, 80, &[("content-length", "3")], &["one"], None);
            assert_eq!(tokio::time::timeout(DEADLINE, asked).await??.status, 200);
            // A client that could wait for a word before its body, and does not, gets its answer, too.
            let asked = ask_http2(pod, 80, &[("expect", "100-continue")], &["one"], None);
            assert_eq!(tokio::time::timeout(DEADLINE, asked).await??.status, 200);
            anyhow::Ok(())
        })?;
        let all = requests.all();
        assert_eq!(all.len(), 4);
        assert_eq!(all[0].header(""), Some("PUT /thing HTTP/1.1"));
        assert_eq!(all[0].header("host"), Some("elsewhere.example"));
        assert_eq!(all[0].header("transfer-encoding"), Some("chunked"));
        assert_eq!(all[0].header("cookie"), Some("a=1; b=2"));
        assert_eq!(
            (&*all[0].body, &all[0].trailers),
            ("onetwo", &trailer("x-mine", "7"))
        );
        assert_eq!(
            (&*all[1].body, &all[1].trailers),
            ("one", &trailer("x-mine", "7"))
        );
        assert_eq!(all[2].header("content-length"), Some("3"));
        assert_eq!(all[2].header("transfer-encoding"), None);
        assert_eq!((&*all[2].body, &*all[3].body), ("one", "one"));
        Ok(())
    })
}

#[test]
fn http1_to_http2_and_back() -> anyhow::Result<()> {
    staged("conversion-up", "", |world, runtime, pod| {
        let requests = http2(runtime, world.internet.listen(ELSEWHERE.v4(), 8080)?)?;
        let mut stream = pod.run(|| TcpStream::connect((ELSEWHERE.v4(), 8080)))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        stream.write_all(
            b"PUT /thing HTTP/1.1\r\nHost: elsewhere.example\r\nTE: trailers\r\nConnection: TE\r\n\
              Trailer: x-mine\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\none\r\n3\r\ntwo\r\n0\r\nx-mine: 7\r\n\r\n",
        )?;
        let hints = message(&mut reader).context("a hint")?;
        assert_eq!(hints.header(""), Some("HTTP/1.1 103 Early Hints"));
        let got = message(&mut reader).context("with trailers")?;
        assert_eq!(got.header(""), Some("HTTP/1.1 200 OK"));
        assert_eq!(got.header("transfer-encoding"), Some("chunked"));
        assert_eq!(
            (&*got.body, &got.trailers),
            ("answer", &trailer("x-sum", "6"))
        );
        // On the same connection, from a client that says nothing of trailers.
        stream.write_all(b"GET /thing HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")?;
        let hints = message(&mut reader).context("a hint")?;
        assert_eq!(hints.header(""), Some("HTTP/1.1 103 Early Hints"));
        let got = message(&mut reader).context("without a word of trailers")?;
        assert_eq!(
            (&*got.body, &got.trailers),
            ("answer", &trailer("x-sum", "6"))
        );
        // One that waits for a word before its body gets it, from us where the upstream says nothing.
        stream.write_all(
            b"PUT /thing HTTP/1.1\r\nHost: elsewhere.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        )?;
        let word = message(&mut reader).context("a word to go on")?;
        assert_eq!(word.header(""), Some("HTTP/1.1 100 Continue"));
        stream.write_all(b"one")?;
        let hints = message(&mut reader).context("a hint")?;
        assert_eq!(hints.header(""), Some("HTTP/1.1 103 Early Hints"));
        let got = message(&mut reader).context("after the word")?;
        assert_eq!(
            (got.header(""), &*got.body),
            (Some("HTTP/1.1 200 OK"), "answer")
        );

        let all = requests.all();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].header("te"), Some("trailers"));
        for hop in ["connection", "transfer-encoding", "host", "keep-alive"] {
            assert_eq!(all[0].header(hop), None);
        }
        assert_eq!(
            (&*all[0].body, &all[0].trailers),
            ("onetwo", &trailer("x-mine", "7"))
        );
        assert_eq!(all[2].body, "one");
        Ok(())
    })
}

#[test]
fn trailers_pass_within_each_version() -> anyhow::Result<()> {
    staged("conversion-none", "", |world, runtime, pod| {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
            6\r\nanswer\r\n0\r\nx-sum: 6\r\nx-other: 1\r\nset-cookie: a=b\r\n\r\n";
        let first = http1(world.internet.listen(ELSEWHERE.v4(), 80)?, answer)?;
        let mut stream = pod.run(|| TcpStream::connect((ELSEWHERE.v4(), 80)))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(
            b"PUT /thing HTTP/1.1\r\nHost: elsewhere.example\r\nTE: trailers\r\nConnection: TE\r\n\
              Trailer: x-mine\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-mine: 7\r\n\r\n",
        )?;
        let got = message(&mut BufReader::new(stream))?;
        // What was not announced comes, what no trailer may be does not.
        let both = [trailer("x-sum", "6"), trailer("x-other", "1")].concat();
        assert_eq!((&*got.body, &got.trailers), ("answer", &both));
        assert_eq!(first.all()[0].trailers, trailer("x-mine", "7"));
        let url = format!("http://{}/thing", ELSEWHERE.v4());
        let named = ["-H", "Host: elsewhere.example", &url];
        for version in ["--http1.1", "--http2-prior-knowledge", "--http1.0"] {
            let got = curl(pod, &[&[version][..], &named].concat())?;
            // curl writes trailers behind the body.
            let end = if version == "--http1.0" {
                "answer"
            } else {
                "answerx-sum: 6\nx-other: 1"
            };
            assert_eq!((got.status, got.exit, got.body.trim_end()), (200, 0, end));
        }

        let second = http2(runtime, world.internet.listen(ELSEWHERE.v4(), 8080)?)?;
        let got = runtime.block_on(async {
            let asked = ask_http2(pod, 8080, &[], &["one", "two"], Some(("x-mine", "7")));
            tokio::time::timeout(DEADLINE, asked).await?
        })?;
        assert_eq!((got.status, &*got.body), (200, "answer"));
        assert_eq!(
            (got.interim, got.trailers),
            (vec![103], trailer("x-sum", "6"))
        );
        assert_eq!(
            (&*second.all()[0].body, &second.all()[0].trailers),
            ("onetwo", &trailer("x-mine", "7"))
        );
        Ok(())
    })
}

#[test]
fn a_mirror_gets_the_same_in_its_own_version() -> anyhow::Result<()> {
    let route = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: elsewhere}
spec:
  hosts: [elsewhere.example]
  http:
  - match: [{port: 8080}]
    route: [{destination: {host: elsewhere.example, port: {number: 8080}}}]
    mirror: {host: elsewhere.example, port: {number: 80}}
";
    staged("conversion-mirror", route, |world, runtime, pod| {
        let origin = http2(runtime, world.internet.listen(ELSEWHERE.v4(), 8080)?)?;
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let mirror = http1(world.internet.listen(ELSEWHERE.v4(), 80)?, answer)?;
        // More than is kept of a body: the origin has it, the mirror hears nothing of it.
        let large: [&'static str; 2] = ["x".repeat(1 << 20).leak(), "x"];
        runtime.block_on(async {
            let asked = ask_http2(pod, 8080, &[], &large, None);
            assert_eq!(tokio::time::timeout(DEADLINE, asked).await??.status, 200);
            let trailers = Some(("x-mine", "7"));
            let asked = ask_http2(
                pod,
                8080,
                &[("trailer", "x-mine")],
                &["one", "two"],
                trailers,
            );
            assert_eq!(tokio::time::timeout(DEADLINE, asked).await??.status, 200);
            anyhow::Ok(())
        })?;
        let copy = mirror.await_one(|_| true)?;
        assert_eq!(
            (&*copy.body, &copy.trailers),
            ("onetwo", &trailer("x-mine", "7"))
        );
        assert_eq!(copy.header("x-envoy-internal"), Some("true"));
        assert_eq!(copy.header("host"), Some("elsewhere.example"));
        let all = origin.all();
        assert_eq!(
            (all.len(), all[0].body.len(), &*all[1].body),
            (2, (1 << 20) + 1, "onetwo")
        );
        assert_eq!(mirror.len(), 1);
        Ok(())
    })
}
