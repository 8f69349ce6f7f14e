//! The world of the demo, its proxies, and one call with everything that is known about it.

use std::time::{Duration, Instant};

use egret_tests::client::Answer;
use egret_tests::egret::{Proxy, Settings};
use egret_tests::folder::{Folder, fixture};
use egret_tests::netns::Host;
use egret_tests::origin::{Origin, Seen, at_once, moved, text};
use egret_tests::places::{ALIYUN, CNN, EGRESS_GATEWAY, Family, Located, SLEEP};
use egret_tests::topology::World;
use egret_tests::{client, egret};
use hyper::StatusCode;
use serde_json::Value;

use crate::tell::Teller;

/// How long a changed file may take to be in force.
const IN_FORCE: Duration = Duration::from_secs(3);

/// What the proxies and the story stand on.
pub(crate) struct Set {
    /// The internet, its names and authority.
    pub(crate) world: World,
    /// The application's pod.
    pub(crate) sleep: Host,
    /// The egress gateway's pod.
    pub(crate) gateway: Host,
}

/// The running demo.
pub(crate) struct Stage<'s> {
    /// What it stands on.
    pub(crate) set: &'s Set,
    /// The configuration that both proxies follow.
    pub(crate) config: Folder,
    /// The proxy beside the application.
    pub(crate) sidecar: Proxy<'s>,
    /// The proxy that calls leave the mesh through.
    pub(crate) gateway: Proxy<'s>,
    /// Who tells the story.
    pub(crate) teller: &'s Teller,
    origins: Vec<Origin>,
}

/// A call and what is known about it.
pub(crate) struct Call {
    /// What curl got.
    pub(crate) answer: Answer,
    /// The request that reached an origin, if one did.
    pub(crate) seen: Option<Seen>,
}

impl Set {
    /// Makes the namespaces, the DNS server and the pods.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let world = World::new("demo", Family::V4)?;
        let sleep = world.pod(SLEEP, "default")?;
        let gateway = world.gateway_pod(EGRESS_GATEWAY)?;
        Ok(Self {
            world,
            sleep,
            gateway,
        })
    }
}

impl<'s> Stage<'s> {
    /// Starts the origins, redirects the pod's calls, and starts both proxies.
    pub(crate) fn start(set: &'s Set, teller: &'s Teller) -> anyhow::Result<Self> {
        let world = &set.world;
        let aliyun = world.http(ALIYUN, 80, &at_once(|_| moved("https://www.aliyun.com/")))?;
        let to_https = at_once(|seen| moved(&format!("https://{}{}", seen.host, seen.target)));
        let cnn = world.http(CNN, 80, &to_https)?;
        let page = at_once(|_| text(StatusCode::OK, "<title>Politics</title>\n"));
        let cnn_tls = world.https(CNN, world.authority.server(&[CNN.name])?, &page)?;
        let config = Folder::with(&["kubernetes/services.yaml"])?;
        config.write("mesh.yaml", &fixture("mesh/allow-any.yaml")?)?;
        egret::redirect(world, &set.sleep, &egret::INJECTED, &[])?;
        let gateway = Settings::gateway("istio=egressgateway")
            .pod_ip(EGRESS_GATEWAY.v4())
            .config(config.path());
        let sidecar = Settings::sidecar("default")
            .pod_ip(SLEEP.v4())
            .config(config.path());
        Ok(Self {
            set,
            gateway: gateway.start(world, &set.gateway)?,
            sidecar: sidecar.start(world, &set.sleep)?,
            config,
            teller,
            origins: vec![aliyun, cnn, cnn_tls],
        })
    }

    /// Runs curl in `pod`, again while the last change is not yet in force, that is until
    /// `expected` accepts the call or the change is overdue. Gives the last call and whether it was as expected.
    pub(crate) fn call(
        &self,
        pod: &Host,
        arguments: &[&str],
        expected: impl Fn(&Call) -> bool,
    ) -> anyhow::Result<(Call, bool)> {
        let end = Instant::now() + IN_FORCE;
        loop {
            let before: Vec<usize> = self
                .origins
                .iter()
                .map(|origin| origin.requests.len())
                .collect();
            let answer = client::curl(pod, arguments)?;
            let new = self
                .origins
                .iter()
                .zip(before)
                .find_map(|(origin, before)| origin.requests.all().into_iter().nth(before));
            let call = Call { answer, seen: new };
            let fits = expected(&call);
            if fits || Instant::now() > end {
                return Ok((call, fits));
            }
        }
    }
}

/// The latest line of a proxy's access log that `wanted` accepts.
pub(crate) fn latest(proxy: &Proxy<'_>, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    proxy.await_access(&wanted)?;
    let lines = proxy.access_log();
    Ok(lines
        .into_iter()
        .rfind(|line| wanted(line))
        .unwrap_or_default())
}
