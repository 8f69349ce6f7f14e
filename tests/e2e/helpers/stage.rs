//! What the stories share: proxies started as a cluster starts them, and words for what is asserted of a log line.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use egret_tests::egret::{Proxy, Settings};
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::objects::{DestinationRule, ServiceEntry, documents};
use egret_tests::origin::{Answer, at_once, moved};
use egret_tests::places::{EGRESS_GATEWAY, ELSEWHERE, Family, INGRESS_GATEWAY, Located, SLEEP};
use egret_tests::topology::World;
use egret_tests::{DEADLINE, egret};
use serde_json::Value;

/// Everything passes unless something says otherwise; the access log is JSON.
pub(crate) const ALLOW_ANY: &str = "mesh/allow-any.yaml";
/// Only what is registered passes; the access log is JSON.
pub(crate) const REGISTRY_ONLY: &str = "mesh/registry-only.yaml";

/// A configuration by which only what `text` registers passes, in a file of this name; the access log is JSON.
pub(crate) fn registered(file: &str, text: &str) -> anyhow::Result<Folder> {
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write(file, text)?;
    Ok(config)
}

/// REGISTRY_ONLY, and elsewhere.example registered without a policy of its own.
pub(crate) fn registered_elsewhere() -> anyhow::Result<Folder> {
    registered("elsewhere.yaml", &elsewhere_entry(&[ELSEWHERE.v4()]))
}

/// The fixture with the mesh's Services and EndpointSlices.
pub(crate) const fn services(family: Family) -> &'static str {
    match family {
        Family::V4 => "kubernetes/services.yaml",
        Family::V6 => "kubernetes/services-ipv6.yaml",
    }
}

/// Redirects the pod's calls with the injector's flags and starts a sidecar.
pub(crate) fn sidecar<'p>(
    world: &World,
    pod: &'p Host,
    namespace: &str,
    config: &Folder,
) -> anyhow::Result<Proxy<'p>> {
    sidecar_with(world, pod, namespace, config, &egret::INJECTED)
}

/// As [`sidecar`], with other flags for the redirection.
pub(crate) fn sidecar_with<'p>(
    world: &World,
    pod: &'p Host,
    namespace: &str,
    config: &Folder,
    flags: &[&str],
) -> anyhow::Result<Proxy<'p>> {
    redirect(world, pod, flags)?;
    sidecar_settings(world, namespace)
        .config(config.path())
        .start(world, pod)
}

/// Runs init as the world's family needs it: a dual-stack pod's IPv6 is left alone unless asked for.
pub(crate) fn redirect(world: &World, pod: &Host, flags: &[&str]) -> anyhow::Result<()> {
    let dual_stack: &[_] = match world.family() {
        Family::V4 => &[],
        Family::V6 => &[("ISTIO_DUAL_STACK", "true")],
    };
    egret::redirect(world, pod, flags, dual_stack)
}

/// The settings of the `sleep` pod's sidecar, without configuration.
pub(crate) fn sidecar_settings(world: &World, namespace: &str) -> Settings {
    Settings::sidecar(namespace).pod_ip(SLEEP.address(world.family()))
}

/// Starts the egress gateway.
pub(crate) fn egress_gateway<'p>(
    world: &World,
    pod: &'p Host,
    config: &Folder,
) -> anyhow::Result<Proxy<'p>> {
    let settings =
        Settings::gateway("istio=egressgateway").pod_ip(EGRESS_GATEWAY.address(world.family()));
    settings.config(config.path()).start(world, pod)
}

/// Starts the ingress gateway.
pub(crate) fn ingress_gateway<'p>(
    world: &World,
    pod: &'p Host,
    config: &Folder,
) -> anyhow::Result<Proxy<'p>> {
    let settings =
        Settings::gateway("istio=ingressgateway").pod_ip(INGRESS_GATEWAY.address(world.family()));
    settings.config(config.path()).start(world, pod)
}

/// A service `elsewhere.example` at these addresses, for HTTP on 80 and bytes on 7000, with a DestinationRule's
/// `trafficPolicy`.
pub(crate) fn elsewhere(addresses: &[IpAddr], policy: &str) -> String {
    let rule = DestinationRule::new("elsewhere.example", &format!("{{{policy}}}"));
    format!("{}---\n{rule}", elsewhere_entry(addresses))
}

fn elsewhere_entry(addresses: &[IpAddr]) -> String {
    let entry = ServiceEntry::new("elsewhere.example");
    let entry = entry.port(80, "HTTP").port(7000, "TCP").at(addresses);
    documents(&[&entry])
}

/// What aliyun.com answers.
pub(crate) fn aliyun() -> Answer {
    at_once(|_| moved("https://www.aliyun.com/"))
}

/// `address:port` as a log line shows it.
pub(crate) fn at(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

/// The beginning of `address:port` as a log line shows it, for ports that the kernel chose.
pub(crate) fn from(address: IpAddr) -> String {
    at(address, 0).trim_end_matches('0').to_owned()
}

/// A text field of a log line; empty when it is null or missing.
pub(crate) fn field<'v>(line: &'v Value, key: &str) -> &'v str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Insists that the fields of a log line have these values.
pub(crate) fn assert_fields(line: &Value, expected: &[(&str, Value)]) {
    for (key, value) in expected {
        assert_eq!(line.get(key), Some(value), "{key} in {line:#}");
    }
}

/// Insists that the fields of a log line begin so.
pub(crate) fn assert_begins(line: &Value, expected: &[(&str, &str)]) {
    for (key, beginning) in expected {
        assert!(
            field(line, key).starts_with(beginning),
            "{key} begins with {beginning} in {line:#}"
        );
    }
}

/// A connection from a host, for the runtime that this is called in.
pub(crate) fn dial(host: &Host, to: IpAddr, port: u16) -> anyhow::Result<tokio::net::TcpStream> {
    let stream = host.run(move || std::net::TcpStream::connect((to, port)))?;
    stream.set_nonblocking(true)?;
    Ok(tokio::net::TcpStream::from_std(stream)?)
}

/// Asks again until it is so. Each question takes its time, so nothing sleeps.
pub(crate) fn until(mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = Instant::now() + DEADLINE;
    while !is_so()? {
        anyhow::ensure!(Instant::now() < end, "it did not become so in {DEADLINE:?}");
    }
    Ok(())
}
