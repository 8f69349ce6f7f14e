//! Changed files take effect within two seconds, without a restart and without cutting what is in flight.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use egret_tests::client;
use egret_tests::client::curl;
use egret_tests::folder::{Folder, MountedConfigMap, fixture};
use egret_tests::netns::Host;
use egret_tests::objects::MeshConfig;
use egret_tests::origin::{Answer, AnswerBody, streamed};
use egret_tests::places::{ALIYUN, CNN, EGRESS_GATEWAY, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::Response;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, aliyun, at, field};
use crate::tls::origination;

/// How long a change may take until calls are decided by it.
const IN_FORCE: Duration = Duration::from_secs(2);

#[test]
fn deleting_resources_takes_routes_away_and_cuts_nothing() -> anyhow::Result<()> {
    let world = World::new("004-4", Family::V4)?;
    let plain = world.http(CNN, 80, &origination::to_https())?;
    let (pieces, body) = streamed();
    let origin = world.https(CNN, world.authority.server(&[CNN.name])?, &once(body))?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&origination::ALL)?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;

    let in_flight = client::start(&pod, &["-N", origination::URL])?;
    origin.requests.await_one(|_| true)?;
    pieces.send(Bytes::from_static(b"before\n"))?;
    in_flight
        .process
        .output
        .await_one(|line| line == "before")?;

    config.remove(&[
        "tls_from_the_gateway/gateway.yaml",
        "tls_from_the_gateway/gateway-subset.yaml",
        "tls_from_the_gateway/virtual-service.yaml",
        "tls_from_the_gateway/originate-tls.yaml",
    ])?;
    let name = "direct-cnn-through-egress-gateway";
    sidecar.await_page("/routes", IN_FORCE, |page| !page.contains(name))?;
    let listener = at(EGRESS_GATEWAY.v4(), 443);
    let refused = 7;
    until(|| {
        Ok(curl(
            &pod,
            &[
                "--resolve",
                &format!("x.example:443:{}", EGRESS_GATEWAY.v4()),
                "http://x.example:443/",
            ],
        )?
        .status
            == 502)
    })
    .with_context(|| format!("{listener} is no destination of the sidecar"))?;
    let outside = world.pod(egret_tests::places::PRODUCTPAGE, "default")?;
    until(|| Ok(curl(&outside, &[&format!("http://{listener}/")])?.exit == refused))
        .context("the gateway closed port 443")?;

    let after = curl(&pod, &[origination::URL])?;
    assert_eq!(
        after.status, 301,
        "a new call goes straight to the origin again: {after:?}"
    );
    assert_eq!(plain.only_request()?.peer.ip(), SLEEP.v4());

    pieces.send(Bytes::from_static(b"after\n"))?;
    drop(pieces);
    let answer = in_flight.finish()?;
    assert_eq!(
        (answer.status, answer.exit, answer.body.as_str()),
        (200, 0, "before\nafter\n"),
        "{answer:?}"
    );
    let line = gateway.await_access(|line| field(line, "authority") == CNN.name)?;
    assert_eq!(field(&line, "response_flags"), "-", "{line:#}");
    Ok(())
}

#[test]
fn adding_a_file_takes_effect() -> anyhow::Result<()> {
    let world = World::new("reload-add", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call(&pod)?, 502);
    config.add(&["open_to_governed/service-entry.yaml"])?;
    until(|| Ok(call(&pod)? == 301))?;
    config.remove(&["open_to_governed/service-entry.yaml"])?;
    until(|| Ok(call(&pod)? == 502))
}

#[test]
fn a_mounted_config_map_is_followed_through_many_swaps() -> anyhow::Result<()> {
    let world = World::new("reload-configmap", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let (mesh, entry) = (
        fixture(REGISTRY_ONLY)?,
        fixture("open_to_governed/service-entry.yaml")?,
    );
    let mut mounted = MountedConfigMap::new(&[("mesh.yaml", &mesh)])?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let _sidecar = stage::sidecar_settings(&world, "default")
        .config(mounted.path())
        .start(&world, &pod)?;
    assert_eq!(call(&pod)?, 502);
    for _ in 0..3 {
        mounted.publish(&[("mesh.yaml", &mesh), ("entry.yaml", &entry)])?;
        until(|| Ok(call(&pod)? == 301))?;
        mounted.publish(&[("mesh.yaml", &mesh)])?;
        until(|| Ok(call(&pod)? == 502))?;
    }
    Ok(())
}

#[test]
fn a_single_file_is_followed() -> anyhow::Result<()> {
    let world = World::new("reload-file", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let folder = Folder::new()?;
    let (strict, open) = (
        "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n",
        "outboundTrafficPolicy: {mode: ALLOW_ANY}\n",
    );
    folder.write("mesh", strict)?;
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let file = folder.path().join("mesh").display().to_string();
    let _sidecar = stage::sidecar_settings(&world, "default")
        .with(&["--mesh-config", &file])
        .start(&world, &pod)?;
    assert_eq!(call(&pod)?, 502);
    folder.write("mesh", open)?;
    until(|| Ok(call(&pod)? == 301))
}

#[test]
fn a_broken_edit_keeps_the_last_good_configuration_and_says_so() -> anyhow::Result<()> {
    let world = World::new("reload-broken", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let good = fixture("open_to_governed/service-entry.yaml")?;
    config.write("entry.yaml", &good)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call(&pod)?, 301);

    config.write("entry.yaml", &good.replace("spec:", "spec: ]"))?;
    sidecar.await_log(&["entry.yaml"])?;
    let dump = sidecar.await_page("/config_dump", IN_FORCE, |page| {
        page.contains("status: rejected")
    })?;
    let (reasons, _) = dump.body.split_once("version:").unwrap_or_default();
    assert!(reasons.contains("entry.yaml"), "{}", dump.body);
    assert!(
        dump.body.contains("aliyun.com"),
        "what is in force is still shown: {}",
        dump.body
    );
    assert_eq!(call(&pod)?, 301, "the last good configuration is in force");

    config.write(
        "entry.yaml",
        &good.replace("aliyun.com", "elsewhere.example"),
    )?;
    until(|| Ok(call(&pod)? == 502)).context("a good edit after the broken one takes effect")
}

#[test]
fn a_file_that_is_no_file_any_more_leaves_the_mesh_closed() -> anyhow::Result<()> {
    let world = World::new("reload-lost", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::new()?;
    let strict = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    config.write("mesh.yaml", strict)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let mesh = config.path().join("mesh.yaml");
    for (what, replace) in REPLACEMENTS {
        assert_eq!(call(&pod)?, 502, "before it is {what}");
        replace(&mesh)?;
        let dump = sidecar.await_page("/config_dump", IN_FORCE, |page| {
            page.contains("status: rejected")
        })?;
        let now = format!("mesh.yaml: it was a file with objects and is now {what}");
        assert!(dump.body.contains(&now), "{}", dump.body);
        sidecar.await_log(&["mesh.yaml", what])?;
        assert_eq!(call(&pod)?, 502, "while it is {what}");
        if mesh.is_dir() {
            fs::remove_dir(&mesh)?;
        } else {
            fs::remove_file(&mesh)?;
        }
        config.write("mesh.yaml", strict)?;
        sidecar.await_page("/config_dump", IN_FORCE, |page| {
            page.contains("status: accepted")
        })?;
    }
    config.remove(&["mesh.yaml"])?;
    sidecar.await_log(&["mesh.yaml", "stays in force"])?;
    assert_eq!(call(&pod)?, 502, "without a mesh configuration");
    config.add(&["open_to_governed/service-entry.yaml"])?;
    until(|| Ok(call(&pod)? == 301)).context("other files still count")
}

/// What is put in the place of a file.
type Replacement = (&'static str, fn(&Path) -> anyhow::Result<()>);

const REPLACEMENTS: [Replacement; 5] = [
    ("empty", |path| Ok(fs::write(path, "")?)),
    ("a FIFO", |path| {
        fs::remove_file(path)?;
        Ok(nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU)?)
    }),
    ("a device", |path| {
        fs::remove_file(path)?;
        Ok(symlink("/dev/zero", path)?)
    }),
    ("not a file", |path| {
        fs::remove_file(path)?;
        Ok(fs::create_dir(path)?)
    }),
    ("a link to nowhere", |path| {
        fs::remove_file(path)?;
        Ok(symlink("nowhere", path)?)
    }),
];

#[test]
fn the_mesh_configuration_of_a_revision_counts() -> anyhow::Result<()> {
    let world = World::new("reload-revision", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::new()?;
    config.write(
        "mesh.yaml",
        &MeshConfig::new()
            .named("istio-1-24")
            .set("outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
            .to_string(),
    )?;
    let _sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(call(&pod)?, 502);
    Ok(())
}

/// Calls aliyun.com; gives the status.
fn call(pod: &Host) -> anyhow::Result<u16> {
    Ok(curl(pod, &["aliyun.com", "-I"])?.status)
}

/// Calls again and again until the change is in force, for as long as it may take.
fn until(mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = Instant::now() + IN_FORCE;
    while !done()? {
        anyhow::ensure!(
            Instant::now() < end,
            "the change was not in force within {IN_FORCE:?}"
        );
    }
    Ok(())
}

/// An answer whose body the test feeds; given once.
fn once(body: AnswerBody) -> Answer {
    let body = Mutex::new(Some(body));
    Arc::new(move |_| {
        let body = body
            .lock()
            .ok()
            .and_then(|mut body| body.take())
            .expect("one request is made");
        Box::pin(async move { Response::new(body) })
    })
}
