//! Replays what the fuzzers of the proxy's parsers began with and found.

#[path = "../../tests/fuzz/checks/calls.rs"]
mod calls;
#[path = "../../tests/fuzz/checks/client_hello.rs"]
mod client_hello;
#[path = "../../tests/fuzz/checks/dns.rs"]
mod dns;
#[path = "../../tests/fuzz/checks/framing.rs"]
mod framing;
#[path = "../../tests/fuzz/checks/http_preface.rs"]
mod http_preface;
#[path = "../../tests/fuzz/checks/replay.rs"]
mod replay;

use crate::replay::replay;

#[test]
fn hellos() {
    replay("client_hello", client_hello::check);
}

#[test]
fn prefaces() {
    replay("http_preface", http_preface::check);
}

#[test]
fn requests() {
    replay("framing", framing::check);
}

#[test]
fn messages() {
    replay("dns", dns::check);
}

#[test]
fn explained_calls() {
    replay("calls", calls::check);
}
