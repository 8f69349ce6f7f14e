use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Version};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde_json::Value;

use super::*;
use crate::failure::flags::Flag;
use crate::report::access_log::writer::QUEUE_MAX;

const WAIT: Duration = Duration::from_secs(10);

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().expect("address"))
}

fn silent() -> Record {
    let mut record = Record::open(Arc::new(AccessLog::start().expect("start")));
    record.start_time = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_042));
    record
}

fn full() -> Record {
    let mut record = silent();
    record.method = Some(Method::GET);
    record.path = Some(PathAndQuery::from_static("/get?a=b"));
    record.protocol = Some(Version::HTTP_11);
    record.response_code = Some(StatusCode::OK);
    record.response_code_details = Some("via_upstream".into());
    record.bytes_sent = 345;
    record.upstream_service_time = Some(Duration::from_millis(7));
    record.user_agent = Some(HeaderValue::from_static("curl/8.5.0"));
    record.request_id = Some(HeaderValue::from_static("5f0a"));
    record.authority = Some(HeaderValue::from_static("httpbin.org"));
    record.upstream_host = address("10.1.0.9:80");
    record.upstream_cluster = Some("outbound|80||httpbin.org".into());
    record.upstream_local_address = address("10.1.0.2:40000");
    record.downstream_local_address = address("10.1.0.9:80");
    record.downstream_remote_address = address("10.1.0.2:39999");
    record.route_name = Some("default".into());
    record
}

/// The line with its duration, which is the clock's, replaced by D.
fn line(mut record: Record) -> String {
    let mut line = Vec::new();
    format::text(&record, &mut line);
    record.silence();
    let line = String::from_utf8(line).expect("UTF-8");
    let mut words: Vec<_> = line.split(' ').collect();
    words[11] = "D";
    words.join(" ")
}

#[test]
fn text_of_a_request() {
    assert_eq!(
        line(full()),
        "[2023-11-14T22:13:20.042Z] \"GET /get?a=b HTTP/1.1\" 200 - via_upstream - \"-\" 0 345 D 7 \"-\" \"curl/8.5.0\" \
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
        let mut record = Record::open(Arc::new(log));
        record.decided(&trail);
        record.end();
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
    let mut record = silent();
    record.response_flags.raise(Flag::UH);
    record.upstream_cluster = Some("BlackHoleCluster".into());
    record.requested_server_name = Some("www.example.com".into());
    assert_eq!(
        line(record),
        "[2023-11-14T22:13:20.042Z] \"- - -\" 0 UH - - \"-\" 0 0 D - \"-\" \"-\" \"-\" \"-\" \"-\" BlackHoleCluster - - - \
         www.example.com -\n"
    );
}

#[test]
fn strangers_cannot_forge_lines_or_fields() {
    let mut record = silent();
    record.user_agent = Some(HeaderValue::from_bytes(b"a\" \"b\\\t\xff").expect("header"));
    record.response_code_details = Some("two words\n[forged]".into());
    let mut line = Vec::new();
    format::text(&record, &mut line);
    let text = String::from_utf8_lossy(&line);
    assert!(text.contains(r#""a\" \"b\\\x09"#), "{text}");
    assert!(text.contains(r"two_words\x0a[forged]"), "{text}");
    assert_eq!(text.matches('\n').count(), 1);
    line.clear();
    format::json(&record, &mut line);
    let value: Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(value["user_agent"], "a\" \"b\\\t\u{fffd}");
    record.silence();
}

#[test]
fn json_has_the_24_keys_in_order() {
    let mut record = full();
    let mut line = Vec::new();
    format::json(&record, &mut line);
    record.silence();
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
    Record::open(log.clone()).end();
    log.configure(&path("two"), AccessLogEncoding::Text)
        .expect("two");
    Record::open(log.clone()).end();
    Record::open(log.clone()).end();
    log.configure(&"".into(), AccessLogEncoding::Text)
        .expect("off");
    Record::open(log.clone()).end();
    assert!(log.flush(WAIT));
    let lines = |name: &str| {
        fs::read_to_string(&*path(name))
            .expect(name)
            .lines()
            .count()
    };
    assert_eq!((lines("one"), lines("two")), (1, 2));
    assert_eq!(log.dropped(), 0);
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
    Record::open(log.clone()).end();
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
    assert!(writer.dropped() >= 16 - 8);
    assert!(!writer.flush(Duration::ZERO));
    let queued = 16 - writer.dropped() as usize;
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
