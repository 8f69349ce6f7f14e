//! What a run changes beside the rules, what it leaves as it is, and where it can run at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::helpers::init_world::{InitWorld, feed, shell};

const INJECTED: [&str; 6] = ["-u", "1337", "-i", "*", "-b", "*"];
const TPROXY: [&str; 5] = ["-m", "TPROXY", "-b", "*", "--dual-stack"];

/// Policy rules, and the routes of the tables that the tests write to.
const ROUTING: &str = "for f in -4 -6; do ip $f rule; for t in 100 133 177; do ip $f route show table $t 2>/dev/null || true; done; done";

/// What istio-init leaves in TPROXY mode after two runs, for a mark and a table.
fn istio(mark: u32, table: u32) -> String {
    format!(
        "for f in -4 -6; do ip $f rule add fwmark {mark} lookup {table}; ip $f rule add fwmark {mark} lookup {table} pref 32000; \
         ip $f route add local default dev lo table {table}; done"
    )
}

/// Rules and routes that resemble those of istio-init and are not.
const FOREIGN: &str = "for f in -4 -6; do ip $f rule add fwmark 99 lookup 100; ip $f route add local default dev lo table 100; \
     ip $f rule add fwmark 0x539/0xffff lookup 133; ip $f rule add fwmark 1337 iif eth1 lookup 133; \
     ip $f rule add not fwmark 1337 lookup 133; done; \
     ip rule add fwmark 1337 from 10.9.0.0/16 lookup 133; ip route add 10.77.0.0/16 dev eth0 table 133; \
     ip -6 route add fd77::/16 dev eth0 table 133";

#[test]
fn policy_rules_of_istio_init_go_and_foreign_ones_stay() -> anyhow::Result<()> {
    for flags in [&INJECTED[..], &["cleanup"]] {
        let world = InitWorld::new()?;
        shell(&world.pod, FOREIGN)?;
        let before = shell(&world.pod, ROUTING)?;
        shell(&world.pod, &istio(1337, 133))?;
        assert_ne!(shell(&world.pod, ROUTING)?, before);
        let said = world.done(flags)?;
        assert_eq!(shell(&world.pod, ROUTING)?, before, "{flags:?}");
        for left in [
            "policy rule `ip rule add fwmark 1337 lookup 133`",
            "policy rule `ip -6 rule add fwmark 1337 lookup 133`",
            "route `ip route add local default dev lo table 133`",
            "route `ip -6 route add local default dev lo table 133`",
        ] {
            assert!(said.contains(&format!("left behind: {left}")), "{said}");
        }
    }
    Ok(())
}

/// The mark and table that the flags name are looked for beside those of istio-init's defaults.
#[test]
fn policy_rules_are_found_by_the_flags_and_replaced() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    shell(&world.pod, FOREIGN)?;
    let before = shell(&world.pod, ROUTING)?;
    shell(&world.pod, &istio(77, 177))?;
    let with_leftovers = shell(&world.pod, ROUTING)?;
    world.done(&["cleanup"])?;
    assert_eq!(
        shell(&world.pod, ROUTING)?,
        with_leftovers,
        "nobody has named that mark"
    );
    let flags = [&TPROXY[..], &["-t", "77", "-r", "177"]].concat();
    for _ in 0..2 {
        world.done(&flags)?;
        let replaced = shell(&world.pod, ROUTING)?;
        assert_eq!(replaced.matches("lookup 177").count(), 2, "{replaced}");
        assert_eq!(
            replaced.matches("lookup 177 proto 230").count(),
            2,
            "{replaced}"
        );
        assert_eq!(
            replaced.matches("local default dev lo proto 230").count(),
            2,
            "{replaced}"
        );
        assert_eq!(world.init(&[&["verify"], &flags[..]].concat())?.code, 0);
    }
    world.done(&["cleanup"])?;
    assert_eq!(shell(&world.pod, ROUTING)?, before);
    shell(&world.pod, &istio(77, 177))?;
    world.done(&["cleanup", "-t", "77", "-r", "177"])?;
    assert_eq!(shell(&world.pod, ROUTING)?, before);
    Ok(())
}

/// Handles are never given twice, so they tell whether a table was kept.
#[test]
fn equal_rules_are_kept_unless_forced() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let flags = [&INJECTED[..], &["-d", "15090,15020-15021"]].concat();
    let handle = || shell(&world.pod, "nft -a list table ip egret | head -n 1");
    let said = world.done(&flags)?;
    assert!(said.contains("rules applied"), "{said}");
    let first = handle()?;
    let said = world.done(&flags)?;
    assert!(said.contains("rules are in place already"), "{said}");
    assert_eq!(handle()?, first);
    let said = world.done(&[&flags[..], &["--force-apply"]].concat())?;
    assert!(said.contains("rules applied"), "{said}");
    let forced = handle()?;
    assert_ne!(forced, first);
    for change in [
        "nft insert rule ip egret prerouting tcp dport != @inbound_exclude_ports accept; \
         nft delete rule ip egret prerouting handle $(nft -a list chain ip egret prerouting | \
         sed -n 's/.*tcp dport @inbound_exclude_ports.*handle //p')",
        "nft add table ip egret '{ flags dormant; }'",
        "nft chain ip egret output '{ policy drop; }'",
        "nft add element ip egret inbound_exclude_ports '{ 9 }'",
    ] {
        let before = handle()?;
        shell(&world.pod, change)?;
        let verified = world.init(&[&["verify"], &flags[..]].concat())?;
        assert_eq!(verified.code, 4, "{change}: {verified:?}");
        world.done(&flags)?;
        assert_ne!(handle()?, before, "{change}");
        assert_eq!(world.init(&[&["verify"], &flags[..]].concat())?.code, 0);
    }
    Ok(())
}

/// A rule that asks whether a port is outside a set instead of inside, and is the same in all else, is another rule.
#[test]
fn an_inverted_rule_is_drift() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let flags = [&INJECTED[..], &["-d", "15090,15020-15021"]].concat();
    world.done(&flags)?;
    let text = world.done(&[&flags[..], &["--dry-run"]].concat())?;
    let inverted = text.replace("tcp dport @inbound", "tcp dport != @inbound");
    assert_ne!(text, inverted);
    feed(&world.pod, "nft -f -", &text)?;
    assert_eq!(world.init(&[&["verify"], &flags[..]].concat())?.code, 0);
    feed(&world.pod, "nft -f -", &inverted)?;
    let verified = world.init(&[&["verify"], &flags[..]].concat())?;
    assert_eq!(verified.code, 4, "{verified:?}");
    assert!(
        verified.errors.contains("of chain prerouting differs"),
        "{verified:?}"
    );
    Ok(())
}

/// A root with the program, what it is linked with, and the program that drops the rights; read-only, without /proc,
/// /dev, /etc and /tmp.
#[test]
fn an_empty_read_only_root_and_one_capability() -> anyhow::Result<()> {
    let world = InitWorld::new()?;
    let root = tempfile::tempdir()?;
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755))?;
    let path = root.path().display().to_string();
    for program in [world.program().as_path(), Path::new("setpriv")] {
        let name = program.display();
        shell(
            &world.pod,
            &format!(
                "p=$(command -v {name}); cp $p {path}/; \
                 for f in $(ldd $p | grep -o '/[^ ]*'); do mkdir -p {path}$(dirname $f); cp -n $f {path}$f; done"
            ),
        )?;
    }
    shell(
        &world.pod,
        &format!("mount --bind {path} {path}; mount -o remount,ro,bind {path}"),
    )?;
    let written = shell(
        &world.pod,
        &format!("touch {path}/file 2>&1 || echo refused"),
    )?;
    assert!(written.contains("refused"), "{written}");
    let run = |capabilities: &str, flags: &str| {
        shell(
            &world.pod,
            &format!(
                "chroot {path} /setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set=-all{capabilities} \
                 --inh-caps=-all{capabilities} --ambient-caps=-all{capabilities} -- /egret-init {flags} 2>&1; echo code $?"
            ),
        )
    };
    let flags = "-u 1337 -i '*' -b '*' -m TPROXY --dual-stack";
    for denied in [flags, "cleanup"] {
        let refused = run("", denied)?;
        assert!(
            refused.contains("give the container the capability NET_ADMIN")
                && refused.contains("code 1"),
            "{refused}"
        );
    }
    assert_eq!(world.ruleset()?, "");
    for expected in ["rules applied", "rules are in place already"] {
        let applied = run(",+net_admin", flags)?;
        assert!(
            applied.contains(expected) && applied.contains("code 0"),
            "{applied}"
        );
    }
    world.done(&[
        "verify",
        "-u",
        "1337",
        "-i",
        "*",
        "-b",
        "*",
        "-m",
        "TPROXY",
        "--dual-stack",
    ])?;
    let cleaned = run(",+net_admin", "cleanup")?;
    assert!(cleaned.contains("code 0"), "{cleaned}");
    assert_eq!(world.ruleset()?, "");
    Ok(())
}

/// What fails in the second family is undone in the first.
#[test]
fn iptables_of_one_family_do_not_stay_alone() -> anyhow::Result<()> {
    let foreign = "*nat\n-A OUTPUT -p tcp -m tcp --dport 7 -j RETURN\n-A PREROUTING -i eth9 -j RETURN\nCOMMIT\n";
    let leftover = "*nat\n:ISTIO_OUTPUT - [0:0]\n-I OUTPUT 1 -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -p tcp -j RETURN\nCOMMIT\n";
    let world = InitWorld::new()?;
    let broken = tempfile::tempdir()?;
    fs::set_permissions(broken.path(), fs::Permissions::from_mode(0o755))?;
    let fake = broken.path().join("ip6tables-nft-restore");
    fs::write(
        &fake,
        "#!/bin/sh\ncat > /dev/null\necho no room >&2\nexit 4\n",
    )?;
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755))?;
    let program = world.program().display().to_string();
    let run = |flags: &str| {
        shell(
            &world.pod,
            &format!(
                "PATH={}:$PATH {program} --backend iptables {flags} 2>&1; echo code $?",
                broken.path().display()
            ),
        )
    };
    let saved = || {
        shell(
            &world.pod,
            "for f in iptables ip6tables; do $f-nft-save | sed 's/\\[.*//; /^#/d'; done",
        )
    };
    feed(&world.pod, "iptables-nft-restore --noflush", foreign)?;
    let flags = "-u 1337 -i '*' -b '*' --dual-stack";
    // Where nothing of ours was, where istio-init's rules were, and where our own were.
    for before in ["true", "iptables-nft-restore --noflush", "ours"] {
        match before {
            "true" => {}
            "ours" => {
                let ours = format!("{program} --backend iptables -u 7 -i 10.0.0.0/8 --dual-stack");
                shell(&world.pod, &ours).map(drop)?;
            }
            restore => feed(&world.pod, restore, leftover)?,
        }
        let rules = saved()?;
        let failed = run(flags)?;
        assert!(
            failed.contains("ip6tables-nft-restore failed: no room")
                && failed.contains("the rules of before are back in both families")
                && failed.contains("code 1"),
            "{failed}"
        );
        // Chains that iptables makes for every table stay, empty.
        let only = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| {
                line.starts_with("-A") || line.contains(":ISTIO") || line.contains(":EGRET")
            });
            lines.map(str::to_owned).collect()
        };
        assert_eq!(only(&saved()?), only(&rules), "{before}");
    }
    Ok(())
}
