//! A kernel that lacks something: it is named, nothing is changed, and iptables takes over where it can.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use egret_tests::process::{Finished, Process};

use crate::helpers::init_world::Fate::Proxy;
use crate::helpers::init_world::{InitWorld, POD, at};

const DUAL: [&str; 7] = ["-u", "1337", "-i", "*", "-b", "*", "--dual-stack"];
const TPROXY: [&str; 2] = ["-m", "TPROXY"];

/// A world whose kernel looks to the program, and to those it starts, as if it lacked something.
struct Lacking {
    world: InitWorld,
    folder: tempfile::TempDir,
}

impl Lacking {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let source = folder.path().join("kernel.c");
        fs::write(&source, include_str!("missing_features/kernel.c"))?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .arg(folder.path().join("kernel.so"))
            .arg(source)
            .output()?;
        let errors = String::from_utf8_lossy(&built.stderr);
        anyhow::ensure!(built.status.success(), "{errors}");
        Ok(Self {
            world: InitWorld::new()?,
            folder,
        })
    }

    fn init(&self, lack: &str, flags: &[&str]) -> anyhow::Result<Finished> {
        let mut command = self.world.command(flags);
        command
            .env("LACK", lack)
            .env("LD_PRELOAD", self.folder.path().join("kernel.so"));
        Process::run(&self.world.pod, command)
    }
}

/// With rules of before, which stay, and without any.
#[test]
fn what_is_lacking_is_named_and_nothing_is_changed() -> anyhow::Result<()> {
    let world = Lacking::new()?;
    let before = world.world.state()?;
    let check = |lack: &str, flags: &[&str], words: &[&str]| {
        for earlier in [None, Some(["-i", "10.0.0.0/8", "-m", "TPROXY", "-b", "80"])] {
            if let Some(earlier) = earlier {
                world.world.done(&earlier)?;
            }
            let state = world.world.state()?;
            let refused = world.init(lack, &[&DUAL, flags].concat())?;
            assert_eq!(refused.code, 3, "{lack}: {refused:?}");
            for words in words {
                assert!(
                    refused.errors.contains(words),
                    "{lack}: {words}: {refused:?}"
                );
            }
            assert_eq!(world.world.state()?, state, "{lack} with {earlier:?}");
            world.world.done(&["cleanup"])?;
            assert_eq!(world.world.state()?, before);
        }
        anyhow::Ok(())
    };
    for mode in [&[][..], &TPROXY] {
        let nftables = [mode, &["--backend", "nftables"]].concat();
        check("nf_tables", &nftables, &["load the module nf_tables"])?;
        let instead = [mode, &["--force-iptables-binary", "nft"]].concat();
        check(
            "nf_tables",
            &instead,
            &[
                "load the module nf_tables",
                "no working iptables-nft-restore was found",
            ],
        )?;
        check(
            "redirect",
            &nftables,
            &["(all other outbound TCP)", "load the module nft_redir"],
        )?;
    }
    check(
        "policy-rules",
        &TPROXY,
        &[
            "the policy rule for mark 1337",
            "it must be built with CONFIG_IP_MULTIPLE_TABLES",
        ],
    )
}

#[test]
fn verify_and_clean_up_without_nf_tables() -> anyhow::Result<()> {
    let world = Lacking::new()?;
    let verify = [&["verify", "--backend", "nftables"], &DUAL[..]].concat();
    let verified = world.init("nf_tables", &verify)?;
    assert_eq!(verified.code, 3, "{verified:?}");
    let cleaned = world.init("nf_tables", &["cleanup"])?;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    Ok(())
}

/// iptables-nft needs nf_tables as well, so only iptables-legacy can do it.
#[test]
fn iptables_takes_over_without_nf_tables() -> anyhow::Result<()> {
    let lacking = Lacking::new()?;
    let world = &lacking.world;
    let before = world.state()?;
    world.serve_proxy((1337, 1337))?;
    for _ in 0..2 {
        let applied = lacking.init("nf_tables", &DUAL)?;
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(
            applied.output.contains("rules applied through iptables"),
            "{applied:?}"
        );
        assert_eq!(world.ruleset()?, "", "nothing is in nf_tables");
        for far in ["203.0.113.7", "2001:db8::7"] {
            assert_eq!(world.tcp((1000, 1000), None, at(far, 80)), Proxy(15001));
        }
        for own in POD {
            assert_eq!(world.tcp_from_outside(at(own, 80)), Proxy(15006));
        }
        let verified = lacking.init("nf_tables", &[&["verify"], &DUAL[..]].concat())?;
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    let other = lacking.init("nf_tables", &["verify", "-i", "10.0.0.0/8"])?;
    assert_eq!(other.code, 4, "{other:?}");
    let cleaned = lacking.init("nf_tables", &["cleanup"])?;
    assert_eq!(cleaned.code, 0, "{cleaned:?}");
    assert_eq!(world.state()?, before);
    assert!(!world.legacy()?.contains("EGRET"), "{}", world.legacy()?);
    Ok(())
}
