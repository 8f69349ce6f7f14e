//! How long the kernel takes for the transaction alone.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhow::Context;
use egret_init::args::Request;
use egret_init::intent::{HostFacts, Intent};
use egret_init::netlink::nftables::{Old, replace};
use egret_init::netlink::socket::{Socket, Subsystem};
use egret_init::plan::plan;

use super::times::{Pod, Times};

/// Loads the rules for these flags from this process, each time in a fresh pod.
pub(super) fn transaction(flags: &[&str], runs: usize) -> anyhow::Result<Times> {
    let words = ["egret-init"].into_iter().chain(flags.iter().copied());
    let Request::Apply(flags) = Request::parse(words, &|_| None)? else {
        anyhow::bail!("these flags apply nothing");
    };
    let surroundings = HostFacts {
        addresses: vec![IpAddr::V4(Ipv4Addr::new(10, 1, 0, 5))],
        ..HostFacts::default()
    };
    let intent = Intent::new(&flags, &surroundings)
        .ok()
        .context("the flags are good")?;
    let messages = replace(&plan(&intent), Old::None, Vec::new());
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let messages = messages.clone();
        let done = Pod::Ipv4.make()?.run(move || {
            let start = Instant::now();
            let mut kernel = Socket::open(Subsystem::Netfilter)?;
            kernel.exchange(&messages)?;
            drop(kernel);
            Ok::<_, egret_init::netlink::refusal::Refusal>(start.elapsed())
        });
        times.push(done?);
    }
    Ok(Times::new(times))
}
