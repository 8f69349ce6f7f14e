//! The same bytes through egret and through a real Envoy that is configured the same way: same fate, same answer, same
//! request at the origin. What differs on purpose is listed in [`differences`], with its reason, and nothing else may.
//!
//! `ENVOY_BIN` names the Envoy; `scripts/test` installs one.

mod wire;
mod requests;
mod compare;
mod differences;
mod streams;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use egret_tests::client::curl;
use egret_tests::egret::INJECTED;
use egret_tests::egret::Settings;
use egret_tests::egret::redirect;
use egret_tests::envoy;
use egret_tests::folder::Folder;
use egret_tests::ledger::Ledger;
use egret_tests::netns::Host;
use egret_tests::places::EGRESS_GATEWAY;
use egret_tests::places::Family;
use egret_tests::places::HTTPBIN_ORG;
use egret_tests::places::INGRESS_GATEWAY;
use egret_tests::places::Located;
use egret_tests::places::PRODUCTPAGE;
use egret_tests::places::SLEEP;
use egret_tests::topology::World;

use crate::compare::Facts;
use crate::compare::differences;
use crate::compare::facts;
use crate::differences::Difference;
use crate::requests::Call;
use crate::requests::Exchange;
use crate::wire::Heard;
use crate::wire::Message;

/// So that the connections kept to the origin are those of one pool, as with Envoy here.
const ONE_WORKER: [&str; 2] = ["--threads", "1"];

/// How long a line of a log is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

const SKIPPED: &str =
    "skipped: ENVOY_BIN names no Envoy to compare with; `scripts/test` installs one";

#[test]
fn a_gateway_does_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-gateway", Family::V4)?;
    let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
    let client = world.pod(SLEEP, "default")?;
    let (envoy_pod, egret_pod) = (
        world.gateway_pod(EGRESS_GATEWAY)?,
        world.gateway_pod(INGRESS_GATEWAY)?,
    );
    let envoy = envoy::start(&world, &envoy_pod, include_str!("gateway.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("gateway.yaml", include_str!("gateway.istio.yaml"))?;
    let egret = Settings::gateway("app=parity")
        .with(&ONE_WORKER)
        .config(config.path())
        .start(&world, &egret_pod)?;
    let through = |place: egret_tests::places::Place, log| Through {
        client: &client,
        address: SLEEP.v4().to_string(),
        to: (place.v4(), 80).into(),
        origin: &origin,
        log,
    };
    let ways = [
        through(EGRESS_GATEWAY, &envoy.output),
        through(INGRESS_GATEWAY, &egret.output),
    ];
    insist(
        &requests::of_gateway(),
        &ways,
        differences::OF_GATEWAY,
        |way, exchange| way.send(exchange),
        |exchange| exchange.name,
    )?;
    insist(
        &requests::over_http2(),
        &ways,
        differences::OVER_HTTP2,
        |way, call| way.curl(call),
        |call| call.name,
    )
}

#[test]
fn a_sidecar_does_as_envoy_does() -> anyhow::Result<()> {
    if !envoy::is_there()? {
        return tell_skipped();
    }
    let world = World::new("parity-sidecar", Family::V4)?;
    let origin = wire::origin(world.internet.listen(HTTPBIN_ORG.v4(), 80)?)?;
    let (envoy_pod, egret_pod) = (
        world.pod(PRODUCTPAGE, "default")?,
        world.pod(SLEEP, "default")?,
    );
    for pod in [&envoy_pod, &egret_pod] {
        redirect(&world, pod, &INJECTED, &[])?;
    }
    let envoy = envoy::start(&world, &envoy_pod, include_str!("sidecar.envoy.yaml"))?;
    let config = Folder::new()?;
    config.write("sidecar.yaml", include_str!("sidecar.istio.yaml"))?;
    let egret = Settings::sidecar("default")
        .with(&ONE_WORKER)
        .config(config.path())
        .pod_ip(SLEEP.v4())
        .start(&world, &egret_pod)?;
    let through = |pod, place: egret_tests::places::Place, log| Through {
        client: pod,
        address: place.v4().to_string(),
        to: (HTTPBIN_ORG.v4(), 80).into(),
        origin: &origin,
        log,
    };
    insist(
        &requests::of_sidecar(),
        &[
            through(&envoy_pod, PRODUCTPAGE, &envoy.output),
            through(&egret_pod, SLEEP, &egret.output),
        ],
        differences::OF_SIDECAR,
        |way, exchange| way.send(exchange),
        |exchange| exchange.name,
    )
}

/// Past the test runner, which shows nothing of tests that pass.
fn tell_skipped() -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{SKIPPED}")?)
}

/// A way through one proxy.
struct Through<'w> {
    client: &'w Host,
    address: String,
    to: SocketAddr,
    origin: &'w Ledger<Message>,
    /// The proxy's access log.
    log: &'w Ledger<String>,
}

impl Through<'_> {
    fn send(&self, exchange: &Exchange) -> anyhow::Result<Facts> {
        let before = self.now();
        let heard = wire::call(self.client, self.to, &exchange.bytes, exchange.responses)?;
        Ok(self.facts(&heard, before))
    }

    fn curl(&self, call: &Call) -> anyhow::Result<Facts> {
        let before = self.now();
        let resolve = format!("app.example:80:{}", self.to.ip());
        let url = format!("http://app.example{}", call.target);
        let mut arguments = vec!["--http2-prior-knowledge", "--resolve", &resolve, &url];
        arguments.extend(call.arguments);
        let answer = curl(self.client, &arguments)?;
        let heard = Heard {
            responses: vec![Message {
                line: answer.status_line,
                headers: answer.headers,
                body: answer.body,
                ..Message::default()
            }],
            closed: false,
        };
        Ok(self.facts(&heard, before))
    }

    /// What the origin saw, and the log told, so far.
    fn now(&self) -> (usize, usize) {
        (self.origin.len(), self.log.len())
    }

    /// With what the origin saw, and the log told, since they had as many entries as `before` says.
    fn facts(&self, heard: &Heard, (seen, told): (usize, usize)) -> Facts {
        let mut seen = self.origin.all().split_off(seen);
        seen.retain(|request| !request.line.contains(requests::BROKEN));
        let mut facts = facts(heard, &seen, &self.address);
        let answers = heard
            .responses
            .iter()
            .filter(|response| response.status() == 101 || response.status() >= 200)
            .count();
        // Each answer is told; what is none, not by all.
        for lines in told..told + answers {
            self.log.await_growth(lines, PATIENCE);
        }
        let lines = self.log.all().split_off(told);
        compare::told(&lines, answers, &self.address, &mut facts);
        facts
    }
}

/// Insists that each exchange comes out the same both ways, but for `meant`, and that all of that still differs.
fn insist<W, E>(
    exchanges: &[E],
    [envoy, egret]: &[W; 2],
    meant: &[Difference],
    send: impl Fn(&W, &E) -> anyhow::Result<Facts>,
    name: impl Fn(&E) -> &'static str,
) -> anyhow::Result<()> {
    let mut used = vec![false; meant.len()];
    let mut unmeant = Vec::new();
    for exchange in exchanges {
        let lines = differences(&send(envoy, exchange)?, &send(egret, exchange)?);
        for line in lines {
            let covering = meant
                .iter()
                .position(|one| one.covers(name(exchange), &line));
            match covering {
                Some(at) => used[at] = true,
                None => unmeant.push(format!("{}: {line}", name(exchange))),
            }
        }
    }
    let gone: Vec<_> = meant
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(one, _)| {
            format!(
                "{:?} {:?}: no longer differs ({})",
                one.exchanges, one.facts, one.reason
            )
        })
        .collect();
    anyhow::ensure!(
        unmeant.is_empty() && gone.is_empty(),
        "of {} exchanges, these differ (exchange: fact: Envoy's | egret's):\n{}\n{}",
        exchanges.len(),
        unmeant.join("\n"),
        gone.join("\n")
    );
    Ok(())
}

impl Difference {
    fn covers(&self, exchange: &str, line: &str) -> bool {
        let fact = line.split(": ").next().unwrap_or_default();
        let fits = self.facts.iter().any(|one| match one.strip_suffix('*') {
            Some(beginning) => fact.starts_with(beginning),
            None => fact == *one,
        });
        fits && (self.exchanges.is_empty() || self.exchanges.contains(&exchange))
    }
}
