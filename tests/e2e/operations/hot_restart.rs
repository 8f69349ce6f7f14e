//! A new proxy takes the place of an old one while calls are made: none is refused, and none is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use egret_tests::egret::Proxy;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, Located, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;

use crate::helpers::load::{Client, Load};
use crate::helpers::stage;

/// Connections that are kept, and clients that make a new one for each request.
const CLIENTS: [Client; 8] = [
    Client::Kept,
    Client::New,
    Client::Kept,
    Client::New,
    Client::Kept,
    Client::New,
    Client::Kept,
    Client::New,
];

fn pid(proxy: &Proxy<'_>) -> anyhow::Result<u64> {
    let info = proxy.json("/server_info")?;
    Ok(info["pid"].as_u64().unwrap_or_default())
}

#[test]
fn a_new_proxy_takes_over_without_a_lost_request() -> anyhow::Result<()> {
    let world = World::new("hot-restart", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let folder = world.folder().join("handover");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let path = folder.join("socket").display().to_string();
    stage::redirect(&world, &pod, &egret_tests::egret::INJECTED)?;
    let settings = stage::sidecar_settings(&world, "default")
        .config(config.path())
        .with(&["--hot-restart", &path]);
    let mut proxy = settings.start(&world, &pod)?;
    let load = Load::start(&pod, ELSEWHERE.v4(), &CLIENTS)?;
    load.await_answers(20)?;
    for round in 0..3 {
        let before = pid(&proxy)?;
        let next = settings.start(&world, &pod)?;
        let old = std::mem::replace(&mut proxy, next);
        assert_eq!(old.await_end()?, 0, "round {round}");
        load.await_answers(20)?;
        assert_ne!(pid(&proxy)?, before, "round {round}");
    }
    let (answered, lost) = load.finish();
    assert_eq!(lost, 0, "of {answered}: {}", proxy.everything());
    Ok(())
}

#[test]
fn without_the_flag_a_second_proxy_is_refused() -> anyhow::Result<()> {
    let world = World::new("hot-restart-none", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    let settings = stage::sidecar_settings(&world, "default").config(config.path());
    let first = settings.start(&world, &pod)?;
    let second = settings.refused(&world, &pod)?;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.errors.contains("the port is in use"), "{second:?}");
    assert_eq!(first.page("/ready")?.status, 200);
    Ok(())
}
