use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use egret_config::address::{ClientAddress, EndpointAddress, LocalAddress, UpstreamLocalAddress};
use egret_config::decide::flag::Flag;
use egret_config::decide::verdict::RouteName;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::Value;

use super::*;
use crate::report::access_log::writer::QUEUE_MAX;
use crate::report::facts::{AuthorityFact, RequestFacts};
use crate::report::reporter::Reporter;

const WAIT: Duration = Duration::from_secs(10);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

/// A moment at which 3 ms have passed since the facts' beginning.
fn now(facts: &Facts) -> Now {
    let passed = Duration::from_millis(3);
    Now {
        instant: facts.began + passed,
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042) + passed,
    }
}

fn full() -> Facts {
    let mut facts = Facts::begin();
    facts.request = RequestFacts {
        method: Some(Method::GET),
        path: Some(PathAndQuery::from_static("/get?a=b")),
        protocol: Some(Version::HTTP_11),
        authority: Some(AuthorityFact::Header(HeaderValue::from_static(
            "httpbin.org",
        ))),
        user_agent: Some(HeaderValue::from_static("curl/8.5.0")),
        x_forwarded_for: None,
        request_id: Some(HeaderValue::from_static("5f0a")),
    };
    facts.set_response(StatusCode::OK, "via_upstream");
    facts.response.upstream_service_time = Some(Duration::from_millis(7));
    facts.bytes_sent = 345;
    facts.decision.cluster = Some("outbound|80||httpbin.org".into());
    facts.decision.route = Some(RouteName::Named("default".into()));
    let endpoint = |text| EndpointAddress::Ip(address(text));
    facts.attempts.begin(endpoint("10.1.0.8:80"));
    let last = facts.attempts.begin(endpoint("10.1.0.9:80"));
    last.local_address = Some(UpstreamLocalAddress(endpoint("10.1.0.2:40000")));
    facts.downstream.local_address = Some(LocalAddress(address("10.1.0.9:80")));
    facts.downstream.remote_address = Some(ClientAddress(address("10.1.0.2:39999")));
    facts
}

fn line(facts: &Facts) -> String {
    let mut line = Vec::new();
    format::text(facts, now(facts), &mut line);
    String::from_utf8(line).expect("UTF-8")
}

/// Has a call reported to a log.
fn report(log: &AccessLog) {
    log.report(&Facts::begin());
}

#[test]
fn text_of_a_request() {
    assert_eq!(
        line(&full()),
        "[2023-11-14T22:13:20.042Z] \"GET /get?a=b HTTP/1.1\" 200 - via_upstream - \"-\" 0 345 3 7 \"-\" \"curl/8.5.0\" \
         \"5f0a\" \"httpbin.org\" \"10.1.0.9:80\" outbound|80||httpbin.org 10.1.0.2:40000 10.1.0.9:80 10.1.0.2:39999 - \
         default\n"
    );
}

#[test]
fn reasons_are_told_last_and_only_where_asked_for() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let path: Arc<str> = file.path().display().to_string().into();
    let trail = "listener=0.0.0.0:80 policy=REGISTRY_ONLY from MeshConfig (a \"b\")";
    for (asked, encoding, expected) in [
        (false, AccessLogEncoding::Text, None),
        (
            true,
            AccessLogEncoding::Text,
            Some(
                r#" reasons="listener=0.0.0.0:80 policy=REGISTRY_ONLY from MeshConfig (a \"b\")""#,
            ),
        ),
        (
            true,
            AccessLogEncoding::Json,
            Some(
                r#","reasons":"listener=0.0.0.0:80 policy=REGISTRY_ONLY from MeshConfig (a \"b\")"}"#,
            ),
        ),
    ] {
        let log = AccessLog::start().expect("start").telling_reasons(asked);
        log.configure(&path, encoding).expect("configure");
        fs::write(file.path(), "").expect("empty");
        let log = Arc::new(log);
        let mut facts = Reporter::new([log.clone() as Arc<dyn Sink>]).begin();
        facts.set_reasons(&trail);
        facts.end();
        assert!(log.flush(WAIT));
        let text = fs::read_to_string(file.path()).expect("read");
        match expected {
            Some(end) => assert_eq!(
                text.strip_suffix('\n').map(|line| line.ends_with(end)),
                Some(true),
                "{text}"
            ),
            None => assert!(
                text.ends_with(" -\n") && !text.contains("reasons"),
                "{text}"
            ),
        }
    }
}

#[test]
fn text_of_a_refused_stream() {
    let mut facts = Facts::begin();
    facts.flags.raise(Flag::UH);
    facts.decision.cluster = Some("BlackHoleCluster".into());
    facts.downstream.requested_server_name = Some("www.example.com".into());
    assert_eq!(
        line(&facts),
        "[2023-11-14T22:13:20.042Z] \"- - -\" 0 UH - - \"-\" 0 0 3 - \"-\" \"-\" \"-\" \"-\" \"-\" BlackHoleCluster - - - \
         www.example.com -\n"
    );
}

#[test]
fn strangers_cannot_forge_lines_or_fields() {
    let mut facts = Facts::begin();
    facts.request.user_agent = Some(HeaderValue::from_bytes(b"a\" \"b\\\t\xff").expect("header"));
    facts.response.details = Some("two words\n[forged]".into());
    let mut line = Vec::new();
    format::text(&facts, now(&facts), &mut line);
    let text = String::from_utf8_lossy(&line);
    assert!(text.contains(r#""a\" \"b\\\x09"#), "{text}");
    assert!(text.contains(r"two_words\x0a[forged]"), "{text}");
    assert_eq!(text.matches('\n').count(), 1);
    line.clear();
    format::json(&facts, now(&facts), &mut line);
    let value: Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(value["user_agent"], "a\" \"b\\\t\u{fffd}");
}

#[test]
fn json_has_the_24_keys_in_order() {
    let facts = full();
    let mut line = Vec::new();
    format::json(&facts, now(&facts), &mut line);
    let value: Value = serde_json::from_slice(&line).expect("JSON");
    let keys: Vec<_> = value
        .as_object()
        .expect("object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "start_time",
            "method",
            "path",
            "protocol",
            "response_code",
            "response_flags",
            "response_code_details",
            "connection_termination_details",
            "upstream_transport_failure_reason",
            "bytes_received",
            "bytes_sent",
            "duration",
            "upstream_service_time",
            "x_forwarded_for",
            "user_agent",
            "request_id",
            "authority",
            "upstream_host",
            "upstream_cluster",
            "upstream_local_address",
            "downstream_local_address",
            "downstream_remote_address",
            "requested_server_name",
            "route_name",
        ]
    );
    assert_eq!(value["start_time"], "2023-11-14T22:13:20.042Z");
    assert_eq!(value["bytes_sent"], 345);
    assert_eq!(value["response_flags"], "-");
    assert_eq!(value["x_forwarded_for"], Value::Null);
    assert_eq!(value["upstream_host"], "10.1.0.9:80");
}

#[test]
fn a_new_target_gets_only_what_comes_after() {
    let folder = tempfile::tempdir().expect("folder");
    let path =
        |name: &str| -> Arc<str> { folder.path().join(name).to_str().expect("UTF-8").into() };
    let log = Arc::new(AccessLog::start().expect("start"));
    log.configure(&path("one"), AccessLogEncoding::Json)
        .expect("one");
    report(&log);
    log.configure(&path("two"), AccessLogEncoding::Text)
        .expect("two");
    report(&log);
    report(&log);
    log.configure(&"".into(), AccessLogEncoding::Text)
        .expect("off");
    report(&log);
    assert!(log.flush(WAIT));
    let lines = |name: &str| {
        fs::read_to_string(&*path(name))
            .expect(name)
            .lines()
            .count()
    };
    assert_eq!((lines("one"), lines("two")), (1, 2));
    let counts = LineCounts {
        written: 3,
        dropped: 0,
    };
    assert_eq!(log.counts(), counts);
}

/// How many descriptors of this process lead to a file.
fn descriptors(path: &str) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("descriptors");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_str() == Some(path))
        .count()
}

#[test]
fn a_target_that_is_configured_again_is_opened_once_and_bounded() {
    let folder = tempfile::tempdir().expect("folder");
    let path: Arc<str> = folder.path().join("fifo").to_str().expect("UTF-8").into();
    nix::unistd::mkfifo(&*path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let log = Arc::new(AccessLog::start().expect("start"));
    let refused = log.configure(&path, AccessLogEncoding::Text);
    assert!(
        refused.is_err(),
        "nobody reads it, and nobody waits for a reader"
    );
    // A reader that reads nothing.
    let mut reader = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&*path)
        .expect("reader");
    let line = vec![b'\n'; QUEUE_MAX / 2];
    for _ in 0..20 {
        log.configure(&path, AccessLogEncoding::Text)
            .expect("configure");
        log.writer.queue(&line);
    }
    assert_eq!(descriptors(&path), 2, "the reader's and the log's");
    // What was taken and what waits: at most two queues.
    let kept = 20 - log.counts().dropped;
    assert!(kept <= 5, "{kept} lines of half a queue are kept");
    let mut read = 0;
    let mut bytes = vec![0; 1 << 16];
    while !log.flush(Duration::from_millis(1)) {
        read += reader.read(&mut bytes).unwrap_or(0);
    }
    assert!(read > 0);
}

#[test]
fn a_rotated_file_is_let_go_and_a_kept_one_is_not_opened_again() {
    let folder = tempfile::tempdir().expect("folder");
    let path: Arc<str> = folder.path().join("log").to_str().expect("UTF-8").into();
    let rotated = folder.path().join("log.1");
    let log = Arc::new(AccessLog::start().expect("start"));
    for _ in 0..3 {
        log.configure(&path, AccessLogEncoding::Text)
            .expect("configure");
        report(&log);
    }
    assert!(log.flush(WAIT));
    assert_eq!(descriptors(&path), 1);
    fs::rename(&*path, &rotated).expect("rename");
    log.configure(&path, AccessLogEncoding::Text)
        .expect("configure");
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!(descriptors(rotated.to_str().expect("UTF-8")), 0);
    let lines = |path: &str| fs::read_to_string(path).expect("a log").lines().count();
    assert_eq!(
        (lines(rotated.to_str().expect("UTF-8")), lines(&path)),
        (3, 1)
    );
}

#[test]
fn a_blocked_target_of_before_does_not_hold_up_the_next() {
    let (_reader, pipe) = io::pipe().expect("pipe");
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let writer = Writer::start().expect("start");
    writer.retarget(Some(File::from(OwnedFd::from(pipe))));
    writer.queue(&vec![b'\n'; QUEUE_MAX / 2]);
    let next = tempfile::NamedTempFile::new().expect("file");
    writer.retarget(Some(next.reopen().expect("file")));
    writer.queue(b"next\n");
    assert!(writer.flush(WAIT), "the one of before is given up");
    assert_eq!(fs::read_to_string(next.path()).expect("log"), "next\n");
    assert!(writer.counts().dropped > 0, "what it lost is counted");
}

#[test]
fn a_file_that_cannot_be_opened_leaves_the_log_as_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let good: Arc<str> = folder.path().join("log").to_str().expect("UTF-8").into();
    let log = Arc::new(AccessLog::start().expect("start"));
    log.configure(&good, AccessLogEncoding::Text).expect("good");
    let bad: Arc<str> = format!("{good}/no/such").into();
    let error = log
        .configure(&bad, AccessLogEncoding::Text)
        .expect_err("bad");
    assert_eq!(
        error.to_string(),
        format!("cannot open the access log `{bad}`")
    );
    report(&log);
    assert!(log.flush(WAIT));
    assert_eq!(fs::read_to_string(&*good).expect("log").lines().count(), 1);
}

#[test]
fn lines_are_dropped_and_counted_when_the_target_does_not_keep_up() {
    let (mut reader, pipe) = io::pipe().expect("pipe");
    let writer = Writer::start().expect("start");
    writer.retarget(Some(File::from(OwnedFd::from(pipe))));
    let line = vec![b'\n'; QUEUE_MAX / 4];
    // The pipe takes far less than one line, so at most one batch leaves the queue.
    for _ in 0..16 {
        writer.queue(&line);
    }
    assert!(writer.counts().dropped >= 16 - 8);
    assert!(!writer.flush(Duration::ZERO));
    let queued = 16 - writer.counts().dropped as usize;
    let mut all = vec![0; queued * line.len()];
    reader.read_exact(&mut all).expect("read");
    assert!(writer.flush(WAIT));
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (mut reader, pipe) = io::pipe().expect("pipe");
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let writer = Writer::start().expect("start");
    writer.retarget(Some(File::from(OwnedFd::from(pipe))));
    // Far more than a pipe takes at once.
    let line: Vec<u8> = (0..QUEUE_MAX / 4).map(|at| at.to_le_bytes()[0]).collect();
    writer.queue(&line);
    assert!(!writer.flush(Duration::ZERO));
    let mut all = vec![0; line.len()];
    reader.read_exact(&mut all).expect("read");
    assert!(all == line, "every byte, in order");
    assert!(writer.flush(WAIT));
    writer.queue(&line);
    drop(reader);
    assert!(writer.flush(WAIT), "who reads no more is not waited for");
}
