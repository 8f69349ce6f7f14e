use std::fs;
use std::path::Path;

use egret_config::decide::verdict::Refusal;
use egret_config::model::mesh::AccessLogEncoding;
use serde_json::Value;

use super::*;

fn logged(act: impl FnOnce(Arc<AccessLog>)) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("access.log");
    let log = Arc::new(AccessLog::start().expect("start"));
    configure(&log, &path);
    act(log.clone());
    assert!(log.flush(Duration::from_secs(10)));
    let lines = fs::read_to_string(path).expect("log");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn configure(log: &AccessLog, path: &Path) {
    log.configure(
        &path.to_str().expect("UTF-8").into(),
        AccessLogEncoding::Json,
    )
    .expect("configure");
}

fn request(record: &mut Record) {
    let request = Request::get("/status/418?x=1")
        .header("host", "shop.example")
        .body(())
        .expect("request");
    record.saw_request(&request);
}

#[test]
fn a_finished_request_is_written_once() {
    let lines = logged(|log| {
        let mut record = Record::open(log);
        request(&mut record);
        record.response_code = Some(StatusCode::OK);
        record.end();
    });
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(line["authority"], "shop.example");
    assert_eq!(line["path"], "/status/418?x=1");
    assert_eq!(line["response_code"], 200);
    assert_eq!(line["response_flags"], "-");
}

#[test]
fn a_dropped_request_is_written_as_left_by_its_client() {
    let lines = logged(|log| {
        let mut record = Record::open(log);
        request(&mut record);
    });
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(line["response_code"], 0);
    assert_eq!(line["response_flags"], "DC");
    assert_eq!(
        line["response_code_details"],
        "downstream_remote_disconnect"
    );
}

#[derive(Debug)]
struct Ended(Option<Reset>);

impl Stream for Ended {
    fn reset(&self) -> Option<Reset> {
        self.0
    }
}

#[test]
fn a_dropped_request_says_how_its_stream_ended() {
    for (reset, flag, details) in [
        (None, "DC", "downstream_remote_disconnect"),
        (Some(Reset::ByClient), "DR", "http2.remote_reset"),
        (Some(Reset::ForMistake), "DPE", "http2.remote_reset"),
    ] {
        let lines = logged(|log| {
            let mut record = Record::open(log);
            request(&mut record);
            record.stream = Some(Arc::new(Ended(reset)));
        });
        let [line] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(line["response_flags"], flag);
        assert_eq!(line["response_code_details"], details);
    }
}

#[derive(Debug)]
struct Counted(u64);

impl Counter for Counted {
    fn bytes(&self) -> u64 {
        self.0
    }
}

#[test]
fn what_a_client_sent_before_it_left_is_counted() {
    let lines = logged(|log| {
        let mut left = Record::open(log.clone());
        request(&mut left);
        left.counter = Some(Rc::new(Counted(4)));
        left.response_code_details = Some("via_upstream".into());
        drop(left);
        let mut ended = Record::open(log);
        request(&mut ended);
        ended.counter = Some(Rc::new(Counted(4)));
        ended.bytes_received = 8;
        ended.end();
    });
    let [left, ended] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(left["bytes_received"], 4);
    assert_eq!(
        left["response_code_details"], "downstream_remote_disconnect",
        "whatever was told of the answer"
    );
    assert_eq!(ended["bytes_received"], 8);
}

#[test]
fn a_connection_with_requests_of_its_own_is_silent() {
    let lines = logged(|log| {
        let mut connection = Record::open(log);
        connection.requested_server_name = Some("shop.example".into());
        let request = connection.request();
        connection.silence();
        request.end();
    });
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(line["requested_server_name"], "shop.example");
}

#[test]
fn refused_calls_say_so() {
    let refused = Failure::from(Refusal::Blackhole);
    let lines = logged(|log| {
        let mut record = Record::open(log.clone());
        request(&mut record);
        record.request_failed(&refused);
        record.end();
        for failure in [
            refused.clone(),
            Failure::from(Refusal::NoChain),
            Failure::new(Cause::ConnectTimeout, ""),
        ] {
            let mut record = Record::open(log.clone());
            record.stream_failed(&failure);
        }
    });
    let [request, stream, chainless, unconnected] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(request["response_code"], 502);
    assert_eq!(request["response_flags"], "-");
    assert_eq!(request["response_code_details"], "direct_response");
    assert_eq!(stream["response_code"], 0);
    assert_eq!(stream["response_flags"], "UH");
    assert_eq!(stream["response_code_details"], Value::Null);
    assert_eq!(chainless["response_flags"], "NR");
    assert_eq!(chainless["response_code_details"], "filter_chain_not_found");
    assert_eq!(unconnected["response_flags"], "UF,URX");
    assert_eq!(unconnected["response_code_details"], Value::Null);
}
