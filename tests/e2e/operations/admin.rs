//! The admin port of a sidecar and of a gateway.

use std::net::{SocketAddr, TcpStream};

use egret_tests::client::curl;
use egret_tests::egret::ADMIN;
use egret_tests::folder::Folder;
use egret_tests::places::{EGRESS_GATEWAY, Family, SLEEP};
use egret_tests::scrape;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, services};

#[test]
fn pages_show_what_is_in_force() -> anyhow::Result<()> {
    let world = World::new("admin", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        services(Family::V4),
        "open_to_governed/service-entry.yaml",
        "open_to_governed/gateway.yaml",
        "open_to_governed/virtual-service.yaml",
    ])?;
    let gateway = stage::egress_gateway(&world, &gateway_pod, &config)?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let gateway_cluster = "outbound|80||istio-egressgateway.istio-system.svc.cluster.local";
    // Words of the text page, and words of the same page for programs.
    let expected = [
        (&sidecar, "/config_dump", "aliyun.com", "egressgateway-vs"),
        (&sidecar, "/listeners", "15001", "15001"),
        (&sidecar, "/listeners", "15006", "15006"),
        (
            &sidecar,
            "/clusters",
            "aliyun.com",
            "outbound|80||aliyun.com",
        ),
        (
            &sidecar,
            "/clusters",
            "istio-egressgateway",
            gateway_cluster,
        ),
        (&sidecar, "/routes", "egressgateway-vs", gateway_cluster),
        (&gateway, "/config_dump", "egress-gw", "egress-gw"),
        (&gateway, "/listeners", "80", "egress-gw"),
        (
            &gateway,
            "/clusters",
            "aliyun.com",
            "outbound|80||aliyun.com",
        ),
        (
            &gateway,
            "/routes",
            "egressgateway-vs",
            "outbound|80||aliyun.com",
        ),
    ];
    for (proxy, path, words, words_of_json) in expected {
        let page = proxy.page(path)?;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(
            page.body.contains(words),
            "{path} has {words}:\n{}",
            page.body
        );
        let json = proxy.json(path)?.to_string();
        assert!(
            json.contains(words_of_json),
            "{path} as JSON has {words_of_json}:\n{json}"
        );
    }
    let unknown = sidecar.page("/nowhere")?;
    assert_eq!((unknown.status, unknown.body.lines().count()), (404, 1));
    Ok(())
}

#[test]
fn requests_for_another_host_are_forbidden() -> anyhow::Result<()> {
    let world = World::new("admin-host", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    for (header, expected) in [
        ("Host: localhost:8080", [200, 200]),
        ("Host: [::1]", [200, 200]),
        ("Host: probe", [200, 403]),
        ("Host: attacker.example", [403, 403]),
        ("Host;", [403, 403]),
        ("Origin: http://attacker.example", [403, 403]),
    ] {
        for (page, expected) in ["ready", "config_dump"].into_iter().zip(expected) {
            let url = format!("http://127.0.0.1:15000/{page}");
            let answer = curl(&pod, &["-H", header, &url])?;
            assert_eq!(answer.status, expected, "{page} {header}");
        }
        let quit = "http://127.0.0.1:15000/quitquitquit";
        if expected[1] == 403 {
            assert_eq!(curl(&pod, &["-XPOST", "-H", header, quit])?.status, 403);
        }
    }
    assert_eq!(sidecar.page("/ready")?.status, 200);
    Ok(())
}

#[test]
fn idle_clients_keep_nobody_from_the_pages() -> anyhow::Result<()> {
    let world = World::new("admin-idle", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let health = SocketAddr::new(ADMIN.ip(), 15021);
    let _idle = pod.run(move || {
        let addresses = std::iter::repeat_n([ADMIN, health], 200).flatten();
        addresses
            .map(TcpStream::connect)
            .collect::<Result<Vec<_>, _>>()
    })?;
    assert_eq!(scrape::get(&pod, health, "/healthz/ready")?.status, 200);
    assert_eq!(sidecar.page("/ready")?.status, 200);
    assert_eq!(sidecar.page("/config_dump")?.status, 200);
    Ok(())
}

#[test]
fn quitquitquit_is_a_post_and_ends_the_proxy() -> anyhow::Result<()> {
    let world = World::new("admin-quit", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(sidecar.page("/quitquitquit")?.status, 405);
    assert_eq!(sidecar.page("/ready")?.status, 200);
    assert_eq!(scrape::post(&pod, ADMIN, "/quitquitquit")?.status, 200);
    assert_eq!(sidecar.await_end()?, 0);
    Ok(())
}

#[test]
fn sigterm_ends_the_proxy() -> anyhow::Result<()> {
    let world = World::new("admin-term", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    assert_eq!(
        stage::sidecar(&world, &pod, "default", &config)?.terminate()?,
        0
    );
    Ok(())
}
