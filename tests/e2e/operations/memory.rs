//! What is no longer needed is given back to the kernel.

use std::fmt::Write;

use egret_tests::folder::Folder;
use egret_tests::places::{Family, SLEEP};
use egret_tests::process::resident;
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::REGISTRY_ONLY;

/// Enough that their memory is most of the process's.
const MANY: usize = 20_000;

fn entries(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = writeln!(
            text,
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e{number}}}\n\
             spec: {{hosts: [h{number}.example.com], ports: [{{number: 80, name: http, protocol: HTTP}}], \
             resolution: DNS}}"
        );
    }
    text
}

#[test]
fn memory_of_a_large_configuration_comes_back() -> anyhow::Result<()> {
    let world = World::new("memory-back", Family::V4)?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&[REGISTRY_ONLY])?;
    config.write("entries.yaml", &entries(1))?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    let small = resident(sidecar.id())?;
    config.write("entries.yaml", &entries(MANY))?;
    sidecar.await_log(&["configuration in force", "version=2"])?;
    let large = resident(sidecar.id())?;
    assert!(
        large > 2 * small,
        "{large} KiB with many, {small} KiB before"
    );
    config.write("entries.yaml", &entries(1))?;
    stage::until(|| Ok(resident(sidecar.id())?.saturating_sub(small) < (large - small) / 3))
}
