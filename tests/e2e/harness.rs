//! The small world proves itself before anything is built on it.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::{fs, io};

use egret_tests::certs::Authority;
use egret_tests::client::curl;
use egret_tests::folder::MountedConfigMap;
use egret_tests::names::Answer;
use egret_tests::origin::{at_once, httpbin, moved, text};
use egret_tests::places::{ALIYUN, EGRESS_GATEWAY, Family, GOOGLE, HTTPBIN_ORG, Located, SLEEP};
use egret_tests::process::Process;
use egret_tests::topology::World;
use hyper::StatusCode;

#[test]
fn curl_reaches_an_origin_that_sees_who_calls() -> anyhow::Result<()> {
    for family in [Family::V4, Family::V6] {
        let world = World::new("harness-curl", family)?;
        let pod = world.pod(SLEEP, "default")?;
        let origin = world.http(ALIYUN, 80, &at_once(|_| moved("https://www.aliyun.com/")))?;
        let answer = curl(&pod, &["-I", "aliyun.com"])?;
        assert_eq!(
            answer.status_line, "HTTP/1.1 301 Moved Permanently",
            "{answer:?}"
        );
        assert_eq!(answer.header("location"), Some("https://www.aliyun.com/"));
        assert_eq!((answer.exit, answer.body.as_str()), (0, ""));
        let seen = origin.only_request()?;
        assert_eq!(seen.peer.ip(), SLEEP.address(family));
        assert_eq!(seen.local.ip(), ALIYUN.address(family));
        assert_eq!(
            (
                seen.method.as_str(),
                seen.target.as_str(),
                seen.host.as_str()
            ),
            ("HEAD", "/", "aliyun.com")
        );
        assert_eq!(seen.sni, None);
    }
    Ok(())
}

#[test]
fn https_is_verified_with_the_worlds_authority_alone() -> anyhow::Result<()> {
    let world = World::new("harness-https", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let good = world.https(
        GOOGLE,
        world.authority.server(&[GOOGLE.name])?,
        &at_once(|_| text(StatusCode::OK, "page\n")),
    )?;
    let answer = curl(&pod, &["https://www.google.com/"])?;
    assert_eq!(
        (answer.status, answer.body.as_str(), answer.exit),
        (200, "page\n", 0),
        "{answer:?}"
    );
    assert_eq!(good.only_request()?.sni.as_deref(), Some(GOOGLE.name));

    let foreign = Authority::new("somebody else")?.server(&[HTTPBIN_ORG.name])?;
    let bad = world.https(
        HTTPBIN_ORG,
        foreign,
        &at_once(|_| text(StatusCode::OK, "page\n")),
    )?;
    let answer = curl(&pod, &["https://httpbin.org/"])?;
    assert_eq!((answer.status, answer.exit), (0, 60), "{answer:?}");
    bad.refusals.await_one(|_| true)?;
    assert!(bad.requests.is_empty());
    Ok(())
}

#[test]
fn the_dns_server_says_what_the_test_wants() -> anyhow::Result<()> {
    let world = World::new("harness-dns", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let call = || curl(&pod, &["http://changing.example/get"]);
    let unresolved = 6;
    assert_eq!(call()?.exit, unresolved);
    assert!(world.names.questions("changing.example") > 0);
    assert!(
        world
            .names
            .questions("changing.example.default.svc.cluster.local")
            > 0,
        "search domains are as in a pod"
    );
    world.resolve("Changing.Example.", &[HTTPBIN_ORG.v4()]);
    assert_eq!(call()?.status, 200);
    world.names.set("changing.example", Answer::ServFail);
    assert_eq!(call()?.exit, unresolved);
    world.names.set("changing.example", Answer::NxDomain);
    assert_eq!(call()?.exit, unresolved);
    world.names.set("changing.example", Answer::Silence);
    let silent = curl(&pod, &["--max-time", "0.3", "http://changing.example/get"])?;
    assert_eq!(silent.exit, 28, "{silent:?}");
    Ok(())
}

#[test]
fn worlds_do_not_see_one_another() -> anyhow::Result<()> {
    let worlds = [
        World::new("harness-one", Family::V4)?,
        World::new("harness-other", Family::V4)?,
    ];
    let pods = [
        worlds[0].pod(SLEEP, "default")?,
        worlds[1].pod(SLEEP, "default")?,
    ];
    let origins = [
        worlds[0].http(ALIYUN, 80, &httpbin())?,
        worlds[1].http(ALIYUN, 80, &httpbin())?,
    ];
    let answer = curl(&pods[1], &["http://aliyun.com/get"])?;
    assert!(
        answer.body.contains("\"origin\": \"10.34.0.140\""),
        "{answer:?}"
    );
    assert_eq!(
        (origins[0].connections.len(), origins[1].connections.len()),
        (0, 1)
    );
    Ok(())
}

#[test]
fn pods_see_their_own_files_and_any_port_can_be_opened_in_a_gateway_pod() -> anyhow::Result<()> {
    let world = World::new("harness-pod", Family::V4)?;
    let pod = world.gateway_pod(EGRESS_GATEWAY)?;
    let resolver = pod.run(|| fs::read_to_string("/etc/resolv.conf"))?;
    assert!(
        resolver.starts_with("nameserver 198.51.100.53\nsearch istio-system.svc.cluster.local "),
        "{resolver}"
    );
    assert_ne!(fs::read_to_string("/etc/resolv.conf")?, resolver);
    let first = pod.run(|| fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start"))?;
    assert_eq!(first.trim(), "0");
    Ok(())
}

#[test]
fn opaque_bytes_come_back() -> anyhow::Result<()> {
    let world = World::new("harness-echo", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let origin = world.echo(&world.internet, &[ALIYUN.v4()], 3306, b"5.7 hello\n")?;
    let address: IpAddr = ALIYUN.v4();
    let answer = pod.run(move || -> io::Result<String> {
        let mut stream = TcpStream::connect((address, 3306))?;
        stream.write_all(b"and back")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })?;
    assert_eq!(answer, "5.7 hello\nand back");
    assert_eq!(origin.connections.all()[0].ip(), SLEEP.v4());
    Ok(())
}

#[test]
fn nothing_of_a_world_is_left() -> anyhow::Result<()> {
    let world = World::new("harness-vanish", Family::V4)?;
    let folder = world.folder().to_owned();
    let pod = world.pod(SLEEP, "default")?;
    let arguments = ["-c", "echo up; exec sleep 1000"];
    let command = pod.command(1000, Path::new("sh"), &arguments);
    let mut sleeper = Process::start(&pod, command, None)?;
    sleeper.output.await_one(|line| line == "up")?;
    let namespaces = [world.internet.netns_path(), pod.netns_path()].map(fs::read_link);
    let namespaces = namespaces.into_iter().collect::<io::Result<Vec<_>>>()?;
    assert!(namespaces.iter().all(|namespace| is_used(namespace)));
    drop((pod, world));
    assert!(!folder.exists());
    let signal = sleeper.wait()?.signal();
    assert_eq!(
        signal,
        Some(9),
        "a program that nobody stopped dies with its pod"
    );
    for namespace in namespaces {
        assert!(
            !is_used(&namespace),
            "{} has a descriptor or a thread",
            namespace.display()
        );
    }
    Ok(())
}

/// Whether a descriptor or a thread of this process keeps a network namespace.
fn is_used(namespace: &Path) -> bool {
    let list = |folder: &str| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    let descriptors = list("/proc/self/fd");
    let threads = list("/proc/self/task").map(|thread| thread.join("ns/net"));
    // What ends while the list is read keeps nothing.
    descriptors
        .chain(threads)
        .any(|link| fs::read_link(link).is_ok_and(|target| target == namespace))
}

#[test]
fn a_mounted_config_map_changes_as_the_kubelet_changes_it() -> anyhow::Result<()> {
    let mut mounted = MountedConfigMap::new(&[("a.yaml", "one"), ("b.yaml", "two")])?;
    let read =
        |mounted: &MountedConfigMap, name: &str| fs::read_to_string(mounted.path().join(name)).ok();
    assert_eq!(read(&mounted, "a.yaml").as_deref(), Some("one"));
    mounted.publish(&[("a.yaml", "three"), ("c.yaml", "four")])?;
    assert_eq!(read(&mounted, "a.yaml").as_deref(), Some("three"));
    assert_eq!(read(&mounted, "b.yaml"), None);
    assert_eq!(read(&mounted, "c.yaml").as_deref(), Some("four"));
    assert!(mounted.path().join("a.yaml").is_symlink());
    Ok(())
}
