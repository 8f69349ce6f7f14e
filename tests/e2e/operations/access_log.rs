//! The access log as text; the stories read it as JSON.

use egret_tests::client::curl;
use egret_tests::folder::Folder;
use egret_tests::origin::httpbin;
use egret_tests::places::{Family, HTTPBIN_ORG, SLEEP};
use egret_tests::topology::World;

use crate::helpers::stage;
use crate::helpers::stage::services;

#[test]
fn text_lines_are_istios() -> anyhow::Result<()> {
    let world = World::new("access-log-text", Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::with(&["mesh/text-log.yaml", services(Family::V4)])?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(
        curl(
            &pod,
            &[
                "-A",
                "me/1.0",
                "-d",
                "12345",
                "http://httpbin.org/status/418"
            ]
        )?
        .status,
        418
    );

    let line = sidecar
        .output
        .await_one(|line| line.contains("httpbin.org"))?;
    let (start, rest) = line.split_once("] ").unwrap_or_default();
    assert!(start.starts_with("[20") && start.ends_with('Z'), "{line}");
    let words: Vec<&str> = rest.split(' ').collect();
    let expected = [
        ("\"POST", 0),
        ("/status/418", 1),
        ("HTTP/1.1\"", 2),
        ("418", 3),
        ("-", 4),
        ("via_upstream", 5),
        ("-", 6),
        ("\"-\"", 7),
        ("5", 8),
        ("0", 9),
        ("\"-\"", 12),
        ("\"me/1.0\"", 13),
        ("\"httpbin.org\"", 15),
        ("\"198.51.100.12:80\"", 16),
        ("PassthroughCluster", 17),
        ("198.51.100.12:80", 19),
        ("-", 21),
        ("allow_any", 22),
    ];
    assert_eq!(words.len(), 23, "{line}");
    for (word, position) in expected {
        assert_eq!(words[position], word, "word {position} of {line}");
    }
    assert!(
        words[10].parse::<u64>().is_ok() && words[11].parse::<u64>().is_ok(),
        "durations: {line}"
    );
    assert!(
        words[18].starts_with("10.34.0.140:") && words[20].starts_with("10.34.0.140:"),
        "{line}"
    );
    Ok(())
}

#[test]
fn a_mesh_config_without_a_log_file_writes_none() -> anyhow::Result<()> {
    let world = World::new("access-log-off", Family::V4)?;
    let _origin = world.http(HTTPBIN_ORG, 80, &httpbin())?;
    let pod = world.pod(SLEEP, "default")?;
    let config = Folder::new()?;
    let sidecar = stage::sidecar(&world, &pod, "default", &config)?;
    assert_eq!(curl(&pod, &["http://httpbin.org/get"])?.status, 200);
    let output = sidecar.output.clone();
    assert_eq!(sidecar.terminate()?, 0);
    assert_eq!(
        output.all(),
        Vec::<String>::new(),
        "standard output is the access log's alone"
    );
    Ok(())
}
