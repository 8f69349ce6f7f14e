//! `scripts/sandbox`: a namespace on somebody's machine whose calls go through egret-proxy, and nothing of it afterwards.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use egret_tests::folder::Folder;
use egret_tests::netns::Host;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::process::{Finished, Process};
use egret_tests::topology::World;

use crate::helpers::stage::REGISTRY_ONLY;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/sandbox");

/// httpbin.org on port 80.
const ENTRY: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin}
spec:
  hosts: [httpbin.org]
  location: MESH_EXTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
";

/// Runs the script on a host that stands for somebody's machine; its /run is the host's own.
fn sandbox(machine: &Host, programs: &Path, words: &[&str]) -> anyhow::Result<Finished> {
    let programs = programs.display().to_string();
    let shell = "mount -t tmpfs tmpfs /run && exec \"$@\"; exit 97";
    let first = ["-c", shell, "sh", SCRIPT, "--programs", &programs];
    let command = machine.command(0, Path::new("sh"), &[&first[..], words].concat());
    Process::run(machine, command)
}

/// What a program prints on a host.
fn printed(machine: &Host, words: &[&str]) -> anyhow::Result<String> {
    let command = machine.command(0, Path::new(words[0]), &words[1..]);
    Ok(Process::run(machine, command)?.output)
}

#[test]
fn calls_from_the_sandbox_are_decided_and_everything_is_removed() -> anyhow::Result<()> {
    let world = World::new("sandbox", Family::V4)?;
    let origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let machine = world.pod(SLEEP, "default")?;
    let links = printed(&machine, &["ip", "-o", "link"])?;
    let policy = Folder::with(&[REGISTRY_ONLY])?;
    policy.write("entry.yaml", ENTRY)?;
    let policy = policy.path().display().to_string();
    let call = "curl -s -o /dev/null -w '%{http_code} ' httpbin.org/get; \
        curl -s -o /dev/null -w '%{http_code} ' aliyun.com; curl -s 127.0.0.1:15000/ready; exit 7";
    let done = sandbox(
        &machine,
        &world.folder().join("bin"),
        &["--name", "box", &policy, "sh", "-c", call],
    )?;
    assert_eq!(
        (done.output.as_str(), done.code),
        ("200 502 LIVE\n", 7),
        "{}",
        done.errors
    );
    assert_eq!(
        origin.only_request()?.peer.ip(),
        SLEEP.v4(),
        "addresses are translated to the machine's"
    );
    assert_eq!(printed(&machine, &["ip", "-o", "link"])?, links);
    assert_eq!(printed(&machine, &["nft", "list", "tables"])?, "");
    let forwarding = printed(&machine, &["cat", "/proc/sys/net/ipv4/ip_forward"])?;
    assert_eq!(forwarding, "0\n");
    Ok(())
}

#[test]
fn a_proxy_that_does_not_start_is_reported_and_everything_is_removed() -> anyhow::Result<()> {
    let world = World::new("sandbox-broken", Family::V4)?;
    let machine = world.pod(SLEEP, "default")?;
    let links = printed(&machine, &["ip", "-o", "link"])?;
    let policy = Folder::new()?;
    let good = world.folder().join("bin");
    let missing = policy.path().join("missing").display().to_string();
    let done = sandbox(&machine, &good, &["--name", "box", &missing, "true"])?;
    assert_eq!(done.code, 2, "{}", done.errors);
    assert!(done.errors.contains("is not a folder"), "{}", done.errors);
    let broken = world.folder().join("broken");
    fs::create_dir(&broken)?;
    fs::write(
        broken.join("egret-proxy"),
        "#!/bin/sh\necho 'no room' >&2\nexit 3\n",
    )?;
    fs::set_permissions(
        broken.join("egret-proxy"),
        fs::Permissions::from_mode(0o755),
    )?;
    symlink(good.join("egret-init"), broken.join("egret-init"))?;
    let policy = policy.path().display().to_string();
    let done = sandbox(&machine, &broken, &["--name", "box", &policy, "true"])?;
    assert_eq!(done.code, 1, "{}{}", done.output, done.errors);
    assert!(done.errors.contains("no room"), "{}", done.errors);
    assert_eq!(printed(&machine, &["ip", "-o", "link"])?, links);
    assert_eq!(printed(&machine, &["nft", "list", "tables"])?, "");
    Ok(())
}
