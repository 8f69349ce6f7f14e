//! Replays what the fuzzers of the sniffers began with and found: what is said of the first bytes of a connection is not
//! taken back when more come.

use std::path::Path;

use egret_proxy::sniff::client_hello;
use egret_proxy::sniff::client_hello::Hello;
use egret_proxy::sniff::http_preface;
use egret_proxy::sniff::http_preface::Preface;

/// The files of a corpus, by name.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let files = std::fs::read_dir(folder.join(name)).expect("the corpus is part of the project");
    let files: Vec<_> = files
        .map(|file| {
            let path = file.expect("the folder can be listed").path();
            let bytes = std::fs::read(&path).expect("the file can be read");
            (path.display().to_string(), bytes)
        })
        .collect();
    assert!(files.len() > 10, "only {} files", files.len());
    files
}

#[test]
fn hellos() {
    for (name, bytes) in corpus("client_hello") {
        let whole = client_hello::parse(&bytes);
        for end in 0..bytes.len() {
            let part = client_hello::parse(&bytes[..end]);
            assert!(
                part == Hello::More || part == whole,
                "{name}: {part:?} after {end} bytes, then {whole:?}"
            );
        }
    }
}

#[test]
fn prefaces() {
    for (name, bytes) in corpus("http_preface") {
        let whole = http_preface::parse(&bytes);
        for end in 0..bytes.len().min(2_048) {
            let part = http_preface::parse(&bytes[..end]);
            assert!(
                matches!(part, Preface::More { .. }) || part == whole,
                "{name}: {part:?} after {end} bytes, then {whole:?}"
            );
        }
    }
}
