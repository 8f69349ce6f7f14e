//! Results as they are saved, and what they sum up to.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::proxy::machine;
use crate::proxy::sidecar::Contestant;

/// A run: where, when, how long, and each measurement.
#[derive(Serialize, Deserialize)]
pub(super) struct Results {
    /// As `2026-11-21`.
    pub(super) date: String,
    pub(super) machine: String,
    /// The versions of both proxies.
    pub(super) versions: BTreeMap<String, String>,
    pub(super) secs: u32,
    pub(super) rounds: u32,
    pub(super) measurements: Vec<Measurement>,
}

/// One flow through one proxy, once.
#[derive(Serialize, Deserialize)]
pub(super) struct Measurement {
    pub(super) flow: String,
    pub(super) proxy: String,
    pub(super) values: BTreeMap<String, f64>,
}

impl Results {
    /// A run without measurements yet.
    pub(super) fn new(secs: u32, rounds: u32) -> anyhow::Result<Self> {
        Ok(Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            machine: machine::description()?,
            versions: versions()?,
            secs,
            rounds,
            measurements: Vec::new(),
        })
    }

    /// The median of a value over all rounds.
    pub(super) fn median(&self, flow: &str, proxy: Contestant, value: &str) -> Option<f64> {
        let mut all: Vec<f64> = self
            .measurements
            .iter()
            .filter(|one| one.flow == flow && one.proxy == proxy.name())
            .filter_map(|one| one.values.get(value).copied())
            .collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}

fn versions() -> anyhow::Result<BTreeMap<String, String>> {
    let envoy = std::env::var("ENVOY_BIN").context("ENVOY_BIN names the Envoy to compare with")?;
    let egret = egret_tests::topology::built_folder()?.join("egret-proxy");
    anyhow::ensure!(egret.exists(), "{} is missing", egret.display());
    let mut versions = BTreeMap::new();
    for (contestant, program) in [
        (Contestant::Envoy, envoy.into()),
        (Contestant::Egret, egret),
    ] {
        let output = Command::new(&program).arg("--version").output();
        let output = output.with_context(|| format!("cannot run {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // `egret-proxy 0.1.0`; `…  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`
        let version = text
            .split(['/', ' ', '\n'])
            .find(|word| {
                word.split('.').count() == 3 && word.starts_with(|c: char| c.is_ascii_digit())
            })
            .unwrap_or("unknown");
        versions.insert(contestant.name().to_owned(), version.to_owned());
    }
    Ok(versions)
}
