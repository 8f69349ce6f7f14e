//! The admin port of a sidecar and of a gateway.

use egret_tests::egret::ADMIN;
use egret_tests::folder::Folder;
use egret_tests::places::EGRESS_GATEWAY;
use egret_tests::places::Family;
use egret_tests::places::SLEEP;
use egret_tests::scrape;
use egret_tests::topology::World;

use crate::stage;
use crate::stage::REGISTRY_ONLY;
use crate::stage::services;

#[test]
fn pages_show_what_is_in_force() -> anyhow::Result<()> {
    let world = World::new("admin", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let gateway_pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let config = Folder::with(&[
        REGISTRY_ONLY,
        services(Family::V4),
        "003/service-entry.yaml",
        "003/gateway.yaml",
        "003/virtual-service.yaml",
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
    assert_eq!(sidecar.page("/nowhere")?.status, 404);
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
