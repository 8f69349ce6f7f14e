//! Dependencies are as `deny.toml` allows: licences, one version of each, and crates.io as the only source. cargo-deny
//! checks the same file where it is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

const REGISTRY: &str = "crates.io";

/// A dependency of any kind.
struct Package {
    name: String,
    version: String,
    /// An SPDX expression; empty when none is stated.
    licence: String,
    /// Empty for our own crates.
    source: String,
}

/// The lists of `deny.toml`.
struct Allowed {
    licences: BTreeSet<String>,
    /// Versions that may stand beside another one, as `name@1` or `name@0.22`.
    beside: BTreeSet<String>,
}

#[test]
fn dependencies_are_as_deny_toml_allows() -> anyhow::Result<()> {
    let problems = problems(&packages()?, &Allowed::read()?);
    assert_eq!(problems, Vec::<String>::new());
    Ok(())
}

#[test]
fn what_is_not_allowed_is_found() {
    let package = |name: &str, version: &str, licence: &str, source: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: licence.to_owned(),
        source: source.to_owned(),
    };
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    let allowed = Allowed {
        licences: texts(&["MIT", "ISC", "Zlib"]),
        beside: texts(&["old@0.22", "gone@1"]),
    };
    let packages = [
        package("both", "1.0.0", "MIT AND (GPL-3.0 OR ISC)", REGISTRY),
        package("copyleft", "1.0.0", "MIT AND GPL-3.0", REGISTRY),
        package("silent", "1.0.0", "", REGISTRY),
        package("old", "0.22.1", "GPL-3.0/MIT", REGISTRY),
        package("old", "0.23.0", "MIT", REGISTRY),
        package("twice", "1.0.0", "MIT", REGISTRY),
        package("twice", "2.0.0", "MIT", REGISTRY),
        package("elsewhere", "1.0.0", "MIT", "https://example.com/x"),
        package("own", "0.1.0", "ISC", ""),
    ];
    assert_eq!(
        problems(&packages, &allowed),
        [
            "copyleft 1.0.0: the licence \"MIT AND GPL-3.0\" is not allowed",
            "silent 1.0.0: no licence is stated",
            "elsewhere 1.0.0: comes from https://example.com/x",
            "twice: versions 1.0.0, 2.0.0",
            "deny.toml skips gone@1, which nothing needs",
            "deny.toml allows Zlib, which nothing needs",
        ]
    );
}

fn problems(packages: &[Package], allowed: &Allowed) -> Vec<String> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut unused_licences = allowed.licences.clone();
    let mut unused_beside = allowed.beside.clone();
    for package in packages {
        let Package {
            name,
            version,
            licence,
            source,
        } = package;
        if licence.is_empty() {
            problems.push(format!("{name} {version}: no licence is stated"));
        } else if !satisfied(licence, &allowed.licences) {
            problems.push(format!(
                "{name} {version}: the licence {licence:?} is not allowed"
            ));
        }
        unused_licences.retain(|one| !words(licence).contains(&one.as_str()));
        if !source.is_empty() && source != REGISTRY {
            problems.push(format!("{name} {version}: comes from {source}"));
        }
        let skipped = allowed.beside.iter().find(|entry| {
            entry.split_once('@').is_some_and(|(own, prefix)| {
                own == name && (version == prefix || version.starts_with(&format!("{prefix}.")))
            })
        });
        match skipped {
            Some(entry) => {
                unused_beside.remove(entry);
            }
            None => versions.entry(name).or_default().push(version),
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        problems.push(format!("{name}: versions {}", versions.join(", ")));
    }
    let unused = |what: String| format!("deny.toml {what}, which nothing needs");
    problems.extend(
        unused_beside
            .iter()
            .map(|one| unused(format!("skips {one}"))),
    );
    problems.extend(
        unused_licences
            .iter()
            .map(|one| unused(format!("allows {one}"))),
    );
    problems
}

/// Whether allowed licences meet an SPDX expression; `/` is an old way to write OR.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let words = words(expression);
    let mut rest = words.as_slice();
    let result = any_of(&mut rest, allowed);
    result && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut result = all_of(rest, allowed);
    while let ["OR" | "/", after @ ..] = *rest {
        *rest = after;
        result |= all_of(rest, allowed);
    }
    result
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut result = one(rest, allowed);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        result &= one(rest, allowed);
    }
    result
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let result = any_of(rest, allowed);
            if let [")", after @ ..] = *rest {
                *rest = after;
            }
            result
        }
        // An exception only adds permissions.
        [licence, "WITH", _, after @ ..] | [licence, after @ ..] => {
            *rest = after;
            allowed.contains(*licence)
        }
        [] => false,
    }
}

fn words(expression: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in expression.split(' ') {
        let mut word = word;
        while let Some(at) = word.find(['(', ')', '/']) {
            words.extend([&word[..at], &word[at..=at]]);
            word = &word[at + 1..];
        }
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    words
}

/// All packages that a build on Linux needs, for tests too, our own included.
fn packages() -> anyhow::Result<Vec<Package>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline"])
        .args([
            "--target",
            "x86_64-unknown-linux-gnu",
            "--edges",
            "normal,build,dev",
        ])
        .args(["--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let lines: BTreeSet<&str> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    lines.into_iter().map(package).collect()
}

/// Reads `name v1.2.3|MIT`, with `(proc-macro)`, a folder or an address of git behind the version.
fn package(line: &str) -> anyhow::Result<Package> {
    let (package, licence) = line
        .split_once('|')
        .context("cargo tree prints the licence")?;
    let mut words = package.splitn(3, ' ');
    let (name, version) = (words.next(), words.next());
    let more = words.next().unwrap_or_default().replace("(proc-macro)", "");
    let more = more.trim().trim_matches(['(', ')']);
    Ok(Package {
        name: name.unwrap_or_default().to_owned(),
        version: version
            .unwrap_or_default()
            .trim_start_matches('v')
            .to_owned(),
        licence: licence.to_owned(),
        source: match more {
            "" => REGISTRY.to_owned(),
            folder if folder.starts_with('/') => String::new(),
            other => other.to_owned(),
        },
    })
}

impl Allowed {
    /// Reads the lists `allow` and `skip`, an entry a line.
    fn read() -> anyhow::Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
        let toml = fs::read_to_string(file)?;
        let list = |beginning: &str| -> anyhow::Result<Vec<String>> {
            let (_, rest) = toml
                .split_once(beginning)
                .with_context(|| format!("deny.toml has {beginning:?}"))?;
            let (list, _) = rest.split_once("\n]").context("a list of deny.toml ends")?;
            let entries = list.lines().filter_map(|line| line.split('"').nth(1));
            Ok(entries.map(str::to_owned).collect())
        };
        Ok(Self {
            licences: list("\nallow = [")?.into_iter().collect(),
            beside: list("\nskip = [")?.into_iter().collect(),
        })
    }
}
