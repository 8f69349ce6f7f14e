//! What users get wrong is told in one line that says what to do; other documents still load.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use egret_tests::client::curl;
use egret_tests::egret;
use egret_tests::egret::Settings;
use egret_tests::folder::Folder;
use egret_tests::places::{ALIYUN, EGRESS_GATEWAY, Family, SLEEP};
use egret_tests::process::{Finished, Process};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::{REGISTRY_ONLY, aliyun};

#[test]
fn a_second_sidecar_in_the_pod_ends() -> anyhow::Result<()> {
    let world = World::new("bad-second", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let first = stage::sidecar(&world, &pod, "default", &config)?;
    let elsewhere = [
        ["--admin", "127.0.0.1:16000"],
        ["--health", "0.0.0.0:16021"],
        ["--stats", "0.0.0.0:16090"],
        ["--agent", "0.0.0.0:16020"],
    ];
    let second = stage::sidecar_settings(&world, "default")
        .with(elsewhere.as_flattened())
        .refused(&world, &pod)?;
    assert_refused(&second, "15001");
    assert_eq!(first.page("/ready")?.status, 200);
    Ok(())
}

#[test]
fn a_port_that_something_else_has_is_named() -> anyhow::Result<()> {
    let world = World::new("bad-port", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let _taken = pod.listen([127, 0, 0, 1].into(), 15000)?;
    assert_refused(
        &stage::sidecar_settings(&world, "default").refused(&world, &pod)?,
        "15000",
    );
    Ok(())
}

#[test]
fn missing_files_are_named() -> anyhow::Result<()> {
    let world = World::new("bad-files", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    for flag in ["--config", "--mesh-config"] {
        let refused = Settings::sidecar("default")
            .with(&[flag, "/nowhere/at/all.yaml"])
            .refused(&world, &pod)?;
        assert_refused(&refused, "/nowhere/at/all.yaml");
    }
    Ok(())
}

#[test]
fn an_unreadable_file_is_named() -> anyhow::Result<()> {
    let world = World::new("bad-unreadable", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let secret = config.path().join("secret.yaml");
    config.write("secret.yaml", "")?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600))?;
    let refused = Settings::sidecar("default")
        .config(&secret)
        .refused(&world, &pod)?;
    assert_refused(&refused, "secret.yaml");
    Ok(())
}

#[test]
fn a_gateway_that_may_not_open_its_port_says_what_to_do() -> anyhow::Result<()> {
    let world = World::new("bad-privileged", Family::V4)?;
    let pod = world.pod(EGRESS_GATEWAY, "istio-system")?;
    let config = Folder::with(&[REGISTRY_ONLY, "open_to_governed/gateway.yaml"])?;
    let refused = Settings::gateway("istio=egressgateway")
        .config(config.path())
        .refused(&world, &pod)?;
    assert_refused(&refused, "ip_unprivileged_port_start");
    Ok(())
}

#[test]
fn wrong_usage_ends_with_2() -> anyhow::Result<()> {
    let world = World::new("bad-usage", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    for wrong in [
        &["--no-such-flag"][..],
        &["--pod-ip", "nonsense"],
        &["--threads", "0"],
        &["--outbound-port", "0"],
    ] {
        let refused = Settings::sidecar("default")
            .with(wrong)
            .refused(&world, &pod)?;
        assert_eq!(refused.code, 2, "{wrong:?}: {refused:?}");
        assert!(
            refused.errors.contains(wrong[0]),
            "{wrong:?} is named: {refused:?}"
        );
    }
    let refused = egret::init(&world, &pod, &["--no-such-flag"], &[])?;
    assert_eq!(refused.code, 2, "{refused:?}");
    // Bad values end as they end in istio-iptables, whose flags these are.
    let bad_values = [
        (["-p", "nonsense"], "envoy-port"),
        (["-i", "10.0.0.0/99"], "istio-service-cidr"),
    ];
    for (wrong, flag) in bad_values {
        assert_refused(&egret::init(&world, &pod, &wrong, &[])?, flag);
    }
    Ok(())
}

#[test]
fn init_without_the_capability_says_so() -> anyhow::Result<()> {
    let world = World::new("bad-capability", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let refused = Process::run(
        &pod,
        pod.command(1000, &world.program("egret-init")?, &egret::INJECTED),
    )?;
    assert_refused(&refused, "NET_ADMIN");
    Ok(())
}

#[test]
fn problems_name_their_place_and_good_documents_load() -> anyhow::Result<()> {
    let world = World::new("bad-documents", Family::V4)?;
    let _origin = world.http(ALIYUN, 80, &aliyun())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY, "open_to_governed/service-entry.yaml"])?;
    config.write(
        "broken.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: half\n",
    )?;
    config.write(
        "odd.yaml",
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: odd}\nspec:\n  hosts: [odd.example]\n  \
         ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: DNS\n  colour: blue\n---\n\
         apiVersion: example.com/v1\nkind: Marvel\nmetadata: {name: unknown}\n",
    )?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["aliyun.com", "-I"])?.status, 301);
    sidecar.await_log(&["broken.yaml"])?;
    sidecar.await_log(&["odd.yaml", "colour"])?;
    sidecar.await_log(&["odd.yaml", "Marvel"])?;
    let dump = sidecar.page("/config_dump")?.body;
    for words in ["broken.yaml", "colour", "Marvel", "aliyun.com"] {
        assert!(dump.contains(words), "/config_dump has {words}:\n{dump}");
    }
    Ok(())
}

#[test]
fn a_policy_that_is_not_enforced_stops_the_start() -> anyhow::Result<()> {
    let world = World::new("bad-policy", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    let policy = |namespace: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: deny, namespace: {namespace}}}\n\
             spec: {{}}\n"
        )
    };
    config.write("policy.yaml", &policy("default"))?;
    let settings = || stage::sidecar_settings(&world, "default").config(config.path());
    assert_refused(
        &settings().refused(&world, &pod)?,
        "AuthorizationPolicy default/deny",
    );
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    let accepting = settings()
        .with(&["--ignore-authorization-policies"])
        .start(&world, &pod)?;
    accepting.await_log(&["WARN", "AuthorizationPolicy default/deny"])?;
    accepting.terminate()?;
    config.write("policy.yaml", &policy("elsewhere"))?;
    settings().start(&world, &pod)?;
    Ok(())
}

#[test]
fn programs_say_who_they_are() -> anyhow::Result<()> {
    let world = World::new("bad-help", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    for name in ["egret-init", "egret-proxy"] {
        let program = world.program(name)?;
        for flag in ["--help", "--version"] {
            let said = Process::run(&pod, pod.command(1000, Path::new(&program), &[flag]))?;
            assert_eq!(said.code, 0, "{said:?}");
            assert!(said.output.contains(name), "{said:?}");
        }
    }
    Ok(())
}

/// One line that names `what`, beside lines of the log, which begin with their time, and warnings; exit code 1, no backtrace.
fn assert_refused(done: &Finished, what: &str) {
    assert_eq!(done.code, 1, "{done:?}");
    let logged = |line: &str| line.starts_with("20") || line.contains("warning: ");
    let told = |line: &&str| !line.trim().is_empty() && !logged(line);
    let lines: Vec<_> = done.errors.lines().filter(told).collect();
    assert_eq!(lines.len(), 1, "one line: {done:?}");
    assert!(lines[0].contains(what), "names {what}: {done:?}");
}
