//! The programs iptables-save and iptables-restore: the fallback where the kernel has no nf_tables, and the only way to
//! what older programs left in legacy tables. This is the only module that starts a process.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;
use thiserror::Error;

use crate::intent::Binary;
use crate::render::iptables::{Table, tables};
use crate::rules::{Family, RuleSet};
use crate::stale_rules::{StaleRules, stale_rules};

/// Why iptables could not do it.
#[derive(Debug, Error)]
pub enum Failure {
    /// None of the programs is there and works.
    #[error("no working {0} was found")]
    Missing(String),
    /// A program could not be run.
    #[error("cannot run {program}: {error}")]
    Unusable {
        /// Its name.
        program: String,
        /// The system's reason.
        error: io::Error,
    },
    /// A program refused.
    #[error("{program} failed: {stderr}")]
    Refused {
        /// Its name.
        program: String,
        /// Its standard error.
        stderr: String,
    },
    /// A program failed, and what others had done before it was undone.
    #[error("{failure}; {}", undone(troubles))]
    Undone {
        /// How it failed.
        failure: Box<Self>,
        /// What could not be undone, and why.
        troubles: Vec<String>,
    },
}

fn undone(troubles: &[String]) -> String {
    if troubles.is_empty() {
        return "the rules of before are back in both families".to_owned();
    }
    format!(
        "the rules of before could not be put back: {}",
        troubles.join("; ")
    )
}

/// One of the variants of iptables, for one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iptables {
    /// `iptables` or `ip6tables`, with the variant's suffix.
    stem: String,
    /// The rules that were there when it was found.
    saved: String,
}

impl Iptables {
    /// Finds the variant that works: the chosen one, or legacy where it has tables already, or any.
    ///
    /// # Errors
    /// When none works.
    pub fn find(family: Family, binary: Option<Binary>) -> Result<Self, Failure> {
        let variants: &[&str] = match binary {
            Some(Binary::Legacy) => &["-legacy"],
            Some(Binary::Nft) => &["-nft"],
            None if !with_legacy_tables(&[family]).is_empty() => &["-legacy", "-nft", ""],
            None => &["-nft", "", "-legacy"],
        };
        let name = name(family);
        for variant in variants {
            let stem = format!("{name}{variant}");
            if let Ok(saved) = run(&format!("{stem}-save"), &[], "") {
                return Ok(Self { stem, saved });
            }
        }
        let names: Vec<String> = variants
            .iter()
            .map(|variant| format!("{name}{variant}-restore"))
            .collect();
        Err(Failure::Missing(names.join(" or ")))
    }

    /// Whether it makes nf_tables rules rather than legacy ones.
    pub fn is_of_nftables(&self) -> bool {
        // Programs without a suffix print their variant in brackets, unless they are older than nf_tables.
        self.stem.ends_with("-nft")
            || !self.stem.ends_with("-legacy")
                && run(&self.stem, &["--version"], "")
                    .is_ok_and(|version| version.contains("nf_tables"))
    }

    /// Replaces our rules, and what istio-init left behind, by these. Gives the names of the chains removed.
    ///
    /// # Errors
    /// When the program refuses. Each table is replaced whole or not at all.
    pub fn replace(&self, rules: &RuleSet, family: Family) -> Result<Vec<String>, Failure> {
        self.load(&tables(rules, family))
    }

    /// Removes our rules and what istio-init left behind. Gives the names of the chains removed.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn remove(&self) -> Result<Vec<String>, Failure> {
        self.load(&[])
    }

    /// Puts back what [`Self::replace`] has replaced, as it was found, at the same positions among the rules of others.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn restore_saved(&self) -> Result<(), Failure> {
        let now = run(&format!("{}-save", self.stem), &[], "")?;
        let (now, before) = (stale_rules(&now), stale_rules(&self.saved));
        if now == before {
            return Ok(());
        }
        self.restore(|name| {
            let of = |tables: &[StaleRules]| tables.iter().position(|table| table.table == name);
            let removal = of(&now).map(|index| now[index].removal());
            let restoration = of(&before).map(|index| before[index].restoration());
            removal.unwrap_or_default() + &restoration.unwrap_or_default()
        })
    }

    /// What differs between the rules that are there and these, one line each.
    pub fn differences(&self, rules: &RuleSet, family: Family) -> Vec<String> {
        let mut differences = Vec::new();
        for table in tables(rules, family) {
            let present: Vec<&str> = lines(&self.saved, table.name);
            let expected: Vec<&str> = table.lines().collect();
            // The order of chains has no meaning, so only lines are compared, and their order in a chain.
            for chain in chains(&expected).iter().chain(&chains(&present)) {
                let of_chain = |lines: &[&str]| -> Vec<String> {
                    let lines = lines.iter().filter(|line| chain_of(line) == *chain);
                    lines.map(|line| (*line).to_owned()).collect()
                };
                let difference = format!("chain {chain} of table {} of {}", table.name, self.stem);
                if of_chain(&expected) != of_chain(&present) && !differences.contains(&difference) {
                    differences.push(difference);
                }
            }
        }
        differences
    }

    /// The chains of ours and of istio-init that were there when it was found.
    pub fn stale_chains(&self) -> Vec<String> {
        self.chains_that(|_| true)
    }

    /// Those of istio-init.
    pub fn istio_chains(&self) -> Vec<String> {
        self.chains_that(|chain| chain.starts_with("ISTIO_"))
    }

    fn chains_that(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for table in stale_rules(&self.saved) {
            for chain in table.chains.iter().filter(|chain| is_meant(chain)) {
                names.push(format!(
                    "chain {chain} of table {} of {}",
                    table.table, self.stem
                ));
            }
        }
        names
    }

    fn load(&self, tables: &[Table]) -> Result<Vec<String>, Failure> {
        let stale_rules = stale_rules(&self.saved);
        self.restore(|name| {
            let old = stale_rules.iter().find(|table| table.table == name);
            let mut part = old.map(StaleRules::removal).unwrap_or_default();
            if let Some(new) = tables.iter().find(|table| table.name == name) {
                for chain in new.chain_names() {
                    part.push_str(&format!(":{chain} - [0:0]\n"));
                }
                for line in new.lines() {
                    part.push_str(line);
                    part.push('\n');
                }
            }
            part
        })?;
        let names = stale_rules.iter().flat_map(|table| {
            let chains = table.chains.iter();
            chains.map(|chain| format!("chain {chain} of table {}", table.table))
        });
        Ok(names.collect())
    }

    /// Loads what `part` has for each table.
    fn restore(&self, part: impl Fn(&str) -> String) -> Result<(), Failure> {
        let mut text = String::new();
        for name in ["raw", "mangle", "nat", "filter", "security"] {
            let part = part(name);
            if !part.is_empty() {
                text.push_str(&format!("*{name}\n{part}COMMIT\n"));
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        // Legacy tables are guarded by a lock that another program may hold for a moment.
        let program = format!("{}-restore", self.stem);
        run(&program, &["--noflush", "--wait", "30"], &text)?;
        Ok(())
    }
}

/// The families, of these, for which there are legacy tables in this network namespace.
pub fn with_legacy_tables(families: &[Family]) -> Vec<Family> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    // Finding the folder takes the kernel longer than all the rest of the question.
    let Ok(folder) = open("/proc/net", flags | OFlag::O_DIRECTORY, Mode::empty()) else {
        return Vec::new();
    };
    let has = |family: &Family| {
        let name = match family {
            Family::Ipv4 => "ip_tables_names",
            Family::Ipv6 => "ip6_tables_names",
        };
        // The file has no size to ask for, and it is enough to know whether it is empty.
        openat(&folder, name, flags, Mode::empty())
            .and_then(|names| read(names, &mut [0; 1]))
            .is_ok_and(|length| length > 0)
    };
    families.iter().copied().filter(has).collect()
}

fn name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "iptables",
        Family::Ipv6 => "ip6tables",
    }
}

/// The lines of a table that are ours: those of our chains, and those that jump to them.
fn lines<'a>(saved: &'a str, table: &str) -> Vec<&'a str> {
    let header = format!("*{table}");
    let of_table = saved.lines().skip_while(|line| *line != header);
    let of_table = of_table.take_while(|line| *line != "COMMIT");
    of_table
        .filter(|line| line.starts_with("-A ") && line.contains("EGRET_"))
        .collect()
}

fn chains(lines: &[&str]) -> Vec<String> {
    let mut chains: Vec<String> = lines.iter().map(|line| chain_of(line).to_owned()).collect();
    chains.dedup();
    chains
}

fn chain_of<'a>(line: &&'a str) -> &'a str {
    line.split(' ').nth(1).unwrap_or_default()
}

/// Runs a program over an input and gives its output.
fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, Failure> {
    let unusable = |error| Failure::Unusable {
        program: program.to_owned(),
        error,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(unusable)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing prints why it ends.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(unusable)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::Refused {
        program: program.to_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
