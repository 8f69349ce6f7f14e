//! The line of a call in a format that names every operator, as text and as JSON, field by field.

mod formats;

use std::net::{IpAddr, SocketAddr};

use egret_tests::client::curl;
use egret_tests::egret::Settings;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::places::{
    CNN, EGRESS_GATEWAY, ELSEWHERE, Family, GOOGLE, HTTPBIN_ORG, INGRESS_GATEWAY, Located, Place,
    SLEEP,
};
use egret_tests::topology::World;

use crate::compare::{Facts, Names, ROWS};
use crate::differences::Suite;
use crate::insist::insist;
use crate::logs::formats::Encoding;
use crate::requests::{Call, Exchange};
use crate::rows::{DIALOGUES, Dialogue, hold, peer};
use crate::through::PATIENCE;
use crate::{differences, requests, tell_skipped, wire};

/// The exchanges over HTTP/1 whose lines are compared.
const OVER_HTTP1: &[&str] = &[
    "plain",
    "head",
    "query",
    "dot segments",
    "forwarded for",
    "body with a length",
    "chunked body",
    "chunked answer",
    "early hints",
    "trailers of an answer",
    "redirect",
    "direct answer",
    "rewritten prefix",
    "aborted",
    "too late",
    "tries too late",
    "retried",
    "retried with a body",
    "no such host",
    "no such path",
    "no such cluster",
    "no endpoint",
    "nobody listens",
    "grpc refused",
    "grpc without endpoint",
    "grpc aborted with a status of its own",
    "origin resets",
    "origin speaks no HTTP",
    "answer cut off",
    "websocket",
];

/// Those over HTTP/2.
const OVER_HTTP2: &[&str] = &[
    "plain",
    "body with a length",
    "rewritten",
    "direct answer",
    "too late",
    "retried with a body",
    "no such path",
    "no endpoint",
    "chunked answer",
    "grpc refused",
    "grpc without endpoint",
];

/// A way through one proxy.
struct Through<'w> {
    client: &'w Host,
    names: Names,
    at: IpAddr,
    log: &'w Ledger<String>,
    encoding: Encoding,
}

impl Through<'_> {
    fn send(&self, exchange: &Exchange) -> anyhow::Result<Facts> {
        let before = self.log.len();
        let to = SocketAddr::new(self.at, 80);
        wire::call(self.client, to, &exchange.bytes, exchange.responses)?;
        Ok(self.lines(before, 1))
    }

    fn curl(&self, call: &Call) -> anyhow::Result<Facts> {
        let before = self.log.len();
        let resolve = format!("app.example:80:{}", self.at);
        let url = format!("http://app.example{}", call.target);
        let mut arguments = vec!["--http2-prior-knowledge", "--resolve", &resolve, &url];
        arguments.extend(call.arguments);
        curl(self.client, &arguments)?;
        Ok(self.lines(before, 1))
    }

    fn hold(&self, dialogue: &Dialogue) -> anyhow::Result<Facts> {
        let before = self.log.len();
        let to = SocketAddr::new(self.at, dialogue.to.port());
        hold(self.client, to, dialogue.steps);
        Ok(self.lines(before, dialogue.rows))
    }

    /// The fields of so many lines behind those that were there before.
    fn lines(&self, before: usize, count: usize) -> Facts {
        for known in before..before + count {
            self.log.await_growth(known, PATIENCE);
        }
        let lines = self.log.all().split_off(before);
        let mut facts = Facts::from([(ROWS.to_owned(), lines.len().to_string())]);
        for (at, line) in lines.iter().enumerate() {
            for (operator, value) in self.encoding.fields(line) {
                let value = formats::usual(operator, value, &self.names);
                facts.insert(format!("log {} {operator}", at + 1), value);
            }
        }
        facts
    }
}

/// A pair of proxies: Envoy in one gateway pod, egret in the other, with this format.
fn compare(
    name: &str,
    encoding: Encoding,
    serve: impl Fn(&World) -> anyhow::Result<()>,
    [bootstrap, objects]: [&str; 2],
    run: impl Fn(&[Through<'_>; 2]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let world = World::new(name, Family::V4)?;
    serve(&world)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, &encoding.of_envoy(bootstrap))?;
    let config = Folder::new()?;
    config.write("logs.yaml", &encoding.of_istio(objects))?;
    let egret = Settings::gateway("app=parity")
        .with(&["--threads", "1"])
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: Place, log| Through {
        client: &client,
        names: Names::new(SLEEP.v4(), place.v4()),
        at: place.v4(),
        log,
        encoding,
    };
    let ways = [
        through(EGRESS_GATEWAY, &envoy.output),
        through(INGRESS_GATEWAY, &egret.output),
    ];
    run(&ways)
}

/// HTTP through a gateway.
fn requests_are_logged_alike(
    name: &str,
    encoding: Encoding,
    [of_http1, of_http2]: [Suite; 2],
) -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let mut over_http1 = requests::of_gateway();
    over_http1.retain(|exchange| OVER_HTTP1.contains(&exchange.name));
    let mut over_http2 = requests::over_http2();
    over_http2.retain(|call| OVER_HTTP2.contains(&call.name));
    compare(
        name,
        encoding,
        |world| {
            wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
            Ok(())
        },
        [
            include_str!("gateway.envoy.yaml"),
            include_str!("gateway.istio.yaml"),
        ],
        |ways| {
            insist(&over_http1, ways, of_http1, Through::send, |one| one.name)?;
            insist(&over_http2, ways, of_http2, Through::curl, |one| one.name)
        },
    )
}

/// Bytes and TLS through a gateway.
fn connections_are_logged_alike(
    name: &str,
    encoding: Encoding,
    suite: Suite,
) -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    compare(
        name,
        encoding,
        |world| {
            peer::serve(world.internet.listen(ELSEWHERE.v4(), 9000)?, "plain")?;
            peer::serve(world.internet.listen(GOOGLE.v4(), 9000)?, "other")?;
            peer::shout(world.internet.listen(CNN.v4(), 9000)?)?;
            Ok(())
        },
        [
            include_str!("rows/gateway.envoy.yaml"),
            include_str!("rows/gateway.istio.yaml"),
        ],
        |ways| insist(DIALOGUES, ways, suite, Through::hold, |one| one.name),
    )
}

#[test]
fn requests_are_logged_as_envoy_does_in_json() -> anyhow::Result<()> {
    let suites = [differences::LOGS_HTTP1, differences::LOGS_HTTP2];
    requests_are_logged_alike("parity-logs-json", Encoding::Json, suites)
}

#[test]
fn requests_are_logged_as_envoy_does_in_text() -> anyhow::Result<()> {
    let suites = [differences::LOGS_TEXT_HTTP1, differences::LOGS_TEXT_HTTP2];
    requests_are_logged_alike("parity-logs-text", Encoding::Text, suites)
}

#[test]
fn connections_are_logged_as_envoy_does_in_json() -> anyhow::Result<()> {
    connections_are_logged_alike("parity-logs-tcp", Encoding::Json, differences::LOGS_STREAMS)
}

#[test]
fn connections_are_logged_as_envoy_does_in_text() -> anyhow::Result<()> {
    let suite = differences::LOGS_TEXT_STREAMS;
    connections_are_logged_alike("parity-logs-tcpt", Encoding::Text, suite)
}
