//! What the redirect rules capture and what they leave alone, seen from the pod.

use std::path::Path;

use egret_tests::client::curl;
use egret_tests::egret;
use egret_tests::egret::PROXY_UID;
use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::{Origin, httpbin};
use egret_tests::places::{Family, HTTPBIN_ORG, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, field};

const URL: &str = "http://httpbin.org/get";
/// A call after whose line in the access log no earlier one can be missing.
const LAST: &str = "http://httpbin.org/last";

#[test]
fn a_second_run_replaces_the_rules_of_the_first() -> anyhow::Result<()> {
    let world = World::new("init-again", Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar_with(
        &world,
        &pod,
        "default",
        &config,
        &except("-x", "198.51.100.0/24"),
    )?;
    assert_eq!(curl(&pod, &[URL])?.status, 200, "excluded");
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    assert_eq!(curl(&pod, &[URL])?.status, 502, "no longer excluded");
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    assert_eq!(curl(&pod, &[LAST])?.status, 502, "the same rules again");
    sidecar.await_access(|line| field(line, "path") == "/last")?;
    assert_eq!(sidecar.access_log().len(), 2, "redirected once each");
    Ok(())
}

#[test]
fn excluded_ports_and_the_proxys_user_are_left_alone() -> anyhow::Result<()> {
    let world = World::new("init-excluded", Family::V4)?;
    let origins = serve(&world, &[80, 8080])?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let _sidecar = stage::sidecar_with(&world, &pod, "default", &config, &except("-o", "8080"))?;
    assert_eq!(curl(&pod, &["http://httpbin.org:8080/get"])?.status, 200);
    assert_eq!(curl(&pod, &[URL])?.status, 502);
    assert_eq!(
        call_as(&pod, 0)?,
        "502",
        "root is captured like any application"
    );
    assert_eq!(
        call_as(&pod, PROXY_UID)?,
        "200",
        "the proxy's own calls are not"
    );
    assert_eq!(
        origins
            .iter()
            .map(|origin| origin.requests.len())
            .sum::<usize>(),
        2
    );
    Ok(())
}

#[test]
fn included_ports_are_captured_outside_the_included_ranges_too() -> anyhow::Result<()> {
    let world = World::new("init-included", Family::V4)?;
    let _origins = serve(&world, &[80, 8080])?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let flags = [
        "-u",
        "1337",
        "-b",
        "*",
        "-d",
        "15021",
        "-i",
        "10.0.0.0/8",
        "-q",
        "8080",
    ];
    let _sidecar = stage::sidecar_with(&world, &pod, "default", &config, &flags)?;
    assert_eq!(curl(&pod, &["http://httpbin.org:8080/get"])?.status, 502);
    assert_eq!(curl(&pod, &[URL])?.status, 200);
    Ok(())
}

#[test]
fn ipv6_of_a_dual_stack_pod_is_captured_only_when_asked_for() -> anyhow::Result<()> {
    let world = World::new("init-dual-stack", Family::V6)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &[URL])?.status, 502, "ISTIO_DUAL_STACK=true");

    let injected = egret::init(&world, &pod, &egret::INJECTED, &[])?;
    assert_eq!(injected.code, 0, "{injected:?}");
    assert!(
        injected.errors.contains("IPv6"),
        "the leak is told: {injected:?}"
    );
    assert_eq!(curl(&pod, &[URL])?.status, 200, "as Istio's rules leave it");

    let flag = [&egret::INJECTED[..], &["--dual-stack"]].concat();
    egret::redirect(&world, &pod, &flag, &[])?;
    assert_eq!(curl(&pod, &[URL])?.status, 502, "--dual-stack");
    Ok(())
}

#[test]
fn the_applications_own_loopback_calls_are_left_alone() -> anyhow::Result<()> {
    let world = World::new("init-loopback", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let application = world.serve(&pod, &[[127, 0, 0, 1].into()], 9080, &httpbin())?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://127.0.0.1:9080/get"])?.status, 200);
    assert_eq!(
        application.only_request()?.peer.ip().to_string(),
        "127.0.0.1"
    );
    assert_eq!(curl(&pod, &[LAST])?.status, 502);
    sidecar.await_access(|line| field(line, "path") == "/last")?;
    assert_eq!(
        sidecar.access_log().len(),
        1,
        "the loopback call left no line"
    );
    Ok(())
}

/// The injector's flags and one more.
fn except<'f>(flag: &'f str, value: &'f str) -> Vec<&'f str> {
    [&egret::INJECTED[..], &[flag, value]].concat()
}

fn serve(world: &World, ports: &[u16]) -> anyhow::Result<Vec<Origin>> {
    ports
        .iter()
        .map(|&port| world.http(HTTPBIN_ORG, port, &httpbin()))
        .collect()
}

/// Calls as another user than the application's; gives the status as curl writes it.
fn call_as(pod: &Host, uid: u32) -> anyhow::Result<String> {
    let arguments = [
        "-q",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--max-time",
        "12",
        URL,
    ];
    Ok(
        Process::run(pod, pod.command(uid, Path::new("curl"), &arguments))?
            .output
            .trim()
            .to_owned(),
    )
}
