//! What `egret-init verify` and `--run-validation` notice.

use egret_tests::client::curl;
use egret_tests::egret;
use egret_tests::origin::{at_once, text};
use egret_tests::places::{ELSEWHERE, Family, SLEEP};
use egret_tests::topology::World;
use hyper::StatusCode;
use nix::sys::signal::Signal;

use crate::helpers::init_world::{InitWorld, feed, nft, shell};
use crate::helpers::stage;

const INJECTED: [&str; 6] = ["-u", "1337", "-i", "*", "-b", "*"];
const TPROXY: [&str; 6] = ["-m", "TPROXY", "-b", "*", "--redirect-dns", "--dual-stack"];

#[test]
fn verify_tells_drift_and_connects() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let verify =
        |flags: &[&str]| world.init(&[&["verify", "--probe-timeout", "300ms"], flags].concat());
    assert_eq!(verify(&INJECTED)?.code, 4, "nothing is there");
    for flags in [&INJECTED, &TPROXY] {
        world.done(flags)?;
        let verified = verify(flags)?;
        assert_eq!(verified.code, 0, "{verified:?}");
        assert!(
            verified.output.contains("passed: the proxy"),
            "{verified:?}"
        );
    }
    let verified = world.done(&["-i", "*", "--dual-stack", "--run-validation"])?;
    for passed in [
        "an application (uid 0, gid 0) to 192.0.2.2",
        "an application (uid 0, gid 0) to [2001:db8::2]",
        "its own pod, 127.0.0.6",
        "its own pod, [::6]",
    ] {
        assert!(
            verified
                .lines()
                .any(|line| line.contains("passed:") && line.contains(passed)),
            "{passed}: {verified}"
        );
    }
    assert_eq!(verify(&INJECTED)?.code, 4, "other rules");
    for change in [
        "nft flush chain ip egret prerouting",
        "nft insert rule ip egret output accept",
        "nft add chain ip egret extra",
        "nft delete chain ip egret prerouting",
        "nft add element ip egret inbound_exclude_ports '{ 81 }'",
        "nft add table inet istio-proxy-nat",
        "nft add table inet egret",
        "iptables-nft -t nat -N ISTIO_OUTPUT",
        "nft delete table ip egret",
    ] {
        let flags = ["-u", "1337", "-i", "*", "-b", "*", "-d", "80,90-99"];
        world.done(&flags)?;
        assert_eq!(verify(&flags)?.code, 0);
        shell(&world.pod, change)?;
        let drifted = verify(&flags)?;
        assert_eq!(drifted.code, 4, "{change}: {drifted:?}");
        assert!(drifted.errors.contains("drift: "), "{drifted:?}");
    }
    let invalid = world.init(&[
        "-i",
        "*",
        "--run-validation",
        "--skip-rule-apply",
        "--probe-timeout",
        "300ms",
    ])?;
    assert_eq!(invalid.code, 126, "{invalid:?}");
    // What nft loads from a dry run is the same, to the last expression.
    let text = world.done(&[&TPROXY[..], &["--dry-run"]].concat())?;
    nft(&world.pod, &text)?;
    let same = verify(&TPROXY)?;
    assert!(!same.errors.contains("chain"), "{same:?}");
    Ok(())
}

/// Rules of istio-init in every place where they may be, told under every backend; then clean-up or another run takes
/// them away.
#[test]
fn leftovers_are_drift() -> anyhow::Result<()> {
    let leftover = "*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\nCOMMIT\n";
    let world = InitWorld::new()?;
    for backend in [
        &["--backend", "nftables"][..],
        &["--backend", "iptables", "--force-iptables-binary", "nft"],
        &["--backend", "iptables", "--force-iptables-binary", "legacy"],
    ] {
        let flags = [&INJECTED[..], backend].concat();
        let verify = || world.init(&[&["verify"], &flags[..]].concat());
        for stem in [
            "iptables-legacy",
            "ip6tables-legacy",
            "iptables-nft",
            "ip6tables-nft",
        ] {
            world.done(&flags)?;
            let verified = verify()?;
            assert_eq!(verified.code, 0, "{backend:?}: {verified:?}");
            feed(&world.pod, &format!("{stem}-restore --noflush"), leftover)?;
            let drifted = verify()?;
            assert_eq!(drifted.code, 4, "{stem} under {backend:?}: {drifted:?}");
            let drift = "drift: not expected: chain ISTIO_OUTPUT of table nat";
            assert!(drifted.errors.contains(drift), "{stem}: {drifted:?}");
        }
        world.done(&flags)?;
        assert_eq!(verify()?.code, 0, "another run takes them away");
        world.done(&["cleanup"])?;
    }
    Ok(())
}

/// Only the legacy programs can read legacy tables; without them it is said that nobody has looked.
#[test]
fn legacy_tables_that_nobody_can_read() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.done(&INJECTED)?;
    shell(&world.pod, "iptables-legacy -t nat -N ISTIO_OUTPUT")?;
    let program = world.program().display().to_string();
    let verified = shell(
        &world.pod,
        &format!("PATH=/proc/empty {program} verify -u 1337 -i '*' -b '*' 2>&1; echo code $?"),
    )?;
    assert!(
        verified.contains("legacy iptables tables that are not compared")
            && verified.contains("code 0"),
        "{verified}"
    );
    Ok(())
}

/// With Istio's CNI plugin, the init container only validates, as the proxy's user and without any capability.
#[test]
fn validation_as_the_proxy_without_capabilities() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let program = world.program().display().to_string();
    let run = || {
        shell(
            &world.pod,
            &format!(
                "setpriv --reuid 1337 --regid 1337 --clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
                 {program} -u 1337 -i '*' -b '*' --dual-stack --run-validation --skip-rule-apply --probe-timeout 300ms 2>&1; \
                 echo code $?"
            ),
        )
    };
    let failed = run()?;
    assert!(failed.contains("code 126"), "{failed}");
    world.done(&["-u", "1337", "-i", "*", "-b", "*", "--dual-stack"])?;
    let passed = run()?;
    assert!(
        passed.contains("passed: the proxy (uid 1337, gid 1337) to its own pod, 127.0.0.6")
            && passed.contains("passed: the proxy (uid 1337, gid 1337) to its own pod, [::6]")
            && passed.contains("code 0"),
        "{passed}"
    );
    Ok(())
}

/// Its connections reach the proxy, where nothing unregistered passes, and are no refused calls.
#[test]
fn verify_leaves_no_line_in_the_access_log() -> anyhow::Result<()> {
    let world = World::new("init-verify-log", Family::V4)?;
    let _origin = world.http(ELSEWHERE, 80, &at_once(|_| text(StatusCode::OK, "done\n")))?;
    let pod = world.pod(SLEEP, "default")?;
    let config = stage::registered_elsewhere()?;
    stage::redirect(&world, &pod, &egret::INJECTED)?;
    // The port is Istio's unless both programs are given another one.
    for port in [&[][..], &["--iptables-probe-port", "16002"]] {
        let settings = stage::sidecar_settings(&world, "default").with(port);
        let sidecar = settings.config(config.path()).start(&world, &pod)?;
        let arguments = [&["verify"], &egret::INJECTED[..], port].concat();
        let verified = egret::init(&world, &pod, &arguments, &[])?;
        assert_eq!(verified.code, 0, "{verified:?}");
        assert_eq!(curl(&pod, &["http://elsewhere.example/"])?.status, 200);
        // When it has ended, all lines are written.
        sidecar.signal(Signal::SIGINT)?;
        sidecar.await_log(&["INFO", "ended"])?;
        stage::until(|| Ok(!sidecar.access_log().is_empty()))?;
        let lines = sidecar.access_log();
        assert_eq!(lines.len(), 1, "{port:?} {lines:#?}");
        assert_eq!(stage::field(&lines[0], "authority"), "elsewhere.example");
    }
    Ok(())
}
