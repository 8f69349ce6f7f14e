//! Applying again, changing, cleaning up, and what of others stays or goes.

use crate::helpers::init_world::{InitWorld, feed, nft, shell};

const INJECTED: [&str; 6] = ["-u", "1337", "-i", "*", "-b", "*"];
const TPROXY: [&str; 6] = ["-m", "TPROXY", "-b", "*", "--redirect-dns", "--dual-stack"];

#[test]
fn again_otherwise_and_gone() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let untouched = world.state()?;
    world.done(&TPROXY)?;
    let transparent = world.state()?;
    assert_eq!(
        transparent.matches("lookup 133").count(),
        2,
        "{transparent}"
    );
    assert!(transparent.contains("::6/128"), "{transparent}");
    world.done(&TPROXY)?;
    assert_eq!(world.state()?, transparent, "a second run changes nothing");
    world.done(&["-m", "TPROXY", "-b", "*", "-t", "99", "-r", "200"])?;
    let other = world.state()?;
    assert_eq!(
        (
            other.matches("lookup 133").count(),
            other.matches("lookup 200").count()
        ),
        (0, 1),
        "{other}"
    );
    assert!(!other.contains("::6/128"), "{other}");
    let nothing_inbound = ["-m", "TPROXY", "-i", "*", "--dual-stack"];
    world.done(&nothing_inbound)?;
    let outbound_alone = world.state()?;
    assert!(
        !outbound_alone.contains("lookup 200") && !outbound_alone.contains("lookup 133"),
        "nothing is marked where nothing inbound is captured: {outbound_alone}"
    );
    world.done(&INJECTED)?;
    let redirected = world.state()?;
    assert!(
        !redirected.contains("lookup 200") && !redirected.contains("zone"),
        "{redirected}"
    );
    world.done(&["--cleanup-only", "-u", "5"])?;
    assert_eq!(
        world.state()?,
        untouched,
        "without the flags it was made with"
    );
    world.done(&["cleanup"])?;
    assert_eq!(world.state()?, untouched, "with nothing to clean up");
    Ok(())
}

/// Whoever comes second sees what the first has done, also where their tables are of different families.
#[test]
fn two_at_once() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let program = world.program().display().to_string();
    for _ in 0..20 {
        let both = format!(
            "{program} -i '*' & first=$!; {program} -i '*' --ipv6 on & second=$!; wait $first && wait $second"
        );
        shell(&world.pod, &both)?;
        let ruleset = world.ruleset()?;
        assert_eq!(ruleset.matches(" egret {").count(), 1, "{ruleset}");
        world.done(&["cleanup"])?;
    }
    Ok(())
}

/// Rules and sets of others, in nftables and in both kinds of iptables.
#[test]
fn foreign_rules_stay_and_leftovers_go() -> anyhow::Result<()> {
    let foreign = "*nat\n:KUBE - [0:0]\n-A OUTPUT -p tcp -m tcp --dport 7 -j KUBE\n-A KUBE -j RETURN\n\
                   -A PREROUTING -i eth9 -j RETURN\nCOMMIT\n\
                   *mangle\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:PREROUTING ACCEPT [0:0]\n\
                   -A OUTPUT -p tcp -m tcp --dport 7 -j RETURN\nCOMMIT\n";
    let istio = "*nat\n:ISTIO_INBOUND - [0:0]\n:ISTIO_IN_REDIRECT - [0:0]\n:ISTIO_OUTPUT - [0:0]\n\
                 -A PREROUTING -p tcp -j ISTIO_INBOUND\n-A OUTPUT -j ISTIO_OUTPUT\n\
                 -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT\n-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006\n\
                 -A ISTIO_OUTPUT -p tcp -j ISTIO_IN_REDIRECT\nCOMMIT\n\
                 *mangle\n:ISTIO_DROP - [0:0]\n-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP\n-A ISTIO_DROP -j DROP\nCOMMIT\n";
    for program in [
        "iptables-nft",
        "ip6tables-nft",
        "iptables-legacy",
        "ip6tables-legacy",
    ] {
        let through_iptables = [&INJECTED[..], &["--backend", "iptables"]].concat();
        for flags in [&INJECTED[..], &through_iptables, &["cleanup"]] {
            let world = InitWorld::new()?;
            let restore = format!("{program}-restore --noflush");
            let saved = || {
                shell(
                    &world.pod,
                    &format!("{program}-save | sed 's/\\[.*//; /^#/d'"),
                )
            };
            nft(
                &world.pod,
                "table inet mine {\n chain output {\n type nat hook output priority -90;\n tcp dport 7 accept\n }\n}\n",
            )?;
            feed(&world.pod, &restore, foreign)?;
            let before = saved()?;
            feed(&world.pod, &restore, istio)?;
            nft(
                &world.pod,
                "table inet istio-proxy-nat {\n chain x {\n type nat hook output priority -100;\n tcp dport 8 redirect to :15001\n }\n}\n",
            )?;
            let said = world.done(flags)?;
            assert!(
                said.contains("left behind: chain ISTIO_OUTPUT of table nat"),
                "{said}"
            );
            let mut after = saved()?;
            assert!(!after.contains("ISTIO"), "{program}: {after}");
            // iptables-nft-save lists what it knows in the order in which it was made, and ours with it.
            let sort = |text: &mut String| {
                let lines = text.lines().filter(|line| !line.contains("EGRET_"));
                let mut lines: Vec<&str> = lines.collect();
                lines.sort_unstable();
                *text = lines.join("\n");
            };
            let mut before = before;
            sort(&mut before);
            sort(&mut after);
            assert_eq!(after, before, "{program}");
            let ruleset = world.ruleset()?;
            assert!(
                ruleset.contains("table inet mine") && !ruleset.contains("istio-proxy"),
                "{ruleset}"
            );
        }
    }
    Ok(())
}

/// Bad flags are all told, and nothing is touched.
#[test]
fn bad_flags_touch_nothing() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    world.done(&INJECTED)?;
    let before = world.state()?;
    for (flags, faults) in [
        (
            &[
                "-p",
                "0",
                "-q",
                "x",
                "-i",
                "1.2.3.4",
                "--ipv6",
                "y",
                "-t",
                "z",
                "--backend",
                "w",
            ][..],
            6,
        ),
        (&["-m", "TPROXY", "-r", "255"], 1),
        (&["-x", "*"], 1),
        (&["-c", "a/b,c/d"], 2),
        (&["--force-iptables-binary", "new"], 1),
        (&["--network-namespace", "/nowhere"], 1),
        (
            &[
                "--dry-run",
                "--ipv6",
                "off",
                "DRY_RUN_FILE_PATH=/nowhere/rules",
            ],
            1,
        ),
    ] {
        let refused = world.init(flags)?;
        assert_eq!(
            (refused.code, refused.errors.lines().count()),
            (1, faults),
            "{refused:?}"
        );
    }
    assert_eq!(world.init(&["--no-such-flag"])?.code, 2);
    let program = world.program().display().to_string();
    let missing = shell(
        &world.pod,
        &format!("PATH=/nowhere {program} --backend iptables 2>&1; echo code $?"),
    )?;
    assert!(
        missing.contains("no working iptables-nft-restore or") && missing.contains("code 3"),
        "{missing}"
    );
    assert_eq!(world.state()?, before);
    Ok(())
}

/// Istio's own nftables backend applies its rules in a dry run.
#[test]
fn what_only_prints_or_looks_changes_nothing() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let dry = [&TPROXY[..], &["--dry-run"]].concat();
    for earlier in [None, Some(INJECTED)] {
        if let Some(earlier) = earlier {
            world.done(&earlier)?;
        }
        let before = world.state()?;
        for flags in [
            &dry[..],
            &[&dry[..], &["--native-nftables", "--force-apply"]].concat(),
            &[&dry[..], &["--backend", "iptables", "--run-validation"]].concat(),
            &[&TPROXY[..], &["--skip-rule-apply"]].concat(),
            &["cleanup", "--dry-run"],
            &["explain", "--uid", "5", "--to", "192.0.2.1:80", "-i", "*"],
        ] {
            world.done(flags)?;
            assert_eq!(world.state()?, before, "{flags:?}");
            assert!(!world.legacy()?.contains("EGRET"), "{flags:?}");
        }
    }
    Ok(())
}

#[test]
fn a_pod_without_addresses_is_refused() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    shell(&world.pod, "ip addr flush dev eth0; ip addr flush dev eth1")?;
    let before = world.state()?;
    let refused = world.init(&INJECTED)?;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.errors.contains("addresses of this pod: none"),
        "{refused:?}"
    );
    assert_eq!(world.state()?, before);
    Ok(())
}

/// Each backend replaces the rules of every other, and each is removed by a clean-up that is told of none.
#[test]
fn backends_replace_each_other() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let untouched = world.state()?;
    let backends = [
        &["--backend", "nftables"][..],
        &["--backend", "iptables", "--force-iptables-binary", "nft"],
        &["--backend", "iptables", "--force-iptables-binary", "legacy"],
    ];
    // Which of the three has rules.
    let loaded = || -> anyhow::Result<[bool; 3]> {
        let nft = world.ruleset()?;
        Ok([
            nft.contains(" egret {"),
            nft.contains("EGRET_OUTPUT"),
            world.legacy()?.contains("EGRET_OUTPUT"),
        ])
    };
    for (from, first) in backends.iter().enumerate() {
        for (to, second) in backends.iter().enumerate() {
            world.done(&[&INJECTED, *first].concat())?;
            let mut expected = [false; 3];
            expected[from] = true;
            assert_eq!(loaded()?, expected, "{first:?}");
            world.done(&[&INJECTED, *second, &["--dual-stack"]].concat())?;
            let mut expected = [false; 3];
            expected[to] = true;
            assert_eq!(loaded()?, expected, "{first:?}, then {second:?}");
            world.done(&["cleanup"])?;
            assert_eq!(loaded()?, [false; 3], "{second:?} cleaned up");
        }
    }
    // Tables that iptables-nft made for itself stay, empty.
    shell(&world.pod, "nft flush ruleset")?;
    assert_eq!(world.state()?, untouched);
    Ok(())
}

/// The listing reads like documentation.
#[test]
fn every_rule_counts_and_says_why() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    for flags in [&INJECTED[..], &TPROXY] {
        let said = world.done(flags)?;
        let rules = shell(&world.pod, "nft list ruleset")?;
        let documented = rules
            .lines()
            .filter(|line| line.contains("counter packets ") && line.contains(" comment \""));
        let told = format!("egret-init: {} rules applied", documented.count());
        assert!(said.contains(&told), "{told}: {said}\n{rules}");
    }
    Ok(())
}

#[test]
fn without_root() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let program = world.program().display().to_string();
    let run = |capabilities: &str| {
        let line = format!(
            "setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set=-all,{capabilities} --inh-caps=-all,{capabilities} \
             --ambient-caps=-all,{capabilities} {program} -u 1337 -i '*' -b '*' --dual-stack 2>&1"
        );
        shell(&world.pod, &format!("{line}; echo code $?"))
    };
    let refused = run("-net_admin")?;
    assert!(
        refused.contains("give the container the capability NET_ADMIN")
            && refused.contains("code 1"),
        "{refused}"
    );
    assert_eq!(world.ruleset()?, "");
    let applied = run("+net_admin")?;
    assert!(
        applied.contains("rules applied") && applied.contains("code 0"),
        "{applied}"
    );
    world.done(&["verify", "-u", "1337", "-i", "*", "-b", "*", "--dual-stack"])?;
    Ok(())
}

#[test]
fn another_namespace_and_a_file() -> anyhow::Result<()> {
    let (here, there) = (InitWorld::new()?, InitWorld::new()?);
    let path = there.pod.netns_path();
    here.done(&[&INJECTED[..], &["--network-namespace", &path, "--cni-mode"]].concat())?;
    assert_eq!(here.ruleset()?, "");
    assert!(there.ruleset()?.contains("table ip egret"));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rules");
    let mut command = here.command(&[
        "istio-iptables",
        "-i",
        "*",
        "--dry-run",
        "--log_output_level=default:info",
    ]);
    command.env("DRY_RUN_FILE_PATH", &file);
    let done = egret_tests::process::Process::run(&here.pod, command)?;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(std::fs::read_to_string(file)?, done.output);
    Ok(())
}

/// Ten thousand ranges, some of them inside others, become a few sets and no more rules.
#[test]
fn many_ranges() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let ranges: Vec<String> = (0..10_000u32)
        .map(|place| format!("1.{}.{}.0/25", place / 100, place % 100))
        .chain(["1.1.0.0/24".to_owned(), "1.1.0.0/25".to_owned()])
        .collect();
    let done = world.done(&["-i", "*", "-x", &ranges.join(",")])?;
    assert!(done.contains("egret-init: 9 rules applied"), "{done}");
    let listed = shell(
        &world.pod,
        "nft list set ip egret outbound_exclude_ipv4 | grep -o '1\\.[0-9.]*/2[45]' | wc -l",
    )?;
    assert_eq!(
        listed.trim(),
        "10000",
        "one covers another, and one was there twice"
    );
    Ok(())
}
