//! Replays what the fuzzers of the proxy's parsers began with and found.

#[path = "../../tests/fuzz/checks/admin_query.rs"]
mod admin_query;
#[path = "../../tests/fuzz/checks/calls.rs"]
mod calls;
#[path = "../../tests/fuzz/checks/client_hello.rs"]
mod client_hello;
#[path = "../../tests/fuzz/checks/dns.rs"]
mod dns;
#[path = "../../tests/fuzz/checks/framing.rs"]
mod framing;
#[path = "../../tests/fuzz/checks/http2_frames.rs"]
mod http2_frames;
#[path = "../../tests/fuzz/checks/http_preface.rs"]
mod http_preface;
#[path = "../../tests/fuzz/checks/log_format.rs"]
mod log_format;
#[path = "../../tests/fuzz/checks/proxy_header.rs"]
mod proxy_header;
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

#[test]
fn load_balancers() {
    replay("proxy_header", proxy_header::check);
}

#[test]
fn frames() {
    replay("http2_frames", http2_frames::check);
}

#[test]
fn formats_of_logs() {
    replay("log_format", log_format::check);
}

#[test]
fn queries_of_pages() {
    replay("admin_query", admin_query::check);
}
